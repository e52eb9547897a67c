"""Who owns what: holders, their wallets, and the lots that explain every amount in them."""

from wallet.models.account_holder import AccountHolder, HolderKind, KycStatus
from wallet.models.lot import Lot
from wallet.models.wallet import Pocket, Wallet

__all__ = ["AccountHolder", "HolderKind", "KycStatus", "Lot", "Pocket", "Wallet"]
