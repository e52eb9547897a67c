"""The life of a call to a PSP, on our side: claimed, begun, and whatever came of it written down.

Each function is one transaction and calls nobody; `payments.tasks` makes the call between two of them.
"""

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.db import connection, transaction

from ledger import clock
from payments import bookkeeping, retries
from payments.facts import LockedAttempt, Moves, lock_attempt
from payments.models import Operation, OperationTry, Work
from payments.psp import capabilities
from payments.psp.base import ChargeRequest, FollowUpRequest, QueryRequest
from payments.services import refund_calls
from payments.services.calling import ACTOR, NOT_REACHED, Call, Claim, ask, pace, start, wait
from payments.services.standing_down import stand_down
from payments.states import AttemptStatus, PendingReason, TryStatus, steps

__all__ = [
    "ACTOR",
    "NOT_REACHED",
    "Call",
    "Claim",
    "after_query",
    "begin",
    "claim_calls",
    "record_doubt",
    "record_not_reached",
]


def claim_calls(*, limit: int) -> Sequence[Claim]:
    """Claim up to `limit` due calls, oldest first; rows that others hold are passed over.

    The claim is committed before any call, so a worker that dies loses its lease and nothing else. A row that has been
    claimed too often goes to the dead letters; its attempt's state is not touched by that.
    """
    token, now = uuid4(), clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_operationtry SET
                tries = tries + 1,
                claim_token = CASE WHEN tries < %(most)s THEN %(token)s::uuid END,
                next_try_at = CASE WHEN tries < %(most)s THEN %(lease_end)s END,
                dead_at = CASE WHEN tries < %(most)s THEN NULL ELSE %(now)s END
            WHERE id = ANY (ARRAY(
                SELECT id FROM payments_operationtry WHERE next_try_at <= %(now)s
                ORDER BY next_try_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            ))
            RETURNING id, dead_at
            """,
            {
                "token": token,
                "now": now,
                "lease_end": now + retries.LEASE,
                "most": retries.MOST_CLAIMS,
                "limit": limit,
            },
        )
        return [Claim(try_id=try_id, token=token) for try_id, dead_at in cursor.fetchall() if dead_at is None]


@transaction.atomic
def begin(claim: Claim) -> Call | None:
    """Commit that the call is about to start, and say what to call; None when the claim is stale or nothing is left.

    A call that was sent and has no answer after its lease may have happened: it is in doubt, and we ask first.
    """
    refund_id = _refund_of(claim)
    if refund_id is not None:
        return refund_calls.begin(claim, refund_id)
    locked, operation_try = _lock(claim)
    if operation_try is None or operation_try.claim_token != claim.token:
        return None
    if stand_down(locked, operation_try):
        return None
    match operation_try.status:
        case TryStatus.CREATED:
            return _send(locked, operation_try, claim)
        case TryStatus.SENT if operation_try.error_class == NOT_REACHED:
            return _send(locked, operation_try, claim)
        case TryStatus.SENT:
            _doubt(locked, operation_try, error_class="lease_expired", detail="no answer within the lease")
    return _ask(locked, operation_try, claim)


@transaction.atomic
def record_not_reached(
    claim: Claim, *, error_class: str, detail: str, retry_after_seconds: float | None
) -> None:
    """The PSP surely did nothing this time: the same request goes out again, under the same key.

    If an earlier send got lost, that one is still in doubt, and asked about first. Whoever has lost the claim meanwhile
    knows nothing of what others have sent.
    """
    operation_try = OperationTry.objects.select_related("attempt").get(id=claim.try_id)
    work, done = pace(operation_try)
    delay = retries.next_wait(
        work, done=done, psp_account=operation_try.attempt.psp_account, error_class=error_class
    )
    if delay is not None and retry_after_seconds:
        delay = max(delay, retries.at_most_an_hour(retry_after_seconds))
    if operation_try.refund_id is not None:
        refund_calls.record_not_reached(claim, operation_try.refund_id, delay=delay, detail=detail)
        return
    locked, locked_try = _lock(claim)
    if locked_try is None or locked_try.claim_token != claim.token:
        return
    if locked_try.status == TryStatus.SENT and locked_try.doubts:
        _doubt(locked, locked_try, error_class="resend_not_reached", detail=detail)
    elif locked_try.status == TryStatus.SENT:
        locked_try.error_class = NOT_REACHED
    wait(locked_try, delay=delay, detail=detail)


@transaction.atomic
def record_doubt(claim: Claim, *, error_class: str, detail: str) -> None:
    """Nobody knows whether the call happened, or a question about it went unanswered: ask (again) later."""
    refund_id = _refund_of(claim)
    if refund_id is not None:
        refund_calls.record_doubt(claim, refund_id, error_class=error_class, detail=detail)
        return
    locked, operation_try = _lock(claim)
    if operation_try is None:
        return
    if operation_try.status == TryStatus.SENT:
        _doubt(locked, operation_try, error_class=error_class, detail=detail)
    wait(
        operation_try,
        delay=retries.next_wait(
            Work.QUERY_UNKNOWN if operation_try.status == TryStatus.UNKNOWN else Work.QUERY_PENDING,
            done=operation_try.queries,
            psp_account=locked.attempt.psp_account,
            error_class=error_class,
        ),
        detail=detail,
    )


@transaction.atomic
def after_query(claim: Claim, *, found: bool) -> Call | None:
    """The PSP has answered a question, and what it said is applied. If the call in doubt did not happen, send it again.

    That is safe only inside the life of the PSP's idempotency key. Past that, or where the PSP honours no keys, a second
    send might move money twice, so we only go on asking: absence is proven by a complete settlement file or by staff
    with evidence, never by time.
    """
    refund_id = _refund_of(claim)
    if refund_id is not None:
        return refund_calls.after_query(claim, refund_id)
    locked, operation_try = _lock(claim)
    if operation_try is None or operation_try.claim_token != claim.token:
        return None
    if operation_try.status == TryStatus.UNKNOWN:
        life = capabilities.of(locked.attempt.psp_account).idempotency_key_life
        sent_at = operation_try.first_sent_at
        needed = locked.open_orders or not operation_try.moves_money
        if needed and life and sent_at and clock.now() < sent_at + life:
            return _send(locked, operation_try, claim)
    detail = "the PSP has not done it" if found else "the PSP knows of no such payment"
    delay = retries.next_wait(
        Work.QUERY_UNKNOWN, done=operation_try.queries, psp_account=locked.attempt.psp_account
    )
    wait(operation_try, delay=delay, detail=detail)
    return None


def _refund_of(claim: Claim) -> UUID | None:
    return OperationTry.objects.values_list("refund_id", flat=True).get(id=claim.try_id)


def _lock(claim: Claim) -> tuple[LockedAttempt, OperationTry | None]:
    """The claimed try with all it may move; None for a try that has been settled since."""
    attempt_id = OperationTry.objects.values_list("attempt_id", flat=True).get(id=claim.try_id)
    locked = lock_attempt(attempt_id)
    operation_try = next((item for item in locked.tries if item.id == claim.try_id), None)
    if operation_try is None or operation_try.next_try_at is None:
        return locked, None
    return locked, operation_try


def _send(locked: LockedAttempt, operation_try: OperationTry, claim: Claim) -> Call:
    """Write down that the call starts, for the first time or again under its key."""
    now, attempt = clock.now(), locked.attempt
    if operation_try.in_money_doubt:
        bookkeeping.record_doubt_ended(operation_try=operation_try, attempt=attempt, occurred_at=now)
    lease_end = start(operation_try)
    moves = Moves(locked.event, actor=ACTOR, at=now)
    if operation_try.operation in (Operation.CHARGE, Operation.CONFIRM):
        if attempt.status in (AttemptStatus.CREATED, AttemptStatus.UNKNOWN):
            moves.attempt(locked.attempt, AttemptStatus.SENT)
        for order in locked.open_orders:
            moves.execute(order, PendingReason.SUBMITTED)
    elif operation_try.operation == Operation.CAPTURE and attempt.status == AttemptStatus.AUTHORIZED:
        moves.attempt(locked.attempt, AttemptStatus.CAPTURING)
    moves.store(announce=False)
    return Call(
        claim=claim,
        psp_account=attempt.psp_account,
        subject_id=attempt.id,
        operation=operation_try.operation,
        request=_request(locked, operation_try),
        lease_end=lease_end,
    )


def _request(locked: LockedAttempt, operation_try: OperationTry) -> ChargeRequest | FollowUpRequest:
    attempt = locked.attempt
    if operation_try.operation == Operation.CHARGE:
        return ChargeRequest(
            key=operation_try.id,
            attempt_id=attempt.id,
            amount=attempt.amount,
            method=attempt.method,
            token=attempt.token,
            capture=not attempt.manual_capture,
            confirm=not capabilities.of(attempt.psp_account).confirm,
            return_url=locked.event.return_url,
            description=f"Checkout {locked.event.checkout_id}",
        )
    return FollowUpRequest(
        key=operation_try.id,
        attempt_id=attempt.id,
        psp_reference=attempt.psp_reference,
        amount=operation_try.amount,
        final=operation_try.final,
    )


def _ask(locked: LockedAttempt, operation_try: OperationTry, claim: Claim) -> Call:
    return Call(
        claim=claim,
        psp_account=locked.attempt.psp_account,
        subject_id=locked.attempt.id,
        operation="query",
        request=QueryRequest(
            key=operation_try.id,
            attempt_id=locked.attempt.id,
            amount=locked.attempt.amount,
            psp_reference=locked.attempt.psp_reference,
        ),
        lease_end=ask(operation_try),
    )


def _doubt(locked: LockedAttempt, operation_try: OperationTry, *, error_class: str, detail: str) -> None:
    """The call is in doubt. Where it may have moved money, its attempt, its orders and the memo accounts say so."""
    now = clock.now()
    operation_try.doubt()
    operation_try.error_class = error_class
    operation_try.last_error = detail
    operation_try.save(update_fields=OperationTry.PROGRESS)
    if not operation_try.moves_money:
        return
    bookkeeping.record_doubt(operation_try=operation_try, attempt=locked.attempt, occurred_at=now)
    moves = Moves(locked.event, actor=ACTOR, at=now)
    for status in steps(locked.attempt.status, AttemptStatus.UNKNOWN) or []:
        moves.attempt(locked.attempt, AttemptStatus(status))
    for order in locked.open_orders:
        moves.pending(order, PendingReason.UNKNOWN)
    moves.store()
