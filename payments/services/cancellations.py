"""Calling off what has not been paid: known canceled before anybody relies on it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import clock
from payments.bell import PSP_CALLS, ring_on_commit
from payments.errors import CallInProgress, CancelTogether, CheckoutNotFound, NotCancelable
from payments.facts import LockedAttempt, Moves, lock_attempt
from payments.models import AttemptLine, Operation, OperationTry, PaymentEvent, PaymentOrder, Shop
from payments.services.admission import end_check_of_final
from payments.services.captures import find_orders
from payments.states import REPLACED, AttemptStatus, TryStatus

CANCELED = "canceled"
EXPIRED = "expired"


@transaction.atomic
def cancel_order(*, shop: Shop, payment_order_id: str) -> PaymentOrder:
    """Call off one order. An order that was canceled before is left as it is.

    Of orders that were authorised together, the others stand: less will be captured. The PSP is called only when
    nothing of its payment is left to take.

    Raises:
        OrderNotFound (404), NotCancelable, CancelTogether, CallInProgress (409).
    """
    order = find_orders(shop, [payment_order_id])[0]
    event = PaymentEvent.objects.select_for_update(no_key=True).get(id=order.event_id)
    _cancel(event, [order], actor=f"shop:{shop.slug}")
    return find_orders(shop, [payment_order_id])[0]


@transaction.atomic
def cancel_checkout(*, shop: Shop, checkout_id: str) -> PaymentEvent:
    """Call off every order of a checkout that is not final, and close it to new attempts.

    Raises:
        CheckoutNotFound (404), NotCancelable (when every order is final), CallInProgress (409).
    """
    event = (
        PaymentEvent.objects.select_for_update(no_key=True).filter(shop=shop, checkout_id=checkout_id).first()
    )
    if event is None:
        raise CheckoutNotFound
    orders = list(PaymentOrder.objects.filter(event=event).order_by("id"))
    if all(order.failure_code == CANCELED for order in orders):
        return event
    open_orders = [order for order in orders if not order.is_final]
    if not open_orders:
        raise NotCancelable
    if event.closed_at is None:
        event.closed_at = clock.now()
        event.save(update_fields=["closed_at"])
    _cancel(event, open_orders, actor=f"shop:{shop.slug}")
    return event


def _cancel(event: PaymentEvent, orders: Sequence[PaymentOrder], *, actor: str) -> None:
    """Call off these orders of a locked event, attempt by attempt."""
    wanted = {order.id for order in orders if order.failure_code != CANCELED}
    if not wanted:
        return
    if any(order.is_final for order in orders if order.id in wanted):
        raise NotCancelable
    lines = AttemptLine.objects.filter(order_id__in=wanted, live=True).order_by("attempt_id", "order_id")
    by_attempt: dict[UUID, set[UUID]] = {}
    for line in lines:
        by_attempt.setdefault(line.attempt_id, set()).add(line.order_id)
    covered = {order_id for order_ids in by_attempt.values() for order_id in order_ids}
    now = clock.now()
    for attempt_id, order_ids in by_attempt.items():
        locked = lock_attempt(attempt_id)
        call_off(locked, order_ids=order_ids, reason=CANCELED, actor=actor, at=now)
    fail_unattempted(event, only=wanted - covered, failure_code=CANCELED, actor=actor, at=now)


def fail_unattempted(
    event: PaymentEvent, *, only: set[UUID], failure_code: str, actor: str, at: datetime
) -> None:
    """Fail orders that no attempt may pay any more; nobody outside has to be asked."""
    if not only:
        return
    orders = list(
        PaymentOrder.objects.select_for_update(no_key=True, of=("self",))
        .select_related("seller")
        .filter(id__in=only)
        .order_by("id")
    )
    moves = Moves(event, actor=actor, at=at)
    for order in orders:
        if not order.is_final:
            moves.fail(order, failure_code)
    moves.store()
    end_check_of_final(event, now=at)


def call_off(locked: LockedAttempt, *, order_ids: set[UUID], reason: str, actor: str, at: datetime) -> None:
    """Call off these orders of one attempt: at once where the PSP has heard of nothing, else by asking it.

    Raises:
        CancelTogether: other orders of the attempt stand, and the PSP cannot cancel a part (409).
        CallInProgress: the PSP is being asked something, and until it answers nobody can say what may be canceled (409).
    """
    open_orders = locked.open_orders
    others_stand = any(order.id not in order_ids for order in open_orders)
    pending = locked.open_try
    if pending is not None and pending.operation == Operation.CANCEL:
        if pending.reason == REPLACED != reason:
            raise CallInProgress  # It would give the orders back to their buyer, not end them.
        return
    if locked.attempt.status == AttemptStatus.AUTHORIZED and pending is None and others_stand:
        moves = Moves(locked.event, actor=actor, at=at)
        for order in open_orders:
            if order.id in order_ids:
                moves.fail(order, reason)
        moves.store()
    elif others_stand:
        raise CancelTogether
    elif locked.attempt.status == AttemptStatus.CREATED:
        _forget(locked, reason=reason, actor=actor, at=at)
    elif locked.attempt.status in (AttemptStatus.PENDING, AttemptStatus.AUTHORIZED) and pending is None:
        ask_to_cancel(locked, reason=reason, at=at)
    else:
        raise CallInProgress


def _forget(locked: LockedAttempt, *, reason: str, actor: str, at: datetime) -> None:
    """The PSP was never called: nothing has to be canceled there."""
    for operation_try in locked.tries:
        if operation_try.status == TryStatus.CREATED:
            operation_try.answer()
        operation_try.next_try_at = operation_try.dead_at = None
        operation_try.claim_token = None
        operation_try.save(update_fields=OperationTry.PROGRESS)
    moves = Moves(locked.event, actor=actor, at=at)
    moves.attempt(locked.attempt, AttemptStatus.CANCELED)
    for order in locked.open_orders:
        if reason == REPLACED:
            moves.give_back_to_buyer(order, order.last_failure_code)
        else:
            moves.fail(order, reason)
    moves.store()


def ask_to_cancel(locked: LockedAttempt, *, reason: str, at: datetime) -> None:
    """Have the PSP asked to cancel an attempt of which no call is open; `reason` becomes its orders' failure code."""
    for older in locked.tries:
        older.next_try_at = None
        older.save(update_fields=["next_try_at"])
    OperationTry.objects.create(
        operation=Operation.CANCEL,
        attempt=locked.attempt,
        amount=locked.attempt.amount,
        reason=reason,
        next_try_at=at,
        created_at=at,
    )
    ring_on_commit(PSP_CALLS)
