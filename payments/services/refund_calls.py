"""The life of a refund's call, on our side, as `calls` has it for payments: begun, and whatever came of it written down.

A refund in doubt stays in refunds payable: it is neither given back to anybody nor sent twice.
"""

from datetime import datetime, timedelta
from uuid import UUID

from ledger import clock
from payments import records, retries
from payments.facts import lock_refund
from payments.models import OperationTry, Refund, Work
from payments.psp import capabilities
from payments.psp.base import RefundRequest
from payments.services.calling import ACTOR, NOT_REACHED, Call, Claim, ask, start, surely_unsent, wait
from payments.states import RefundStatus, TryStatus


def begin(claim: Claim, refund_id: UUID) -> Call | None:
    """See `calls.begin`; in its transaction."""
    refund, operation_try = _lock(claim, refund_id)
    if operation_try is None or operation_try.claim_token != claim.token:
        return None
    if surely_unsent(operation_try):
        return _send(refund, operation_try, claim)
    if operation_try.status == TryStatus.SENT:
        _doubt(operation_try, error_class="lease_expired", detail="no answer within the lease")
    return _call(refund, claim, operation="query_refund", lease_end=ask(operation_try))


def record_not_reached(claim: Claim, refund_id: UUID, *, delay: timedelta | None, detail: str) -> None:
    """See `calls.record_not_reached`; in its transaction."""
    _, operation_try = _lock(claim, refund_id)
    if operation_try is None or operation_try.claim_token != claim.token:
        return
    if operation_try.status == TryStatus.SENT and operation_try.doubts:
        _doubt(operation_try, error_class="resend_not_reached", detail=detail)
    elif operation_try.status == TryStatus.SENT:
        operation_try.error_class = NOT_REACHED
    wait(operation_try, delay=delay, detail=detail)


def record_doubt(claim: Claim, refund_id: UUID, *, error_class: str, detail: str) -> None:
    """See `calls.record_doubt`; in its transaction."""
    refund, operation_try = _lock(claim, refund_id)
    if operation_try is None:
        return
    if operation_try.status == TryStatus.SENT:
        _doubt(operation_try, error_class=error_class, detail=detail)
    wait(operation_try, delay=_next_question(refund, operation_try, error_class), detail=detail)


def after_query(claim: Claim, refund_id: UUID) -> Call | None:
    """See `calls.after_query`; in its transaction."""
    refund, operation_try = _lock(claim, refund_id)
    if operation_try is None or operation_try.claim_token != claim.token:
        return None
    life = capabilities.of(refund.attempt.psp_account).idempotency_key_life
    sent_at = operation_try.first_sent_at
    if operation_try.status == TryStatus.UNKNOWN and life and sent_at and clock.now() < sent_at + life:
        return _send(refund, operation_try, claim)
    wait(
        operation_try,
        delay=_next_question(refund, operation_try, ""),
        detail="the PSP knows of no such refund",
    )
    return None


def _lock(claim: Claim, refund_id: UUID) -> tuple[Refund, OperationTry | None]:
    refund, tries = lock_refund(refund_id)
    operation_try = next((item for item in tries if item.id == claim.try_id), None)
    if operation_try is None or operation_try.next_try_at is None:
        return refund, None
    return refund, operation_try


def _send(refund: Refund, operation_try: OperationTry, claim: Claim) -> Call:
    lease_end = start(operation_try)
    if refund.status == RefundStatus.REQUESTED:
        refund.execute()
        refund.save(update_fields=Refund.PROGRESS)
        step = records.step(refund, from_state=RefundStatus.REQUESTED, actor=ACTOR, at=clock.now())
        records.store_steps([step])
    return _call(refund, claim, operation=operation_try.operation, lease_end=lease_end)


def _call(refund: Refund, claim: Claim, *, operation: str, lease_end: datetime) -> Call:
    return Call(
        claim=claim,
        psp_account=refund.attempt.psp_account,
        subject_id=refund.id,
        operation=operation,
        request=RefundRequest(
            key=claim.try_id,
            refund_id=refund.id,
            payment_reference=refund.attempt.psp_reference,
            amount=refund.amount,
            psp_reference=refund.psp_reference,
        ),
        lease_end=lease_end,
    )


def _doubt(operation_try: OperationTry, *, error_class: str, detail: str) -> None:
    operation_try.doubt()
    operation_try.error_class = error_class
    operation_try.last_error = detail
    operation_try.save(update_fields=OperationTry.PROGRESS)


def _next_question(refund: Refund, operation_try: OperationTry, error_class: str) -> timedelta | None:
    return retries.next_wait(
        Work.QUERY_UNKNOWN if operation_try.status == TryStatus.UNKNOWN else Work.QUERY_PENDING,
        done=operation_try.queries,
        psp_account=refund.attempt.psp_account,
        error_class=error_class,
    )
