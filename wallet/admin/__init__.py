"""The wallet's pages in the back office. They show; only services write."""

from wallet.admin.account_holder import AccountHolderAdmin
from wallet.admin.lot import LotAdmin
from wallet.admin.wallet import WalletAdmin

__all__ = ["AccountHolderAdmin", "LotAdmin", "WalletAdmin"]
