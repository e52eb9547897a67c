"""Each call to a PSP is a row, committed before the call."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition

from ledger import clock
from ledger.ids import uuid7
from payments.models.due_work import DueWork
from payments.models.payment_attempt import PaymentAttempt
from payments.models.triggers import fixed, never_deleted, state_machine
from payments.states import TRY_EDGES, TryStatus, sources


class Operation(models.TextChoices):
    """What a PSP is asked to do."""

    CHARGE = "charge"


class OperationTry(FSMModelMixin, DueWork):
    """One call to a PSP and the queries after it. Its id is the PSP's idempotency key, also when it is sent again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    operation = models.CharField(max_length=16, choices=Operation.choices)
    attempt = models.ForeignKey(PaymentAttempt, on_delete=models.PROTECT, related_name="operation_tries")
    status = FSMField(max_length=16, choices=TryStatus.choices, default=TryStatus.CREATED, protected=True)
    first_sent_at = models.DateTimeField(null=True, blank=True)
    """When the PSP first heard of the key: the key's life counts from here."""
    sends = models.PositiveIntegerField(default=0)
    queries = models.PositiveIntegerField(default=0)
    """Questions since the last answer, which set the pace of the next."""
    answered_at = models.DateTimeField(null=True, blank=True)
    error_class = models.CharField(max_length=40, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name_plural = "operation tries"
        constraints = [
            models.UniqueConstraint(
                fields=["attempt", "operation"],
                condition=~Q(status=TryStatus.ANSWERED),
                name="one_open_try_per_operation",
            ),
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
            fixed("operation", "attempt_id", "created_at"),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.id}"

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
