"""The only writers and readers of wallets. Every function runs in the caller's transaction, or is its own."""

from wallet.services.balances import WalletBalance, balances_of, wallets_of
from wallet.services.holders import email_digest, find_holder, find_holders, open_holder
from wallet.services.invariants import violations
from wallet.services.lots import NewLot, open_lots
from wallet.services.wallets import ensure_wallets

__all__ = [
    "NewLot",
    "WalletBalance",
    "balances_of",
    "email_digest",
    "ensure_wallets",
    "find_holder",
    "find_holders",
    "open_holder",
    "open_lots",
    "violations",
    "wallets_of",
]
