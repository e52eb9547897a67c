"""Shops and keys, for reading; keys are made by the command `issue_api_key` and shown once."""

from django.contrib import admin

from payments.models import ApiKey, SellerTerms, Shop
from wallet.admin.read_only import ReadOnlyAdmin


@admin.register(Shop)
class ShopAdmin(ReadOnlyAdmin):
    """Shops."""

    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys, without anything that could be used."""

    list_display = ("prefix", "label", "shop", "scopes", "created_at", "expires_at", "revoked_at")
    list_select_related = ("shop",)
    search_fields = ("prefix", "label")
    exclude = ("digest",)


@admin.register(SellerTerms)
class SellerTermsAdmin(ReadOnlyAdmin):
    """What was agreed with sellers."""

    list_display = ("holder", "commission_rate")
    list_select_related = ("holder",)
    search_fields = ("holder__reference", "holder__name")
