"""Money that goes back to a buyer."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition

from ledger import clock
from ledger.ids import uuid7
from payments.models.payment_attempt import PaymentAttempt
from payments.models.payment_order import PaymentOrder
from payments.models.triggers import fixed, never_deleted, state_machine
from payments.states import REFUND_EDGES, RefundStatus, sources
from wallet.models.money_column import MoneyColumn


class RefundReason(models.TextChoices):
    """Why money goes back."""

    LATE_SUCCESS = "late_success", "taken for an order that could no longer take it"


class Refund(FSMModelMixin, models.Model):
    """One return of money that one attempt took for one order. Its id is our reference at the PSP."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    attempt = models.ForeignKey(PaymentAttempt, on_delete=models.PROTECT, related_name="refunds")
    order = models.ForeignKey(PaymentOrder, on_delete=models.PROTECT, related_name="refunds")
    currency = models.CharField(max_length=3)
    amount = MoneyColumn()
    reason = models.CharField(max_length=24, choices=RefundReason.choices)
    status = FSMField(
        max_length=16, choices=RefundStatus.choices, default=RefundStatus.REQUESTED, protected=True
    )
    psp_reference = models.CharField(max_length=255, blank=True, default="")
    """The PSP's id of it, once we know it."""
    failure_code = models.CharField(max_length=80, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True)

    PROGRESS = ("status", "psp_reference", "failure_code", "completed_at")
    """What facts change."""

    class Meta:
        constraints = [
            models.CheckConstraint(name="refund_amount_is_positive", condition=Q(amount__gt=0)),
            models.UniqueConstraint(
                fields=["attempt", "order"],
                condition=Q(reason=RefundReason.LATE_SUCCESS),
                name="one_refund_of_a_late_success",
            ),
        ]
        indexes = [models.Index(fields=["psp_reference"], name="refund_psp_reference")]
        triggers = [
            *state_machine("status", REFUND_EDGES, RefundStatus.REQUESTED),
            fixed("attempt_id", "order_id", "amount", "currency", "reason", "created_at"),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @transition(
        field=status, source=sources(REFUND_EDGES, RefundStatus.EXECUTING), target=RefundStatus.EXECUTING
    )
    def execute(self) -> None:
        """The PSP is about to hear of it."""

    @transition(
        field=status, source=sources(REFUND_EDGES, RefundStatus.SUCCEEDED), target=RefundStatus.SUCCEEDED
    )
    def succeed(self, *, at: datetime) -> None:
        """The PSP has sent the money back."""
        self.completed_at = at

    @transition(field=status, source=sources(REFUND_EDGES, RefundStatus.FAILED), target=RefundStatus.FAILED)
    def fail(self, *, failure_code: str, at: datetime) -> None:
        """The PSP has not sent it, or it came back: the buyer is still owed."""
        self.failure_code = failure_code
        self.completed_at = at
