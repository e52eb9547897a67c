"""What we will tell others, written in the same commit as what happened."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from ledger import clock
from payments.models.payment_event import PaymentEvent
from payments.models.triggers import fixed


class EventType(models.TextChoices):
    """What there is to tell."""

    CHECKOUT_CREATED = "checkout.created"
    ORDER_PENDING = "payment_order.pending"
    ORDER_SUCCEEDED = "payment_order.succeeded"
    ORDER_FAILED = "payment_order.failed"


class OutboxEvent(models.Model):
    """One piece of news for the shop and for other services, kept for 30 days.

    Ids are given out before transactions commit, so a lower id may become visible after a higher one: a consumer never
    asks for "id > last id". Within one checkout they are in order, because whoever writes news of a checkout holds its
    lock.
    """

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(PaymentEvent, on_delete=models.PROTECT, related_name="outbox_events")
    """The checkout it is about; news of one checkout keep their order."""
    event_type = models.CharField(max_length=60, choices=EventType.choices)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes = [BrinIndex(fields=["created_at"], name="outbox_event_age")]
        triggers = [fixed("event_id", "event_type", "payload", "created_at")]

    def __str__(self) -> str:
        return f"{self.id} {self.event_type}"
