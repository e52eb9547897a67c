"""What is written beside every change of state: its step in the history, and the news for the shop."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from payments.models import Fact, OutboxEvent, PaymentAttempt, PaymentEvent, PaymentOrder, StateHistory
from payments.representation import order_representation


def step(
    subject: PaymentOrder | PaymentAttempt,
    *,
    from_state: str,
    actor: str,
    at: datetime,
    fact: Fact | None = None,
) -> StateHistory:
    """The history row of the step that `subject` has just taken; the caller stores it."""
    return StateHistory(
        object_type=subject._meta.model_name or "",
        object_id=subject.pk,
        from_state=from_state,
        to_state=subject.status,
        actor=actor,
        fact=fact,
        at=at,
    )


def store_steps(steps: Sequence[StateHistory]) -> None:
    """Store history rows in the order in which the steps were taken."""
    StateHistory.objects.bulk_create(steps)


def announce(orders: Sequence[PaymentOrder], *, event: PaymentEvent, at: datetime) -> None:
    """Write the news of orders that changed to the outbox, in the same commit as the change."""
    OutboxEvent.objects.bulk_create(
        OutboxEvent(
            event=event,
            event_type=f"payment_order.{_word(order)}",
            payload=order_representation(order, checkout_id=event.checkout_id),
            created_at=at,
        )
        for order in orders
    )


def _word(order: PaymentOrder) -> str:
    return {"NOT_STARTED": "pending", "EXECUTING": "pending", "SUCCESS": "succeeded", "FAILED": "failed"}[
        order.status
    ]


def announce_checkout(event: PaymentEvent, *, body: Mapping[str, Any], at: datetime) -> None:
    """Write the news of a new checkout to the outbox."""
    OutboxEvent.objects.create(event=event, event_type="checkout.created", payload=body, created_at=at)
