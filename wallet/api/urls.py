"""Addresses of wallets, below `/v1/`."""

from django.urls import path

from wallet.api import converters  # noqa: F401  # For `caller_id`.
from wallet.api.views import SellerWalletsView

urlpatterns = [
    path("sellers/<caller_id:seller_account>/wallets", SellerWalletsView.as_view(), name="seller_wallets"),
]
