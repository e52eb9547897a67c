"""What a call to a PSP is on our side, whatever it is about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ledger import clock
from payments import retries
from payments.models import OperationTry, Work
from payments.psp.base import ChargeRequest, FollowUpRequest, QueryRequest, RefundRequest
from payments.states import TryStatus

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
    lease_end: datetime
    """From then on it is not made any more: another worker may be at it, and the PSP may have forgotten its key."""

    @property
    def is_query(self) -> bool:
        """Whether this only asks."""
        return self.operation in QUESTIONS


def surely_unsent(operation_try: OperationTry) -> bool:
    """Whether the PSP has surely heard of nothing: neither from a call that started nor from one that got lost."""
    not_reached = operation_try.error_class == NOT_REACHED
    return operation_try.status == TryStatus.CREATED or (
        operation_try.status == TryStatus.SENT and not_reached
    )


def start(operation_try: OperationTry) -> datetime:
    """Write down that the call starts; returns the end of its lease, whole again however long a question took."""
    if operation_try.status == TryStatus.SENT:
        operation_try.sends += 1
    else:
        operation_try.send()
    operation_try.error_class = ""
    operation_try.next_try_at = lease_end = clock.now() + retries.LEASE
    operation_try.save(update_fields=OperationTry.PROGRESS)
    return lease_end


def ask(operation_try: OperationTry) -> datetime:
    """Write down that a question starts; returns the end of its lease."""
    operation_try.queries += 1
    operation_try.next_try_at = lease_end = clock.now() + retries.LEASE
    operation_try.save(update_fields=["queries", "next_try_at"])
    return lease_end


def pace(operation_try: OperationTry) -> tuple[Work, int]:
    """By which strategy the call is tried again, and how often that did not help so far."""
    match operation_try.status:
        case TryStatus.SENT:
            return Work.SEND, operation_try.tries - 1
        case TryStatus.UNKNOWN:
            return Work.QUERY_UNKNOWN, operation_try.queries
    return Work.QUERY_PENDING, operation_try.queries


def wait(operation_try: OperationTry, *, delay: timedelta | None, detail: str) -> None:
    """Due again after the delay; without one a dead letter, which changes no state and frees no claim on the order."""
    now = clock.now()
    operation_try.next_try_at = None if delay is None else now + delay
    operation_try.dead_at = now if delay is None else None
    operation_try.claim_token = None
    operation_try.last_error = detail
    operation_try.save(update_fields=OperationTry.PROGRESS)
