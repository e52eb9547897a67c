"""Lots in the back office: which credit each amount in a wallet comes from."""

from django.contrib import admin

from wallet.admin.read_only import ReadOnlyAdmin, money_text
from wallet.models import Lot


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    """Every credit and what is left of it."""

    list_display = (
        "source_reference",
        "source_kind",
        "holder",
        "original_text",
        "pending_text",
        "available_text",
        "reserved_text",
        "delivered_at",
        "settled_at",
        "available_at",
        "created_at",
    )
    list_filter = ("source_kind", "currency")
    list_select_related = ("wallet__holder",)
    search_fields = ("source_reference", "wallet__holder__reference")
    ordering = ("-created_at",)
    fields = (
        "wallet",
        "holder",
        "source_kind",
        "source_reference",
        "source_id",
        "sequence",
        "original_text",
        "pending_text",
        "available_text",
        "reserved_text",
        "delivered_at",
        "settled_at",
        "available_at",
        "created_at",
        "id",
    )
    readonly_fields = ("holder", "original_text", "pending_text", "available_text", "reserved_text")

    @admin.display(description="Holder", ordering="wallet__holder__reference")
    def holder(self, lot: Lot) -> str:
        """Whose it is."""
        return lot.wallet.holder.reference

    @admin.display(description="Credited", ordering="original")
    def original_text(self, lot: Lot) -> str:
        """What was credited."""
        return money_text(lot.original)

    @admin.display(description="Pending", ordering="pending")
    def pending_text(self, lot: Lot) -> str:
        """Of it, not yet released."""
        return money_text(lot.pending)

    @admin.display(description="Available", ordering="available")
    def available_text(self, lot: Lot) -> str:
        """Of it, free to be paid out."""
        return money_text(lot.available)

    @admin.display(description="Reserved", ordering="reserved")
    def reserved_text(self, lot: Lot) -> str:
        """Of it, set aside."""
        return money_text(lot.reserved)
