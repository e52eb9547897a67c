"""Where the world's word and ours differ."""

from django.db import models
from django_fsm import FSMField, FSMModelMixin

from ledger import clock
from ledger.ids import uuid7
from payments.models.fact import Fact
from payments.models.payment_attempt import PaymentAttempt
from payments.models.triggers import never_deleted, state_machine
from payments.states import DISCREPANCY_EDGES, DiscrepancyStatus


class DiscrepancyKind(models.TextChoices):
    """What differs."""

    AMOUNT = "amount"
    CURRENCY = "currency"
    REFERENCE = "reference"
    STATUS = "status"
    LATE_SUCCESS = "late_success"
    UNKNOWN_OBJECT = "unknown_object"


class Discrepancy(FSMModelMixin, models.Model):
    """A difference that a person must look at. It moves no money by itself."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=24, choices=DiscrepancyKind.choices)
    status = FSMField(
        max_length=16, choices=DiscrepancyStatus.choices, default=DiscrepancyStatus.OPEN, protected=True
    )
    psp_account = models.CharField(max_length=40)
    attempt = models.ForeignKey(
        PaymentAttempt, null=True, on_delete=models.PROTECT, related_name="discrepancies"
    )
    fact = models.OneToOneField(Fact, on_delete=models.PROTECT, related_name="discrepancy")
    detail = models.TextField()
    opened_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name_plural = "discrepancies"
        triggers = [*state_machine("status", DISCREPANCY_EDGES, DiscrepancyStatus.OPEN), *never_deleted()]

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"
