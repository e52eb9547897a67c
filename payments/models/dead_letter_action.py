"""What people did with dead letters."""

from django.db import models

from ledger import clock
from payments.models.triggers import append_only


class DeadLetterAction(models.Model):
    """One dead letter looked at by one person: tried again, or closed with a reason."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    """Which table of work."""
    object_id = models.UUIDField()
    action = models.CharField(max_length=8, choices=[("replay", "tried again"), ("close", "closed")])
    actor = models.CharField(max_length=80)
    reason = models.CharField(max_length=500, blank=True, default="")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["object_id"])]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.object_id}"
