"""Each call to a PSP is a row, committed before the call."""

from datetime import datetime
from uuid import UUID

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition

from ledger import clock
from ledger.ids import uuid7
from payments.models.due_work import DueWork
from payments.models.payment_attempt import PaymentAttempt
from payments.models.payment_order import PaymentOrder
from payments.models.refund import Refund
from payments.models.triggers import append_only, fixed, never_deleted, state_machine
from payments.states import TRY_EDGES, TryStatus, sources
from wallet.models.money_column import MoneyColumn


class Operation(models.TextChoices):
    """What a PSP is asked to do."""

    CHARGE = "charge"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"


class OperationTryQuerySet(models.QuerySet["OperationTry"]):
    """Questions about tries."""

    def open_or_due(self, attempt_id: UUID) -> "OperationTryQuerySet":
        """A payment's tries that have no answer, will be looked at again, or died; oldest first; not its refunds'."""
        return self.filter(
            Q(next_try_at__isnull=False) | Q(dead_at__isnull=False) | ~Q(status=TryStatus.ANSWERED),
            attempt_id=attempt_id,
            refund__isnull=True,
        ).order_by("id")


class OperationTry(FSMModelMixin, DueWork):
    """One call to a PSP and the queries after it. Its id is the PSP's idempotency key, also when it is sent again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    operation = models.CharField(max_length=16, choices=Operation.choices)
    attempt = models.ForeignKey(PaymentAttempt, on_delete=models.PROTECT, related_name="operation_tries")
    refund = models.ForeignKey(
        Refund, null=True, blank=True, on_delete=models.PROTECT, related_name="operation_tries"
    )
    """What it sends back, for a refund."""
    currency = models.CharField(max_length=3)
    amount = MoneyColumn()
    """What it is about: the attempt's amount, or what is to be captured."""
    final = models.BooleanField(default=True)
    """For a capture: whether what is not captured is released."""
    reason = models.CharField(max_length=80, blank=True, default="")
    """For a cancellation: the failure code that the orders get."""
    status = FSMField(max_length=16, choices=TryStatus.choices, default=TryStatus.CREATED, protected=True)
    first_sent_at = models.DateTimeField(null=True, blank=True)
    """When the PSP first heard of the key: the key's life counts from here."""
    sends = models.PositiveIntegerField(default=0)
    doubts = models.PositiveIntegerField(default=0)
    """How often its answer was lost."""
    queries = models.PositiveIntegerField(default=0)
    """Questions since the last answer, which set the pace of the next."""
    answered_at = models.DateTimeField(null=True, blank=True)
    error_class = models.CharField(max_length=40, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = OperationTryQuerySet.as_manager()

    PROGRESS = (
        "status",
        "first_sent_at",
        "sends",
        "doubts",
        "queries",
        "answered_at",
        "error_class",
        "last_error",
        "next_try_at",
        "claim_token",
        "dead_at",
        "dead_closed_at",
    )
    """What changes in the life of a call."""

    class Meta:
        verbose_name_plural = "operation tries"
        constraints = [
            models.UniqueConstraint(
                fields=["attempt"],
                condition=~Q(status=TryStatus.ANSWERED) & Q(refund__isnull=True),
                name="one_open_try_per_attempt",
            ),
            models.UniqueConstraint(
                fields=["refund"], condition=~Q(status=TryStatus.ANSWERED), name="one_open_try_per_refund"
            ),
            models.CheckConstraint(
                name="refund_tries_name_their_refund",
                condition=Q(operation=Operation.REFUND, refund__isnull=False)
                | (~Q(operation=Operation.REFUND) & Q(refund__isnull=True)),
            ),
            models.CheckConstraint(name="try_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="try_sent_has_its_time",
                condition=Q(status=TryStatus.CREATED)
                | Q(status=TryStatus.ANSWERED)
                | Q(first_sent_at__isnull=False),
            ),
            models.CheckConstraint(
                # A call that is not answered is due at some time, or dead: never out of everybody's sight.
                name="open_try_is_due_or_dead",
                condition=Q(status=TryStatus.ANSWERED)
                | Q(next_try_at__isnull=False)
                | Q(dead_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="operation_try_due"
            )
        ]
        triggers = [
            *state_machine("status", TRY_EDGES, TryStatus.CREATED),
            fixed(
                "operation", "attempt_id", "refund_id", "amount", "currency", "final", "reason", "created_at"
            ),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.id}"

    def revive(self, *, at: datetime) -> list[str]:
        """See `DueWork.revive`; the questions about it have their waits anew as well."""
        self.queries = 0
        return [*super().revive(at=at), "queries"]

    @property
    def moves_money(self) -> bool:
        """Whether losing its answer leaves money in doubt. A cancellation only ever frees money, and a refund in doubt
        stays in refunds payable.
        """
        return self.operation not in (Operation.CANCEL, Operation.REFUND)

    @property
    def in_money_doubt(self) -> bool:
        """Whether the memo accounts hold its amount now."""
        return self.status == TryStatus.UNKNOWN and self.moves_money

    @transition(field=status, source=sources(TRY_EDGES, TryStatus.SENT), target=TryStatus.SENT)
    def send(self) -> None:
        """The call is about to start; from here on it may have happened."""
        self.first_sent_at = self.first_sent_at or clock.now()
        self.sends += 1

    @transition(field=status, source=sources(TRY_EDGES, TryStatus.ANSWERED), target=TryStatus.ANSWERED)
    def answer(self) -> None:
        """The PSP's word on this call is known, from whatever source."""
        self.answered_at = clock.now()

    @transition(field=status, source=sources(TRY_EDGES, TryStatus.UNKNOWN), target=TryStatus.UNKNOWN)
    def doubt(self) -> None:
        """The call's answer was lost."""
        self.doubts += 1
        self.queries = 0


class TryLine(models.Model):
    """What one capture is to take for one order."""

    id = models.BigAutoField(primary_key=True)
    operation_try = models.ForeignKey(OperationTry, on_delete=models.PROTECT, related_name="lines")
    order = models.ForeignKey(PaymentOrder, on_delete=models.PROTECT, related_name="try_lines")
    currency = models.CharField(max_length=3)
    amount = MoneyColumn()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operation_try", "order"], name="one_line_per_try_and_order"),
            models.CheckConstraint(name="try_line_amount_is_positive", condition=Q(amount__gt=0)),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.operation_try_id}: {self.amount}"
