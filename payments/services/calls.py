"""The life of a call to a PSP, on our side: claimed, begun, and whatever came of it written down.

Each function is one transaction and calls nobody; `payments.tasks` makes the call between two of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction

from ledger import clock
from payments import records, retries
from payments.facts import LockedAttempt, lock_attempt, move_attempt
from payments.models import Operation, OperationTry, PaymentAttempt, StateHistory
from payments.psp import capabilities
from payments.psp.base import ChargeRequest, QueryRequest
from payments.states import AttemptStatus, OrderStatus, PendingReason, TryStatus

NOT_REACHED = "not_reached"
"""The error class of a call that surely had no effect: it is sent again, not asked about."""

ACTOR = "worker"


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
    attempt_id: UUID
    request: ChargeRequest | QueryRequest


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
            WHERE id IN (
                SELECT id FROM payments_operationtry WHERE next_try_at <= %(now)s
                ORDER BY next_try_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            )
            RETURNING id, dead_at
            """,
            {
                "token": token,
                "now": now,
                "lease_end": now + retries.LEASE,
                "most": retries.MOST_TRIES,
                "limit": limit,
            },
        )
        return [Claim(try_id=try_id, token=token) for try_id, dead_at in cursor.fetchall() if dead_at is None]


@transaction.atomic
def begin(claim: Claim) -> Call | None:
    """Commit that the call is about to start, and say what to call; None when the claim is stale or nothing is left.

    A call that was sent and has no answer after its lease may have happened: it is in doubt, and we ask first.
    """
    locked, operation_try = _lock(claim.try_id)
    if operation_try.claim_token != claim.token or operation_try.next_try_at is None:
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
def record_not_reached(claim: Claim, *, detail: str, retry_after_seconds: float | None) -> None:
    """The PSP surely did nothing: the same request goes out again, under the same key."""
    _, operation_try = _lock(claim.try_id)
    if operation_try.next_try_at is None:
        return
    delay = retries.SEND_AGAIN.delay(operation_try.tries - 1)
    if retry_after_seconds:
        delay = max(delay, retries.at_most_an_hour(retry_after_seconds))
    if operation_try.status == TryStatus.SENT:
        operation_try.error_class = NOT_REACHED
    _wait(operation_try, delay=delay, detail=detail)


@transaction.atomic
def record_doubt(claim: Claim, *, error_class: str, detail: str) -> None:
    """Nobody knows whether the call happened, or a question about it went unanswered: ask (again) later."""
    locked, operation_try = _lock(claim.try_id)
    if operation_try.next_try_at is None:
        return
    if operation_try.status == TryStatus.SENT:
        _doubt(locked, operation_try, error_class=error_class, detail=detail)
    schedule = retries.QUERY_UNKNOWN if operation_try.status == TryStatus.UNKNOWN else retries.QUERY_PENDING
    _wait(operation_try, delay=schedule.delay(operation_try.queries), detail=detail)


@transaction.atomic
def record_nothing_found(claim: Claim) -> Call | None:
    """The PSP knows of no such payment. Inside the life of its idempotency key the same call may go out again.

    Past that, or where the PSP honours no keys, a second send might charge twice, so we only go on asking: absence
    is proven by a complete settlement file or by staff with evidence, never by time.
    """
    locked, operation_try = _lock(claim.try_id)
    if operation_try.claim_token != claim.token or operation_try.next_try_at is None:
        return None
    life = capabilities.of(locked.attempt.psp_account).idempotency_key_life
    sent_at = operation_try.first_sent_at
    if operation_try.status == TryStatus.UNKNOWN and life and sent_at and clock.now() < sent_at + life:
        return _send(locked, operation_try, claim)
    _wait(
        operation_try,
        delay=retries.QUERY_UNKNOWN.delay(operation_try.queries),
        detail="the PSP knows of no such payment",
    )
    return None


def _lock(try_id: UUID) -> tuple[LockedAttempt, OperationTry]:
    attempt_id = OperationTry.objects.values_list("attempt_id", flat=True).get(id=try_id)
    locked = lock_attempt(attempt_id)
    return locked, OperationTry.objects.select_for_update(no_key=True).get(id=try_id)


def _send(locked: LockedAttempt, operation_try: OperationTry, claim: Claim) -> Call:
    now = clock.now()
    attempt = locked.attempt
    if operation_try.status != TryStatus.SENT:
        operation_try.send()
    else:
        operation_try.sends += 1
    operation_try.error_class = ""
    operation_try.save(update_fields=["status", "first_sent_at", "sends", "error_class"])
    history: list[StateHistory] = []
    if attempt.status != AttemptStatus.SENT:
        history += move_attempt(attempt, AttemptStatus.SENT, actor=ACTOR, at=now)
    for order in locked.open_orders:
        if order.status == OrderStatus.NOT_STARTED:
            order.execute(pending_reason=PendingReason.SUBMITTED)
            order.save(update_fields=["status", "pending_reason"])
            history.append(records.step(order, from_state=OrderStatus.NOT_STARTED, actor=ACTOR, at=now))
        elif order.pending_reason != PendingReason.SUBMITTED:
            order.pending_reason = PendingReason.SUBMITTED
            order.save(update_fields=["pending_reason"])
    records.store_steps(history)
    return Call(
        claim=claim,
        psp_account=attempt.psp_account,
        attempt_id=attempt.id,
        request=ChargeRequest(
            key=operation_try.id,
            attempt_id=attempt.id,
            amount=attempt.amount,
            method=attempt.method,
            token=attempt.token,
            return_url=locked.event.return_url,
            description=f"Checkout {locked.event.checkout_id}",
        ),
    )


def _ask(locked: LockedAttempt, operation_try: OperationTry, claim: Claim) -> Call:
    operation_try.queries += 1
    operation_try.save(update_fields=["queries"])
    return Call(
        claim=claim,
        psp_account=locked.attempt.psp_account,
        attempt_id=locked.attempt.id,
        request=QueryRequest(
            key=operation_try.id,
            attempt_id=locked.attempt.id,
            amount=locked.attempt.amount,
            psp_reference=locked.attempt.psp_reference,
        ),
    )


def _doubt(locked: LockedAttempt, operation_try: OperationTry, *, error_class: str, detail: str) -> None:
    """The try, its attempt and its open orders are in doubt, each in its own words."""
    now = clock.now()
    operation_try.doubt()
    operation_try.queries = 0
    operation_try.error_class = error_class
    operation_try.last_error = detail
    operation_try.save(update_fields=["status", "queries", "error_class", "last_error"])
    if locked.attempt.status == AttemptStatus.SENT:
        records.store_steps(move_attempt(locked.attempt, AttemptStatus.UNKNOWN, actor=ACTOR, at=now))
    changed = [order for order in locked.open_orders if order.pending_reason != PendingReason.UNKNOWN]
    for order in changed:
        order.pending_reason = PendingReason.UNKNOWN
        order.save(update_fields=["pending_reason"])
    records.announce(changed, checkout_id=locked.event.checkout_id, event_id=locked.event.id, at=now)


def _wait(operation_try: OperationTry, *, delay: timedelta, detail: str) -> None:
    operation_try.next_try_at = clock.now() + delay
    operation_try.claim_token = None
    operation_try.last_error = detail
    operation_try.save(update_fields=["next_try_at", "claim_token", "error_class", "last_error"])


def new_charge(attempt: PaymentAttempt) -> OperationTry:
    """The charge of a new attempt, due at once; the caller stores it."""
    return OperationTry(operation=Operation.CHARGE, attempt=attempt, next_try_at=attempt.created_at)
