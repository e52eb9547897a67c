"""News from outside: judged, stored, and moved into states and books. The only way in."""

from payments.facts.apply import apply_fact
from payments.facts.locks import LockedAttempt, lock_attempt
from payments.facts.moves import Moves
from payments.facts.refunds import lock_refund

__all__ = ["LockedAttempt", "Moves", "apply_fact", "lock_attempt", "lock_refund"]
