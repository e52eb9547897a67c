"""The only writers and readers of the books. Each runs in the caller's transaction, or is its own."""

from ledger.services.accounts import freeze, open_accounts, unfreeze
from ledger.services.balances import TrialBalanceRow, balance, balances, roll_up, trial_balance
from ledger.services.entries import Entry, Leg, Posted
from ledger.services.invariants import Violation, snapshot, violations
from ledger.services.posting import post, post_many, reverse

__all__ = [
    "Entry",
    "Leg",
    "Posted",
    "TrialBalanceRow",
    "Violation",
    "balance",
    "balances",
    "freeze",
    "open_accounts",
    "post",
    "post_many",
    "reverse",
    "roll_up",
    "snapshot",
    "trial_balance",
    "unfreeze",
    "violations",
]
