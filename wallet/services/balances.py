"""What wallets hold, read from the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from moneyed import Money

from ledger.services import balances
from wallet.models import Wallet


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """What stands in the three pockets of one wallet."""

    currency: str
    pending: Money
    """Sold, not yet released."""
    available: Money
    """The holder's to take. Below zero when a refund or a dispute took more than there was."""
    reserved: Money
    """Set aside for a payout or a dispute."""


def wallets_of(holder_id: UUID) -> list[WalletBalance]:
    """What the holder has in each currency, by currency; all amounts are of the same moment."""
    wallets = Wallet.objects.filter(holder_id=holder_id).order_by("currency")
    return list(balances_of(wallets).values())


def balances_of(wallets: Collection[Wallet]) -> dict[UUID, WalletBalance]:
    """What each of these wallets holds, by the wallet's id and in the order given, in one reading of the
    ledger.
    """
    held = balances([account for wallet in wallets for account in _accounts(wallet)]) if wallets else {}
    return {
        wallet.id: WalletBalance(wallet.currency, *(held[account] for account in _accounts(wallet)))
        for wallet in wallets
    }


def _accounts(wallet: Wallet) -> tuple[str, str, str]:
    return wallet.pending_account, wallet.available_account, wallet.reserved_account
