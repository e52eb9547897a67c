"""Who is blocked, trusted or under sanctions."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from ledger import clock
from ledger.ids import uuid7
from payments.models.risk_rule import RiskSubject


class RiskList(models.TextChoices):
    """Which list."""

    BLOCK = "block"
    ALLOW = "allow"
    SANCTIONS = "sanctions"


class RiskListEntry(models.Model):
    """One entry. What belongs to a person is kept as a keyed digest: it can be matched, not read.

    Names on a sanctions list are public and stay readable, because whoever reviews a match must see what matched.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=RiskList.choices)
    subject = models.CharField(max_length=24, choices=RiskSubject.choices)
    digest = models.CharField(max_length=64, editable=False)
    """Keyed digest of the subject and its value."""
    label = models.CharField(max_length=300, blank=True, default="", editable=False)
    """The value where it is nobody's secret: a sanctioned name, an email domain."""
    tokens = ArrayField(models.CharField(max_length=300), default=list, editable=False)
    """A sanctioned name's words, normalised and sorted; empty on other lists."""
    note = models.CharField(max_length=300)
    """Why it is here: the case, or the official list and its date."""
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.CharField(max_length=80, editable=False)

    class Meta:
        verbose_name_plural = "risk list entries"
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "kind", "subject"], name="each_risk_entry_once_per_list"
            ),
            models.CheckConstraint(
                name="sanctions_are_names",
                condition=Q(kind=RiskList.SANCTIONS, subject=RiskSubject.NAME, tokens__len__gt=0)
                | (~Q(kind=RiskList.SANCTIONS) & ~Q(subject=RiskSubject.NAME) & Q(tokens=[])),
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "subject"], name="risk_entry_kind"),
            # A list is loaded now and then and read by every payment: no list of pending entries to be searched as well.
            GinIndex(
                fields=["tokens"],
                condition=Q(kind="sanctions"),
                fastupdate=False,
                name="risk_sanctioned_tokens",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.label or self.subject}"
