"""Everything the outside world told us, kept as it came."""

from django.db import models

from ledger import clock
from ledger.ids import uuid7
from payments.models.payment_attempt import PaymentAttempt
from payments.models.refund import Refund
from payments.models.triggers import append_only
from wallet.models.money_column import OptionalMoneyColumn


class FactSource(models.TextChoices):
    """Who brought the news."""

    ANSWER = "answer"
    WEBHOOK = "webhook"
    QUERY = "query"


class Verdict(models.TextChoices):
    """What the news did."""

    APPLIED = "applied"
    ALREADY_SO = "already_so"
    LATE = "late"
    CONTRADICTS = "contradicts"
    UNKNOWN_OBJECT = "unknown_object"


class Fact(models.Model):
    """One thing a PSP told us. The evidence of every state that money has."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    psp_account = models.CharField(max_length=40)
    source = models.CharField(max_length=16, choices=FactSource.choices)
    dedup_key = models.CharField(max_length=255)
    """Equal for the same news from the same source: it counts once."""
    attempt = models.ForeignKey(PaymentAttempt, null=True, on_delete=models.PROTECT, related_name="facts")
    refund = models.ForeignKey(Refund, null=True, on_delete=models.PROTECT, related_name="facts")
    """The refund it is about, when it is about one; then `attempt` is what took the money."""
    outcome = models.CharField(max_length=32)
    psp_reference = models.CharField(max_length=255, blank=True, default="")
    currency = models.CharField(max_length=3, null=True)
    amount = OptionalMoneyColumn()
    """What the payment object is for."""
    captured = OptionalMoneyColumn()
    """What had been taken from the buyer when this was said."""
    occurred_at = models.DateTimeField()
    """When it happened in the world, as the PSP says; else when we heard."""
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    reason = models.TextField(blank=True, default="")
    raw = models.JSONField(default=dict)
    """The PSP's own words, without secrets."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["psp_account", "source", "dedup_key"], name="each_fact_counts_once"
            )
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.source}: {self.outcome}"
