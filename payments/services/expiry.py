"""Closing checkouts whose time is over. Time closes a checkout to new attempts; it never decides about money."""

from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction

from ledger import clock
from payments.errors import CallInProgress, CancelTogether
from payments.facts import lock_attempt
from payments.models import AttemptLine, PaymentEvent, PaymentOrder
from payments.services.cancellations import EXPIRED, call_off, fail_unattempted
from payments.states import AttemptStatus, OrderStatus

LOOK_AGAIN = timedelta(minutes=5)
"""When an expired checkout is looked at again while an attempt may still take its money."""

ACTOR = "expiry"


def close_finished(*, limit: int) -> int:
    """Take checkouts of which nothing is open off the list, many in one statement; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_paymentevent SET expiry_due_at = NULL, closed_at = coalesce(closed_at, %(now)s)
            WHERE id = ANY (ARRAY(
                SELECT id FROM payments_paymentevent e
                WHERE expiry_due_at <= %(now)s AND NOT EXISTS (
                    SELECT FROM payments_paymentorder o
                    WHERE o.event_id = e.id AND o.status IN ('NOT_STARTED', 'EXECUTING')
                )
                ORDER BY expiry_due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            ))
            """,
            {"now": clock.now(), "limit": limit},
        )
        return int(cursor.rowcount)


def due_checkouts(*, limit: int) -> list[UUID]:
    """Checkouts whose time is over, oldest first."""
    return list(
        PaymentEvent.objects.filter(expiry_due_at__lte=clock.now())
        .order_by("expiry_due_at")
        .values_list("id", flat=True)[:limit]
    )


@transaction.atomic
def expire_checkout(event_id: UUID) -> None:
    """Close one checkout: fail the orders that nobody may pay any more, and have pending attempts canceled.

    An order whose attempt may still succeed stays open until the PSP has said what became of it; reserved money stays
    reserved until it is captured, canceled or given up by the PSP.
    """
    now = clock.now()
    event = (
        PaymentEvent.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(id=event_id, expiry_due_at__lte=now)
        .first()
    )
    if event is None:
        return
    event.closed_at = event.closed_at or now
    event.expiry_due_at = now + LOOK_AGAIN
    event.save(update_fields=["closed_at", "expiry_due_at"])
    open_ids = set(
        PaymentOrder.objects.filter(
            event=event, status__in=[OrderStatus.NOT_STARTED, OrderStatus.EXECUTING]
        ).values_list("id", flat=True)
    )
    lines = AttemptLine.objects.filter(order_id__in=open_ids, live=True)
    attempts = sorted({line.attempt_id for line in lines})
    for attempt_id in attempts:
        _call_off_if_pending(attempt_id)
    fail_unattempted(
        event,
        only=open_ids - {line.order_id for line in lines},
        failure_code=EXPIRED,
        actor=ACTOR,
        at=now,
    )


def _call_off_if_pending(attempt_id: UUID) -> None:
    locked = lock_attempt(attempt_id)
    if locked.attempt.status not in (AttemptStatus.CREATED, AttemptStatus.PENDING):
        return
    try:
        call_off(
            locked,
            order_ids={order.id for order in locked.open_orders},
            reason=EXPIRED,
            actor=ACTOR,
            at=clock.now(),
        )
    except (CallInProgress, CancelTogether):
        return  # Looked at again when the PSP has answered.
