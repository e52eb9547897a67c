"""Money for one seller in one checkout."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition
from moneyed import Money

from ledger import clock, money
from ledger.ids import uuid7
from payments.models.payment_event import PaymentEvent
from payments.models.shop import Shop
from payments.models.triggers import fixed, never_deleted, state_machine
from payments.states import ORDER_EDGES, OrderStatus, PendingReason, sources
from wallet.models.money_column import MoneyColumn


class PaymentOrder(FSMModelMixin, models.Model):
    """What the buyer pays to one seller in one checkout.

    `save()` never moves the status by itself: transitions below do, services call them, and a trigger has the last word.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(PaymentEvent, on_delete=models.PROTECT, related_name="orders")
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, related_name="payment_orders")
    """The event's shop, repeated here because the shop's own order ids are unique per shop."""
    payment_order_id = models.CharField(max_length=64)
    """The shop's own id; once per shop."""
    position = models.PositiveSmallIntegerField()
    """Its place in the checkout, from 0."""
    seller = models.ForeignKey(
        "wallet.AccountHolder", on_delete=models.PROTECT, related_name="payment_orders"
    )

    currency = models.CharField(max_length=3)
    amount = MoneyColumn()
    """What the buyer pays for this order, before our commission."""
    commission_rate = models.DecimalField(max_digits=6, decimal_places=5)
    """Our share, as agreed with the seller when the order was created."""
    captured = MoneyColumn()
    """What the PSPs have taken from the buyer for this order; the sum of its capture entries."""
    refunded = MoneyColumn()
    """What has gone back to the buyer."""
    charged_back = MoneyColumn()
    """What the buyer's bank has taken back in disputes."""

    status = FSMField(
        max_length=16, choices=OrderStatus.choices, default=OrderStatus.NOT_STARTED, protected=True
    )
    pending_reason = models.CharField(max_length=20, choices=PendingReason.choices, blank=True, default="")
    failure_code = models.CharField(max_length=80, blank=True, default="")
    """Why it failed: `declined:<code>`, `refused:<code>`, `expired`, `canceled`."""
    last_failure_code = models.CharField(max_length=80, blank=True, default="")
    """Why the last attempt failed, while the buyer may still try another."""
    ledger_updated = models.BooleanField(default=False)
    wallet_updated = models.BooleanField(default=False)
    capture_entry = models.OneToOneField(
        "ledger.JournalEntry", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    """The journal entry of its first capture. The database holds no SUCCESS without it."""
    created_at = models.DateTimeField(default=clock.now, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["shop", "payment_order_id"], name="one_order_per_shop_id"),
            models.UniqueConstraint(fields=["event", "position"], name="one_order_per_position"),
            models.CheckConstraint(name="order_amount_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="order_commission_rate_is_a_share",
                condition=Q(commission_rate__gte=0, commission_rate__lte=1),
            ),
            models.CheckConstraint(
                name="order_captured_within_amount",
                condition=Q(captured__gte=0, captured__lte=F("amount")),
            ),
            models.CheckConstraint(
                name="order_returns_are_not_negative", condition=Q(refunded__gte=0, charged_back__gte=0)
            ),
            models.CheckConstraint(
                name="order_success_is_booked",
                condition=Q(
                    status=OrderStatus.SUCCESS,
                    ledger_updated=True,
                    wallet_updated=True,
                    capture_entry__isnull=False,
                    captured__gt=0,
                )
                | (
                    ~Q(status=OrderStatus.SUCCESS)
                    & Q(ledger_updated=False, wallet_updated=False, capture_entry__isnull=True, captured=0)
                ),
            ),
            models.CheckConstraint(
                name="order_failure_has_a_code",
                condition=(Q(status=OrderStatus.FAILED) & ~Q(failure_code=""))
                | (~Q(status=OrderStatus.FAILED) & Q(failure_code="")),
            ),
            models.CheckConstraint(
                name="order_final_waits_for_nobody",
                condition=Q(
                    status__in=[OrderStatus.SUCCESS, OrderStatus.FAILED],
                    pending_reason="",
                    completed_at__isnull=False,
                )
                | Q(
                    status__in=[OrderStatus.NOT_STARTED, OrderStatus.EXECUTING],
                    completed_at__isnull=True,
                ),
            ),
        ]
        indexes = [models.Index(fields=["seller", "created_at"])]
        triggers = [
            *state_machine("status", ORDER_EDGES, OrderStatus.NOT_STARTED),
            fixed(
                "event_id",
                "shop_id",
                "payment_order_id",
                "position",
                "seller_id",
                "amount",
                "currency",
                "commission_rate",
                "created_at",
            ),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return self.payment_order_id

    @property
    def is_final(self) -> bool:
        """Whether its status can never change again."""
        return not ORDER_EDGES[self.status]

    @property
    def commission(self) -> Money:
        """Our share of what was captured, rounded half up to the currency's decimals."""
        return money.portion(self.captured, self.commission_rate)

    @transition(
        field=status, source=sources(ORDER_EDGES, OrderStatus.EXECUTING), target=OrderStatus.EXECUTING
    )
    def execute(self, *, pending_reason: str) -> None:
        """A PSP is about to hear of it."""
        self.pending_reason = pending_reason

    @transition(field=status, source=sources(ORDER_EDGES, OrderStatus.SUCCESS), target=OrderStatus.SUCCESS)
    def succeed(self, *, captured: Money, capture_entry_id: int, at: datetime) -> None:
        """The PSP has the buyer's money, and journal and wallet say so in the same commit."""
        self.captured = captured
        self.capture_entry_id = capture_entry_id
        self.ledger_updated = True
        self.wallet_updated = True
        self.pending_reason = ""
        self.last_failure_code = ""
        self.completed_at = at

    @transition(field=status, source=sources(ORDER_EDGES, OrderStatus.FAILED), target=OrderStatus.FAILED)
    def fail(self, *, failure_code: str, at: datetime) -> None:
        """It will not be paid; a later success at the PSP goes to unapplied receipts."""
        self.failure_code = failure_code
        self.pending_reason = ""
        self.completed_at = at
