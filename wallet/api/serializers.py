"""What the API says about wallets."""

from typing import Any

from rest_framework import serializers

from wallet.api.money import MoneyField


class WalletSerializer(serializers.Serializer[Any]):
    """What a seller has in one currency."""

    currency = serializers.CharField(help_text="ISO 4217.")
    pending = MoneyField(help_text="Sold, not yet released.")
    available = MoneyField(help_text="Can be paid out. Below zero when refunds took more than there was.")
    reserved = MoneyField(help_text="Set aside for a payout or a dispute.")


class SellerWalletsSerializer(serializers.Serializer[Any]):
    """All wallets of a seller, by currency."""

    seller_account = serializers.CharField()
    wallets = WalletSerializer(many=True)
