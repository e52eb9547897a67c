"""What was decided about the risk of a payment, by whom, and why. Kept for ever."""

from django.db import models
from django.db.models import Q

from ledger import clock
from ledger.ids import uuid7
from payments.models.payment_event import PaymentEvent
from payments.models.risk_check import RiskCheck
from payments.models.risk_rule import RiskAction
from payments.models.triggers import append_only


class RiskStage(models.TextChoices):
    """Who decided."""

    RULES = "rules"
    PROVIDER = "provider"
    STAFF = "staff"


class RiskDecision(models.Model):
    """One decision. Without one that accepts, or after one that refuses, the database lets no attempt be made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(
        PaymentEvent, on_delete=models.PROTECT, related_name="risk_decisions", db_index=False
    )
    risk_check = models.ForeignKey(
        RiskCheck, null=True, on_delete=models.PROTECT, related_name="decisions", db_index=False
    )
    """The waiting that it began or ended; none when the rules decided at once."""
    stage = models.CharField(max_length=10, choices=RiskStage.choices)
    outcome = models.CharField(max_length=8, choices=RiskAction.choices)
    reasons = models.JSONField(default=list)
    """`[{"rule": name, "text": why}]`, as the rules were then; no personal data."""
    provider = models.CharField(max_length=40, blank=True, default="")
    score = models.PositiveSmallIntegerField(null=True, blank=True)
    """What the outside provider said, 0 (harmless) to 100."""
    decided_by = models.CharField(max_length=80)
    """`rules`, `provider:<name>` or `staff:<name>`."""
    buyer_digest = models.CharField(max_length=64, blank=True, default="")
    """This and the next two count for velocity rules; only decisions of the rules carry them."""
    email_domain_digest = models.CharField(max_length=64, blank=True, default="")
    ip_digest = models.CharField(max_length=64, blank=True, default="")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["risk_check", "stage"],
                condition=Q(risk_check__isnull=False),
                name="each_stage_decides_once",
            ),
            models.CheckConstraint(
                name="only_rules_ask", condition=Q(stage=RiskStage.RULES) | ~Q(outcome=RiskAction.ASK)
            ),
            models.CheckConstraint(
                name="staff_decides_for_good",
                condition=~Q(stage=RiskStage.STAFF)
                | Q(outcome__in=[RiskAction.ACCEPT, RiskAction.REFUSE], risk_check__isnull=False),
            ),
            models.CheckConstraint(
                name="risk_score_is_a_percentage", condition=Q(score__isnull=True) | Q(score__lte=100)
            ),
        ]
        indexes = [
            models.Index(fields=["event", "at"], name="risk_decision_event"),
            models.Index(
                fields=["buyer_digest", "at"], condition=~Q(buyer_digest=""), name="risk_velocity_buyer"
            ),
            models.Index(fields=["ip_digest", "at"], condition=~Q(ip_digest=""), name="risk_velocity_ip"),
            models.Index(
                fields=["email_domain_digest", "at"],
                condition=~Q(email_domain_digest=""),
                name="risk_velocity_email_domain",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.stage}: {self.outcome}"
