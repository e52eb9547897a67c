"""One credit in a wallet, and what is left of it."""

from django.db import models
from django.db.models import F, Q

from ledger import clock
from ledger.ids import uuid7
from wallet.models.money_column import MoneyColumn
from wallet.models.triggers import fixed, never_deleted
from wallet.models.wallet import Wallet


class Lot(models.Model):
    """A credit with its source: which sale it came from, when it was delivered and settled, where it stands
    now.

    The lots of a wallet sum, pocket by pocket, to the wallet's accounts; so every cent in a wallet has a
    source. The four amounts share one currency, and a foreign key (wallet, currency) makes it the wallet's.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The database's own constraint is the one on (wallet, currency), in the migrations.
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="lots", db_constraint=False)
    source_kind = models.CharField(max_length=32)
    """What kind of thing it came from, in the words of the app above: `payment_order`, `deposit`."""
    source_id = models.UUIDField()
    source_reference = models.CharField(max_length=64, blank=True, default="")
    """What people call the source, such as the shop's own order id."""
    sequence = models.PositiveSmallIntegerField(default=0)
    """Counts the credits of one source in one wallet: the captures of an order, from 0."""

    currency = models.CharField(max_length=3)
    original = MoneyColumn()
    """What was credited. Never changes."""
    pending = MoneyColumn()
    """Of it, not yet released."""
    available = MoneyColumn()
    """Of it, free to be paid out. Below zero when a true fact (a refund, a dispute) took more than was left.
    """
    reserved = MoneyColumn()
    """Of it, set aside for a payout or a dispute."""

    delivered_at = models.DateTimeField(null=True, blank=True)
    """When the shop said that the buyer has the goods."""
    settled_at = models.DateTimeField(null=True, blank=True)
    """When the PSP's settlement confirmed the sale."""
    available_at = models.DateTimeField(null=True, blank=True)
    """When it was released from pending to available."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source_kind", "source_id", "wallet", "sequence"], name="one_lot_per_source"
            ),
            models.CheckConstraint(name="lot_original_is_positive", condition=Q(original__gt=0)),
            models.CheckConstraint(name="lot_pending_is_not_negative", condition=Q(pending__gte=0)),
            models.CheckConstraint(name="lot_reserved_is_not_negative", condition=Q(reserved__gte=0)),
            models.CheckConstraint(
                name="lot_holds_at_most_its_original",
                condition=Q(original__gte=F("pending") + F("available") + F("reserved")),
            ),
            models.CheckConstraint(name="lot_has_a_source", condition=~Q(source_kind="")),
        ]
        indexes = [
            # First in, first out over what is left; used-up lots leave this index.
            models.Index(
                fields=["wallet", "created_at", "id"],
                name="lot_open",
                condition=~Q(pending=0, available=0, reserved=0),
            ),
        ]
        triggers = [
            fixed(
                "id",
                "wallet_id",
                "currency",
                "source_kind",
                "source_id",
                "source_reference",
                "sequence",
                "original",
                "created_at",
            ),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return f"{self.source_kind} {self.source_reference or self.source_id}"
