"""One piece of news on its way to one endpoint."""

from datetime import datetime

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Exists, OuterRef, Q

from ledger import clock
from ledger.ids import uuid7
from payments.models.due_work import DueWork
from payments.models.outbox_event import OutboxEvent
from payments.models.payment_event import PaymentEvent
from payments.models.triggers import fixed
from payments.models.webhook_endpoint import WebhookEndpoint


class DeliveryStatus(models.TextChoices):
    """Where a delivery stands, as its shop sees it."""

    PENDING = "pending"
    WAITING = "waiting"
    """For an earlier one of the same checkout."""
    DELIVERED = "delivered"
    DEAD = "dead"


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    """Questions about deliveries."""

    def with_line(self) -> "WebhookDeliveryQuerySet":
        """Each with `behind`: whether an earlier one of its checkout and endpoint is still open."""
        earlier = WebhookDelivery.objects.filter(
            endpoint=OuterRef("endpoint"),
            event=OuterRef("event"),
            outbox_event__lt=OuterRef("outbox_event"),
            next_try_at__isnull=False,
        )
        return self.annotate(behind=Exists(earlier))


class WebhookDelivery(DueWork):
    """One outbox event for one endpoint. Its id is the `webhook-id`, the same at every try.

    It is open (`next_try_at`), delivered or dead, and the database holds no fourth case. News of one checkout go to one
    endpoint in order: an open delivery is called only when every earlier one of its checkout and endpoint is delivered
    or dead.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    outbox_event = models.ForeignKey(OutboxEvent, on_delete=models.PROTECT, related_name="deliveries")
    event = models.ForeignKey(
        PaymentEvent, on_delete=models.PROTECT, related_name="webhook_deliveries", db_index=False
    )
    """The outbox event's checkout, repeated here because it makes the line in which the delivery stands."""
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    delivered_at = models.DateTimeField(null=True, blank=True)
    """When the endpoint answered 2xx."""
    last_response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    """The HTTP status of the last answer; empty when there has been none."""
    replays = models.PositiveIntegerField(default=0)
    """How often somebody asked for it again. A replayed delivery may be out of order."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            # By endpoint first: the shop reads its list in this order.
            models.UniqueConstraint(
                fields=["endpoint", "outbox_event"], name="one_delivery_per_news_and_endpoint"
            ),
            models.CheckConstraint(
                name="delivery_is_open_delivered_or_dead",
                condition=Q(next_try_at__isnull=False, delivered_at__isnull=True, dead_at__isnull=True)
                | Q(next_try_at__isnull=True, delivered_at__isnull=False, dead_at__isnull=True)
                | Q(next_try_at__isnull=True, delivered_at__isnull=True, dead_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="webhook_delivery_due"
            ),
            models.Index(
                fields=["endpoint", "next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="webhook_delivery_endpoint_due",
            ),
            models.Index(
                fields=["event", "endpoint", "outbox_event"],
                condition=Q(next_try_at__isnull=False),
                name="webhook_delivery_line",
            ),
            models.Index(
                fields=["endpoint"],
                condition=Q(claim_token__isnull=False),
                name="webhook_delivery_in_flight",
            ),
            BrinIndex(fields=["created_at"], name="webhook_delivery_age"),
        ]
        triggers = [fixed("outbox_event_id", "event_id", "endpoint_id", "created_at")]

    def __str__(self) -> str:
        return f"webhook {self.id}"

    def revive(self, *, at: datetime) -> list[str]:
        """Sent again, whether it was delivered or not."""
        self.delivered_at = None
        self.replays += 1
        return [*super().revive(at=at), "delivered_at", "replays"]

    @property
    def status(self) -> str:
        """Its status; `waiting` is told from `pending` only after `with_line()`."""
        if self.delivered_at is not None:
            return DeliveryStatus.DELIVERED
        if self.dead_at is not None:
            return DeliveryStatus.DEAD
        return DeliveryStatus.WAITING if getattr(self, "behind", False) else DeliveryStatus.PENDING


class DeliveryTry(models.Model):
    """One call to an endpoint and what came of it."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="tries_made")
    started_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    """From the look-up of the name to the end of the answer."""
    response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error_class = models.CharField(max_length=40, blank=True, default="")
    """Empty when it was delivered; `status_<code>`, or one word for why there is no answer."""
    detail = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name_plural = "delivery tries"
        triggers = [
            fixed("delivery_id", "started_at", "milliseconds", "response_code", "error_class", "detail")
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id}: {self.error_class or self.response_code}"
