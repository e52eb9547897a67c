"""What we will tell others, written in the same commit as what happened."""

from django.db import models

from ledger import clock
from payments.models.payment_event import PaymentEvent
from payments.models.triggers import fixed


class OutboxEvent(models.Model):
    """One piece of news for the shop and for other services. Consumers read on from the last id they have seen."""

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(PaymentEvent, on_delete=models.PROTECT, related_name="outbox_events")
    """The checkout it is about; news of one checkout keep their order."""
    event_type = models.CharField(max_length=60)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        triggers = [fixed("event_id", "event_type", "payload", "created_at")]

    def __str__(self) -> str:
        return f"{self.id} {self.event_type}"
