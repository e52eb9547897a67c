"""What a call to a PSP is on our side, whatever it is about."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ledger import clock
from payments.models import OperationTry
from payments.psp.base import ChargeRequest, FollowUpRequest, QueryRequest, RefundRequest

NOT_REACHED = "not_reached"
"""The error class of a call that surely had no effect: it is sent again, not asked about."""

ACTOR = "worker"

QUESTIONS = ("query", "query_refund")
"""Calls that only ask."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to start one call."""

    try_id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class Call:
    """What to say to which PSP."""

    claim: Claim
    psp_account: str
    subject_id: UUID
    """The attempt, or the refund, that it is about."""
    operation: str
    """What to ask for; one of QUESTIONS to ask what became of it."""
    request: ChargeRequest | FollowUpRequest | QueryRequest | RefundRequest

    @property
    def is_query(self) -> bool:
        """Whether this only asks."""
        return self.operation in QUESTIONS


def wait(operation_try: OperationTry, *, delay: timedelta | None, detail: str) -> None:
    """Due again after the delay; without one a dead letter, which changes no state and frees no claim on the order."""
    now = clock.now()
    operation_try.next_try_at = None if delay is None else now + delay
    operation_try.dead_at = now if delay is None else None
    operation_try.claim_token = None
    operation_try.last_error = detail
    operation_try.save(update_fields=OperationTry.PROGRESS)
