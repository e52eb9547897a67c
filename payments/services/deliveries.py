"""What shops and staff see of webhooks on their way, and how they have one sent again.

`payments.services.delivering` is the worker's side.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast

from ledger import clock
from payments.bell import DELIVERIES, ring_on_commit
from payments.errors import DeliveryInProgress, DeliveryNotFound, EndpointDisabled
from payments.models import DeliveryStatus, OutboxEvent, PaymentEvent, Shop, WebhookDelivery, WebhookEndpoint
from payments.representation import time_text


def body_text(*, event_type: str, at: datetime, payload: str) -> str:
    """The body of a message, the same at every try: of columns that never change, `payload` as PostgreSQL writes it."""
    return f'{{"type":"{event_type}","timestamp":"{time_text(at)}","data":{payload}}}'


def body_of(delivery: WebhookDelivery) -> str:
    """The body as it is sent. `delivery.outbox_event` must be loaded."""
    news = delivery.outbox_event
    payload = (
        OutboxEvent.objects.annotate(text=Cast("payload", TextField()))
        .values_list("text", flat=True)
        .get(id=news.id)
    )
    return body_text(event_type=news.event_type, at=news.created_at, payload=payload)


def list_deliveries(
    *, endpoint: WebhookEndpoint, status: str = "", before: UUID | None = None, limit: int
) -> Sequence[WebhookDelivery]:
    """Up to `limit` deliveries of an endpoint, newest first, from the one before the delivery `before`.

    Raises:
        DeliveryNotFound: `before` is no delivery of this endpoint (404).
    """
    found = WebhookDelivery.objects.filter(endpoint=endpoint)
    if before is not None:
        place = found.filter(id=before).values_list("outbox_event_id", flat=True).first()
        if place is None:
            raise DeliveryNotFound
        found = found.filter(outbox_event_id__lt=place)
    if status == DeliveryStatus.DELIVERED:
        found = found.filter(delivered_at__isnull=False)
    elif status == DeliveryStatus.DEAD:
        found = found.filter(dead_at__isnull=False)
    elif status:
        found = found.filter(next_try_at__isnull=False)
    return list(
        found.with_line()
        .select_related("outbox_event", "event")
        .defer("outbox_event__payload", "event__buyer_info")
        .order_by("-outbox_event_id")[:limit]
    )


def read_delivery(*, shop: Shop, delivery_id: UUID) -> WebhookDelivery:
    """A delivery to an endpoint of this shop, with its news, checkout and endpoint.

    Raises:
        DeliveryNotFound: not there, or another shop's (404).
    """
    delivery = (
        WebhookDelivery.objects.with_line()
        .select_related("outbox_event", "event", "endpoint")
        .filter(endpoint__shop=shop, id=delivery_id)
        .first()
    )
    if delivery is None:
        raise DeliveryNotFound
    return delivery


@transaction.atomic
def replay_delivery(*, shop: Shop, delivery_id: UUID) -> WebhookDelivery:
    """Send it again, whether it was delivered, died, or waits for its next try: due now, its tries counted anew.

    It keeps its id, so a shop that has it already can tell; and it may come out of order. The checkout is locked, so
    that news written at the same moment are put behind it.

    Raises:
        DeliveryNotFound: not there, or another shop's (404).
        EndpointDisabled: nobody would call it (409).
        DeliveryInProgress: it is being sent just now (409).
    """
    found = read_delivery(shop=shop, delivery_id=delivery_id)
    PaymentEvent.objects.select_for_update(no_key=True).get(id=found.event_id)
    delivery = WebhookDelivery.objects.select_for_update(no_key=True).get(id=delivery_id)
    now = clock.now()
    if not found.endpoint.enabled:
        raise EndpointDisabled
    if delivery.claim_token and delivery.next_try_at and delivery.next_try_at > now:
        raise DeliveryInProgress
    delivery.dead_closed_at = None
    delivery.save(update_fields=[*delivery.revive(at=now), "dead_closed_at"])
    ring_on_commit(DELIVERIES)
    return read_delivery(shop=shop, delivery_id=delivery_id)
