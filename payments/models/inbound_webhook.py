"""What PSPs send us, stored before anything is done with it."""

from django.db import models
from django.db.models import Q

from ledger import clock
from ledger.ids import uuid7
from payments.models.due_work import DueWork
from payments.models.triggers import fixed


class InboundWebhook(DueWork):
    """One verified event from a PSP. Handled at most once, and never forgotten until it is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    psp_account = models.CharField(max_length=40)
    dedup_key = models.CharField(max_length=255)
    """The PSP's event id, or what the adapter makes of events that have none."""
    event_type = models.CharField(max_length=80)
    body = models.BinaryField()
    """The verified bytes."""
    received_at = models.DateTimeField(default=clock.now, editable=False)
    handled_at = models.DateTimeField(null=True, blank=True)
    parked = models.BooleanField(default=False)
    """The adapter does not know this type: kept for the day when it does."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["psp_account", "dedup_key"], name="each_webhook_stored_once"),
            models.CheckConstraint(
                name="webhook_is_handled_due_parked_or_dead",
                condition=Q(handled_at__isnull=False, next_try_at__isnull=True)
                | Q(handled_at__isnull=True, next_try_at__isnull=False)
                | Q(handled_at__isnull=True, dead_at__isnull=False)
                | Q(handled_at__isnull=True, parked=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="inbound_webhook_due"
            )
        ]
        triggers = [fixed("psp_account", "dedup_key", "event_type", "body", "received_at")]

    def __str__(self) -> str:
        return f"{self.event_type} {self.dedup_key}"
