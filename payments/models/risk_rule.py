"""What makes a payment too risky, as data that staff can change."""

from django.db import models
from django.db.models import Q

from ledger import clock
from ledger.ids import uuid7
from payments.models.triggers import never_deleted


class RiskKind(models.TextChoices):
    """What a rule looks at. `limit` in its parameters is always the most that still passes."""

    AMOUNT_ABOVE = "amount_above"
    VELOCITY_COUNT = "velocity_count"
    VELOCITY_AMOUNT = "velocity_amount"
    COUNTRY_BLOCKED = "country_blocked"
    COUNTRY_ALLOWED_ONLY = "country_allowed_only"
    BLOCK_LIST = "block_list"
    ALLOW_LIST = "allow_list"
    SANCTIONS_NAME = "sanctions_name"
    OUTSIDE_SCORE = "outside_score"


class RiskSubject(models.TextChoices):
    """Who or what of a payment is counted or looked up."""

    BUYER = "buyer"
    """The shop's own id of the buyer; where it gives none, their address, else their number."""
    EMAIL = "email"
    PHONE = "phone"
    EMAIL_DOMAIN = "email_domain"
    IP = "ip"
    CARD_FINGERPRINT = "card_fingerprint"
    """The cards that PSPs have told us this buyer used."""
    COUNTRY = "country"
    NAME = "name"


class RiskAction(models.TextChoices):
    """What a rule does with a payment that it hits."""

    ACCEPT = "accept"
    ASK = "ask"
    REVIEW = "review"
    REFUSE = "refuse"


class RiskRule(models.Model):
    """One rule. Its name stands in the reasons of decisions, so a rule is switched off, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=64, unique=True)
    kind = models.CharField(max_length=24, choices=RiskKind.choices)
    subject = models.CharField(max_length=24, choices=RiskSubject.choices, blank=True, default="")
    """Empty where the kind says it all; for a list, empty means whoever stands on it."""
    parameters = models.JSONField(default=dict, blank=True)
    """Checked by `payments.risk.parameters` for each kind."""
    window = models.DurationField(null=True, blank=True)
    """How far back a velocity rule counts."""
    currency = models.CharField(max_length=3, blank=True, default="")
    """Amounts in other currencies are none of the rule's business."""
    action = models.CharField(max_length=8, choices=RiskAction.choices)
    priority = models.PositiveSmallIntegerField(default=100)
    """Lower comes first. The strictest rule that hits decides; an allow list spares a payment the rules after it."""
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(default=clock.now, editable=False)
    changed_by = models.CharField(max_length=80, editable=False)

    class Meta:
        ordering = ("priority", "name")
        constraints = [
            models.CheckConstraint(
                name="only_allow_lists_accept",
                condition=Q(kind=RiskKind.ALLOW_LIST, action=RiskAction.ACCEPT)
                | (~Q(kind=RiskKind.ALLOW_LIST) & ~Q(action=RiskAction.ACCEPT)),
            ),
            models.CheckConstraint(
                name="velocity_has_a_window_and_subject",
                condition=~Q(kind__in=[RiskKind.VELOCITY_COUNT, RiskKind.VELOCITY_AMOUNT])
                | (Q(window__isnull=False) & ~Q(subject="")),
            ),
        ]
        triggers = never_deleted()

    def __str__(self) -> str:
        return self.name
