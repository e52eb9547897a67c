"""What one account holder has in one currency."""

from django.db import models
from django.db.models import Q

from ledger import chart, clock
from ledger.ids import uuid7
from wallet.models.account_holder import AccountHolder
from wallet.models.triggers import fixed, never_deleted


class Pocket(models.TextChoices):
    """Where money stands inside a wallet; each pocket is one account of the ledger."""

    PENDING = "pending"
    """Sold, not yet released."""
    AVAILABLE = "available"
    """The holder's to take."""
    RESERVED = "reserved"
    """Set aside for a payout or a dispute."""


class Wallet(models.Model):
    """Three accounts of the ledger under one id. It keeps no amounts: the ledger has them, the lots explain
    them.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The unique constraint on (holder, currency) is its index.
    holder = models.ForeignKey(
        AccountHolder, on_delete=models.PROTECT, related_name="wallets", db_index=False
    )
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["holder", "currency"], name="one_wallet_per_currency"),
            # What the lots' foreign key (wallet, currency) points at.
            models.UniqueConstraint(fields=["id", "currency"], name="wallet_with_its_currency"),
            models.CheckConstraint(
                name="wallet_currency_is_a_code", condition=Q(currency__regex="^[A-Z]{3}$")
            ),
        ]
        triggers = [fixed("id", "holder_id", "currency", "created_at"), *never_deleted()]

    def __str__(self) -> str:
        return f"{self.id} {self.currency}"

    def account(self, pocket: Pocket) -> str:
        """The code of the ledger account that holds `pocket`."""
        return chart.wallet_code(f"wallet_{pocket.value}", self.id)

    @property
    def pending_account(self) -> str:
        """The code of the account of what is sold and not yet released."""
        return self.account(Pocket.PENDING)

    @property
    def available_account(self) -> str:
        """The code of the account of what the holder may take."""
        return self.account(Pocket.AVAILABLE)

    @property
    def reserved_account(self) -> str:
        """The code of the account of what a payout or a dispute has set aside."""
        return self.account(Pocket.RESERVED)
