"""Attempts: which PSP is to take how much for which orders."""

from collections.abc import Sequence
from datetime import datetime

from ledger import money
from ledger.ids import uuid7
from payments.bell import PSP_CALLS, ring_on_commit
from payments.errors import (
    AmountNotSupported,
    CaptureNotSupported,
    ChargeModeNotSupported,
    MethodNotSupported,
)
from payments.models import (
    AttemptLine,
    ChargeMode,
    Operation,
    OperationTry,
    PaymentAttempt,
    PaymentEvent,
    PaymentOrder,
)
from payments.psp import capabilities

Plan = Sequence[tuple[PaymentAttempt, Sequence[PaymentOrder]]]
"""Attempts that are not stored yet, each with the orders that it covers."""


def plan_attempts(
    event: PaymentEvent, orders: Sequence[PaymentOrder], *, method: str, token: str, now: datetime
) -> Plan:
    """One attempt per currency covering all its orders, or one per order, as the checkout says.

    Raises:
        MethodNotSupported, AmountNotSupported, ChargeModeNotSupported, CaptureNotSupported (422).
    """
    groups: dict[object, list[PaymentOrder]] = {}
    for order in orders:
        one_by_one = event.charge == ChargeMode.PER_ORDER
        groups.setdefault(order.id if one_by_one else order.amount.currency.code, []).append(order)
    return [
        (_attempt(event, covered, method=method, token=token, alone=len(groups) == 1, now=now), covered)
        for covered in groups.values()
    ]


def store_attempts(plan: Plan) -> None:
    """Store attempts with their lines and their charges, due at once; the PSP is called after commit."""
    PaymentAttempt.objects.bulk_create([attempt for attempt, _ in plan])
    AttemptLine.objects.bulk_create(
        AttemptLine(attempt=attempt, order=order, amount=order.amount)
        for attempt, covered in plan
        for order in covered
    )
    OperationTry.objects.bulk_create(
        OperationTry(
            operation=Operation.CHARGE,
            attempt=attempt,
            amount=attempt.amount,
            next_try_at=attempt.created_at,
            created_at=attempt.created_at,
        )
        for attempt, _ in plan
    )
    ring_on_commit(PSP_CALLS)


def _attempt(
    event: PaymentEvent,
    covered: Sequence[PaymentOrder],
    *,
    method: str,
    token: str,
    alone: bool,
    now: datetime,
) -> PaymentAttempt:
    currency = covered[0].amount.currency.code
    total = money.total([order.amount for order in covered], currency)
    psp_account = capabilities.choose(method=method, total=total)
    if psp_account is None:
        raise MethodNotSupported(field="payment_method")
    can = capabilities.of(psp_account)
    if can.largest_amount is not None and total.amount > can.largest_amount:
        raise AmountNotSupported(field="payment_orders")
    if not alone and not capabilities.is_reusable(psp_account, token):
        raise ChargeModeNotSupported(field="charge")
    if event.manual_capture and not can.manual_capture:
        raise CaptureNotSupported(field="capture")
    return PaymentAttempt(
        id=uuid7(),
        event=event,
        psp_account=psp_account,
        method=method,
        token=token,
        amount=total,
        captured=money.zero(currency),
        manual_capture=event.manual_capture,
        created_at=now,
    )
