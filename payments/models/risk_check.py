"""A way to pay that waits until somebody has judged its risk."""

import pgtrigger
from django.db import models
from django.db.models import Q

from ledger import clock
from ledger.ids import uuid7
from payments.models.due_work import DueWork
from payments.models.payment_event import PaymentEvent
from payments.models.triggers import fixed, never_deleted
from wallet.encryption import EncryptedTextField


class RiskWait(models.TextChoices):
    """Whom a payment waits for."""

    PROVIDER = "provider"
    STAFF = "staff"
    NOBODY = "nobody"


class RiskCheck(DueWork):
    """What is needed to charge a checkout later, when the answer is known; nothing of it reaches a PSP before that.

    While it waits for the outside provider it is due work; while it waits for staff it is an item of the review queue.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(PaymentEvent, on_delete=models.PROTECT, related_name="risk_checks")
    method = models.CharField(max_length=40)
    token = EncryptedTextField(null=True)
    """The PSP's token for the buyer's card or account. Wiped when the check ends."""
    waits_for = models.CharField(max_length=10, choices=RiskWait.choices)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event"], condition=Q(ended_at__isnull=True), name="one_open_risk_check_per_event"
            ),
            models.CheckConstraint(
                name="risk_check_is_due_open_or_ended",
                condition=Q(
                    waits_for=RiskWait.PROVIDER,
                    next_try_at__isnull=False,
                    ended_at__isnull=True,
                    token__isnull=False,
                )
                | Q(
                    waits_for=RiskWait.STAFF,
                    next_try_at__isnull=True,
                    ended_at__isnull=True,
                    token__isnull=False,
                )
                | Q(
                    waits_for=RiskWait.NOBODY,
                    next_try_at__isnull=True,
                    ended_at__isnull=False,
                    token__isnull=True,
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="risk_check_due"
            ),
            models.Index(fields=["created_at"], condition=Q(waits_for="staff"), name="risk_check_review"),
        ]
        triggers = [
            fixed("event_id", "method", "created_at"),
            pgtrigger.Trigger(
                name="ended_stays_ended",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Condition("OLD.ended_at IS NOT NULL"),
                func="""
                    RAISE EXCEPTION 'risk check % has ended', OLD.id
                    USING ERRCODE = 'integrity_constraint_violation';
                """,
            ),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return f"{self.event}: waits for {self.waits_for}"
