"""How orders and checkouts look to the shop, the same in answers, stored idempotent answers and webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from moneyed import Money

from ledger.money import decimals
from payments.models import PaymentEvent, PaymentOrder
from payments.states import OrderStatus


def amount_text(amount: Money) -> str:
    """A Money's amount as the API writes it: a string with exactly the currency's decimals."""
    return f"{amount.amount:.{decimals(amount.currency.code)}f}"


def time_text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, or null."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def order_representation(order: PaymentOrder, *, checkout_id: str) -> dict[str, Any]:
    """One payment order as its shop sees it. `order.seller` must be loaded."""
    return {
        "payment_order_id": order.payment_order_id,
        "checkout_id": checkout_id,
        "seller_account": order.seller.reference,
        "amount": amount_text(order.amount),
        "currency": order.amount.currency.code,
        "payment_order_status": order.status,
        "pending_reason": order.pending_reason or None,
        "failure_code": order.failure_code or None,
        "last_failure_code": order.last_failure_code or None,
        "captured_amount": amount_text(order.captured),
        "refunded_amount": amount_text(order.refunded),
        "ledger_updated": order.ledger_updated,
        "wallet_updated": order.wallet_updated,
        "created_at": time_text(order.created_at),
        "completed_at": time_text(order.completed_at),
    }


def order_detail(order: PaymentOrder) -> dict[str, Any]:
    """One payment order with its buyer and seller. `order.event` and `order.seller` must be loaded."""
    return {
        **order_representation(order, checkout_id=order.event.checkout_id),
        "is_payment_done": order.status == OrderStatus.SUCCESS,
        "buyer_info": order.event.buyer_info,
        "seller_info": {"seller_account": order.seller.reference, "name": order.seller.name},
    }


def checkout_representation(event: PaymentEvent, orders: Sequence[PaymentOrder]) -> dict[str, Any]:
    """A checkout with its orders in the shop's order. Each `order.seller` must be loaded."""
    return {
        "checkout_id": event.checkout_id,
        "checkout_status": checkout_status(orders),
        "is_payment_done": all(order.status == OrderStatus.SUCCESS for order in orders),
        "charge": event.charge,
        "buyer_info": event.buyer_info,
        "return_url": event.return_url or None,
        "sellers": [
            {"seller_account": seller.reference, "name": seller.name}
            for seller in {order.seller_id: order.seller for order in orders}.values()
        ],
        "payment_orders": [order_representation(order, checkout_id=event.checkout_id) for order in orders],
        "created_at": time_text(event.created_at),
    }


def checkout_status(orders: Sequence[PaymentOrder]) -> str:
    """One word for a whole checkout: `pending` while any order is open, then paid, partly_paid or failed."""
    statuses = {order.status for order in orders}
    if statuses & {OrderStatus.NOT_STARTED, OrderStatus.EXECUTING}:
        return "pending"
    if statuses == {OrderStatus.SUCCESS}:
        return "paid"
    return "partly_paid" if OrderStatus.SUCCESS in statuses else "failed"
