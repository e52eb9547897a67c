"""Wallets in the back office, with what the ledger says they hold."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.views import ChangeList

from wallet.admin.read_only import ReadOnlyAdmin, money_text
from wallet.models import Wallet
from wallet.services import WalletBalance, balances_of


class _ListWithBalances(ChangeList):
    """Reads the balances of a whole page of wallets at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        wallets: list[Wallet] = list(self.result_list)
        balances = balances_of(wallets)
        for wallet in wallets:
            vars(wallet)["_balance"] = balances[wallet.id]
        self.result_list = wallets


def _balance(wallet: Wallet) -> WalletBalance:
    found: WalletBalance | None = vars(wallet).get("_balance")
    return found or balances_of([wallet])[wallet.id]


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    """What each holder has in each currency."""

    list_display = ("holder", "holder_name", "currency", "pending", "available", "reserved", "created_at")
    list_filter = ("currency", "holder__kind")
    list_select_related = ("holder",)
    search_fields = ("holder__reference", "holder__name")
    ordering = ("-created_at",)
    fields = (
        "holder",
        "currency",
        "pending",
        "available",
        "reserved",
        "pending_account",
        "available_account",
        "reserved_account",
        "created_at",
        "id",
    )
    readonly_fields = (
        "pending",
        "available",
        "reserved",
        "pending_account",
        "available_account",
        "reserved_account",
    )

    def get_changelist(  # type: ignore[override]  # unfold says "an instance"; Django wants the class.
        self, request: HttpRequest, **kwargs: Any
    ) -> type[ChangeList]:
        return _ListWithBalances

    @admin.display(description="Name", ordering="holder__name")
    def holder_name(self, wallet: Wallet) -> str:
        """What staff call the holder."""
        return wallet.holder.name

    @admin.display(description="Pending")
    def pending(self, wallet: Wallet) -> str:
        """Sold, not yet released."""
        return money_text(_balance(wallet).pending)

    @admin.display(description="Available")
    def available(self, wallet: Wallet) -> str:
        """The holder's to take."""
        return money_text(_balance(wallet).available)

    @admin.display(description="Reserved")
    def reserved(self, wallet: Wallet) -> str:
        """Set aside for a payout or a dispute."""
        return money_text(_balance(wallet).reserved)
