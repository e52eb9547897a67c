"""What is written beside every change of state: its step in the history, and the news for the shop."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from payments.bell import DELIVERIES, ring_on_commit
from payments.models import EventType, Fact, PaymentAttempt, PaymentEvent, PaymentOrder, Refund, StateHistory
from payments.representation import order_representation
from payments.states import OrderStatus


def step(
    subject: PaymentOrder | PaymentAttempt | Refund,
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
    _publish(
        [
            (_NEWS[OrderStatus(order.status)], order_representation(order, checkout_id=event.checkout_id))
            for order in orders
        ],
        event=event,
        at=at,
    )


def announce_checkout(event: PaymentEvent, *, body: Mapping[str, Any], at: datetime) -> None:
    """Write the news of a new checkout to the outbox: without the buyer, whom the shop knows and the outbox need not."""
    news = {name: value for name, value in body.items() if name != "buyer_info"}
    _publish([(EventType.CHECKOUT_CREATED, news)], event=event, at=at)


_NEWS = {
    OrderStatus.NOT_STARTED: EventType.ORDER_PENDING,
    OrderStatus.EXECUTING: EventType.ORDER_PENDING,
    OrderStatus.SUCCESS: EventType.ORDER_SUCCEEDED,
    OrderStatus.FAILED: EventType.ORDER_FAILED,
}


def _publish(
    news: Sequence[tuple[EventType, Mapping[str, Any]]], *, event: PaymentEvent, at: datetime
) -> None:
    """Store news of one checkout, whose lock the caller holds, and a delivery of each for every endpoint that wants it.

    The deliveries are made here, in the transaction of the change itself and in the same statement as the news. So
    there is nothing to fan out later: no reader that could step over the row of a transaction that commits late, and
    none that could see the second news of a checkout before the first. It costs no further round trip.

    What stands behind a delivery that waits for its next try is due when that one is; the rest is due at once.
    """
    if not news:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH news AS (
                INSERT INTO payments_outboxevent (event_id, event_type, payload, created_at)
                SELECT %(event)s, listed.item ->> 0, listed.item -> 1, %(at)s
                FROM jsonb_array_elements(%(news)s::jsonb) WITH ORDINALITY AS listed (item, position)
                ORDER BY listed.position
                RETURNING id, event_type
            )
            INSERT INTO payments_webhookdelivery (
                id, outbox_event_id, event_id, endpoint_id, created_at, next_try_at, tries, replays, last_error
            )
            SELECT gen_random_uuid(), news.id, %(event)s, endpoint.id, %(at)s, coalesce(
                (
                    SELECT max(earlier.next_try_at) FROM payments_webhookdelivery earlier
                    WHERE earlier.event_id = %(event)s AND earlier.endpoint_id = endpoint.id
                      AND earlier.next_try_at IS NOT NULL AND earlier.claim_token IS NULL
                ),
                %(at)s
            ), 0, 0, ''
            FROM news JOIN payments_webhookendpoint endpoint
              ON endpoint.shop_id = %(shop)s AND endpoint.enabled
             AND (endpoint.event_types = '{}' OR news.event_type = ANY (endpoint.event_types))
            """,
            {
                "event": event.id,
                "shop": event.shop_id,
                "at": at,
                "news": json.dumps(news, cls=DjangoJSONEncoder),
            },
        )
        if cursor.rowcount:
            ring_on_commit(DELIVERIES)
