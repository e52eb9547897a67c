"""Asking a PSP to take money that it has reserved: all of it or part, for one order or for several together."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from moneyed import Money

from ledger import clock, money
from payments.bell import PSP_CALLS, ring_on_commit
from payments.errors import (
    CallInProgress,
    CaptureExceedsOrder,
    CaptureTogether,
    NotAuthorized,
    OrderNotFound,
)
from payments.facts import LockedAttempt, Moves, lock_attempt
from payments.models import AttemptLine, Operation, OperationTry, PaymentAttempt, PaymentOrder, Shop, TryLine
from payments.psp import capabilities
from payments.states import AttemptStatus, OrderStatus, PendingReason


@dataclass(frozen=True, slots=True)
class CaptureWish:
    """How much of an order to capture; no amount means all of it."""

    payment_order_id: str
    amount: str | None = None


@transaction.atomic
def request_capture(*, shop: Shop, wishes: Sequence[CaptureWish]) -> Sequence[PaymentOrder]:
    """Capture these orders of one authorisation, together; the PSP is called after commit.

    An order that is captured already is left as it is, so that a repeated request does no harm.

    Raises:
        OrderNotFound (404), NotAuthorized, CallInProgress, CaptureTogether (409), CaptureExceedsOrder (422), MoneyError.
    """
    orders = find_orders(shop, [wish.payment_order_id for wish in wishes])
    if all(order.status == OrderStatus.SUCCESS for order in orders):
        return orders
    locked = lock_attempt(the_attempt_of(orders))
    by_name = {order.payment_order_id: order for order in locked.open_orders}
    amounts: dict[PaymentOrder, Money] = {}
    for wish in wishes:
        order = by_name.get(wish.payment_order_id)
        if order is None:
            raise NotAuthorized
        amounts[order] = _amount(order, wish)
    _refuse_unless_capturable(locked, amounts)
    final = len(amounts) == len(locked.open_orders)
    if not final and not capabilities.of(locked.attempt.psp_account).multicapture:
        raise CaptureTogether
    _store(locked, amounts, final=final)
    return find_orders(shop, [wish.payment_order_id for wish in wishes])


def find_orders(shop: Shop, names: Sequence[str]) -> list[PaymentOrder]:
    """This shop's orders with these ids, in the same order.

    Raises:
        OrderNotFound: one of them is not there, or another shop's (404).
    """
    found = {
        order.payment_order_id: order
        for order in PaymentOrder.objects.select_related("event", "seller").filter(
            shop=shop, payment_order_id__in=names
        )
    }
    if any(name not in found for name in names):
        raise OrderNotFound
    return [found[name] for name in names]


def the_attempt_of(orders: Sequence[PaymentOrder]) -> UUID:
    """The one attempt that may yet take the money of all these orders.

    Raises:
        NotAuthorized: there is none, or more than one (409).
    """
    attempts = list(
        AttemptLine.objects.filter(order__in=orders, live=True)
        .values_list("attempt_id", flat=True)
        .distinct()
        .order_by("attempt_id")
    )
    if len(attempts) != 1:
        raise NotAuthorized
    return attempts[0]


def _amount(order: PaymentOrder, wish: CaptureWish) -> Money:
    if wish.amount is None:
        return order.amount
    amount = money.parse_amount(wish.amount, order.amount.currency.code)
    if not money.zero(order.amount.currency.code) < amount <= order.amount:
        raise CaptureExceedsOrder
    return amount


def _refuse_unless_capturable(locked: LockedAttempt, amounts: dict[PaymentOrder, Money]) -> None:
    attempt: PaymentAttempt = locked.attempt
    if locked.open_try is not None:
        raise CallInProgress
    if attempt.status != AttemptStatus.AUTHORIZED or not amounts:
        raise NotAuthorized


def _store(locked: LockedAttempt, amounts: dict[PaymentOrder, Money], *, final: bool) -> None:
    now = clock.now()
    for older in locked.tries:
        older.next_try_at = None
        older.save(update_fields=["next_try_at"])
    operation_try = OperationTry.objects.create(
        operation=Operation.CAPTURE,
        attempt=locked.attempt,
        amount=money.total(list(amounts.values()), locked.attempt.amount.currency.code),
        final=final,
        next_try_at=now,
        created_at=now,
    )
    TryLine.objects.bulk_create(
        TryLine(operation_try=operation_try, order=order, amount=amount) for order, amount in amounts.items()
    )
    moves = Moves(locked.event, actor=f"shop:{locked.event.shop.slug}", at=now)
    for order in amounts:
        moves.pending(order, PendingReason.SUBMITTED)
    moves.store()
    ring_on_commit(PSP_CALLS)
