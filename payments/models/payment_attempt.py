"""One try to make a PSP move money for one or more orders of a checkout."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from ledger import clock
from ledger.ids import uuid7
from payments.models.payment_event import PaymentEvent
from payments.models.payment_order import PaymentOrder
from payments.models.triggers import fixed, never_deleted, state_machine
from payments.states import ATTEMPT_EDGES, LIVE_ATTEMPTS, AttemptStatus, sources
from wallet.encryption import EncryptedJSONField, EncryptedTextField
from wallet.models.money_column import MoneyColumn

_LIVE = ", ".join(f"'{status}'" for status in LIVE_ATTEMPTS)


class PaymentAttempt(FSMModelMixin, models.Model):
    """One payment object at one PSP."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(PaymentEvent, on_delete=models.PROTECT, related_name="attempts")
    psp_account = models.CharField(max_length=40)
    """A name from the setting PAYMENT_PROVIDERS."""
    method = models.CharField(max_length=40)
    token = EncryptedTextField(blank=True, default="")
    """The PSP's token for the buyer's card or account; never a card number."""
    currency = models.CharField(max_length=3)
    amount = MoneyColumn()
    """The sum of its lines."""
    captured = MoneyColumn()
    """What the PSP has taken of it so far."""
    manual_capture = models.BooleanField(default=False)
    """Whether the money is only reserved until the shop asks for it."""
    status = FSMField(
        max_length=16, choices=AttemptStatus.choices, default=AttemptStatus.CREATED, protected=True
    )
    psp_reference = models.CharField(max_length=255, blank=True, default="")
    """The PSP's id of its payment object, once we know it."""
    decline_code = models.CharField(max_length=80, blank=True, default="")
    card_digest = models.CharField(max_length=64, blank=True, default="")
    """Keyed digest of the PSP's fingerprint of the card, once we know it; risk rules count by it."""
    client_action = EncryptedJSONField(null=True, blank=True)
    """What the buyer must do next, as the PSP said it; never logged."""
    created_at = models.DateTimeField(default=clock.now, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="attempt_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="attempt_captured_within_amount",
                condition=Q(captured__gte=0, captured__lte=F("amount")),
            ),
            models.CheckConstraint(
                name="attempt_success_has_captured",
                condition=~Q(status=AttemptStatus.SUCCEEDED) | Q(captured__gt=0),
            ),
            models.UniqueConstraint(
                fields=["psp_account", "psp_reference"],
                condition=~Q(psp_reference=""),
                name="one_attempt_per_psp_reference",
            ),
        ]
        indexes = [
            models.Index(
                fields=["card_digest", "created_at"],
                condition=~Q(card_digest=""),
                name="payment_attempt_card",
            )
        ]
        triggers = [
            *state_machine("status", ATTEMPT_EDGES, AttemptStatus.CREATED),
            fixed("event_id", "psp_account", "method", "amount", "currency", "manual_capture", "created_at"),
            pgtrigger.Trigger(
                name="risk_is_accepted",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                # Asks for no order in time: a clock may step back between two decisions.
                func="""
                    IF NOT EXISTS (
                        SELECT FROM payments_riskdecision WHERE event_id = NEW.event_id AND outcome = 'accept'
                    ) OR EXISTS (
                        SELECT FROM payments_riskdecision WHERE event_id = NEW.event_id AND outcome = 'refuse'
                    ) OR EXISTS (
                        SELECT FROM payments_riskcheck WHERE event_id = NEW.event_id AND ended_at IS NULL
                    ) THEN
                        RAISE EXCEPTION 'checkout % has no accepting risk decision', NEW.event_id
                        USING ERRCODE = 'integrity_constraint_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="keeps_lines_live",
                operation=pgtrigger.UpdateOf("status"),
                when=pgtrigger.After,
                condition=pgtrigger.Condition(f"((OLD.status IN ({_LIVE})) <> (NEW.status IN ({_LIVE})))"),
                func="""
                    UPDATE payments_attemptline SET live = NOT live WHERE attempt_id = NEW.id;
                    RETURN NULL;
                """,
            ),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected of it; a late success may still come."""
        return self.status not in LIVE_ATTEMPTS

    @transition(field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.SENT), target=AttemptStatus.SENT)
    def send(self) -> None:
        """The PSP is about to be called."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.PENDING), target=AttemptStatus.PENDING
    )
    def wait(self) -> None:
        """The PSP has it and waits for the buyer, a bank or its own people."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.AUTHORIZED), target=AttemptStatus.AUTHORIZED
    )
    def authorize(self) -> None:
        """The money is reserved, not moved."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.CAPTURING), target=AttemptStatus.CAPTURING
    )
    def capture(self) -> None:
        """The PSP is asked to move the reserved money."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.SUCCEEDED), target=AttemptStatus.SUCCEEDED
    )
    def succeed(self) -> None:
        """The PSP has the money."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.DECLINED), target=AttemptStatus.DECLINED
    )
    def decline(self) -> None:
        """The PSP will not take the money."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.CANCELED), target=AttemptStatus.CANCELED
    )
    def cancel(self) -> None:
        """It was called off, and the PSP knows."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.EXPIRED), target=AttemptStatus.EXPIRED
    )
    def expire(self) -> None:
        """The PSP gave it up."""

    @transition(
        field=status, source=sources(ATTEMPT_EDGES, AttemptStatus.UNKNOWN), target=AttemptStatus.UNKNOWN
    )
    def doubt(self) -> None:
        """A call's answer was lost: only a fact ends this."""


class AttemptLine(models.Model):
    """What one attempt is to take for one order."""

    id = models.BigAutoField(primary_key=True)
    attempt = models.ForeignKey(PaymentAttempt, on_delete=models.PROTECT, related_name="lines")
    order = models.ForeignKey(PaymentOrder, on_delete=models.PROTECT, related_name="attempt_lines")
    currency = models.CharField(max_length=3)
    amount = MoneyColumn()
    live = models.BooleanField(default=True, editable=False)
    """Whether the attempt may yet take money; written by triggers only, whatever a statement says."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["attempt", "order"], name="one_line_per_attempt_and_order"),
            models.UniqueConstraint(
                fields=["order"], condition=Q(live=True), name="one_live_attempt_per_order"
            ),
            models.CheckConstraint(name="attempt_line_amount_is_positive", condition=Q(amount__gt=0)),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="live_is_the_attempts",
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("live"),
                when=pgtrigger.Before,
                func=f"""
                    SELECT status IN ({_LIVE}) INTO NEW.live FROM payments_paymentattempt WHERE id = NEW.attempt_id;
                    RETURN NEW;
                """,  # noqa: S608
            ),
            pgtrigger.Trigger(
                name="order_is_open",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func="""
                    IF NOT EXISTS (
                        SELECT FROM payments_paymentorder o JOIN payments_paymentattempt a ON a.id = NEW.attempt_id
                        WHERE o.id = NEW.order_id AND o.event_id = a.event_id
                          AND o.currency = NEW.currency AND a.currency = NEW.currency
                          AND o.status IN ('NOT_STARTED', 'EXECUTING')
                    ) THEN
                        RAISE EXCEPTION 'order % cannot be charged by attempt %', NEW.order_id, NEW.attempt_id
                        USING ERRCODE = 'integrity_constraint_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
            fixed("attempt_id", "order_id", "amount", "currency"),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return f"{self.attempt_id}: {self.amount}"
