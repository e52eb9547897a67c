"""Every step that an object's state has taken."""

from django.db import models

from ledger import clock
from payments.models.fact import Fact
from payments.models.triggers import append_only


class StateHistory(models.Model):
    """One step of one object. Steps of an object, in order of id, are a path of its transition graph."""

    id = models.BigAutoField(primary_key=True)
    object_type = models.CharField(max_length=24)
    object_id = models.UUIDField()
    from_state = models.CharField(max_length=16, blank=True)
    """Empty for the first."""
    to_state = models.CharField(max_length=16)
    actor = models.CharField(max_length=80)
    """Who moved it: `shop:<slug>`, `psp:<account>`, `worker`, `staff:<name>`."""
    fact = models.ForeignKey(Fact, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name_plural = "state history"
        indexes = [models.Index(fields=["object_id", "id"])]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.object_type} {self.from_state}→{self.to_state}"
