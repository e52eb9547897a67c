"""What the invariant checker found, each time it looked."""

from django.db import models

from ledger import clock


class InvariantRun(models.Model):
    """One look at everything that must hold."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=clock.now)
    seconds = models.FloatField()
    """How long it took. Not money, so a float may hold it."""
    violations = models.JSONField()
    """[{invariant, message, rows}]; empty when all is well."""

    class Meta:
        indexes = [models.Index(fields=["-at"], name="invariant_run_newest")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {len(self.violations) or 'none'} broken"
