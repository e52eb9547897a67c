"""`GET /v1/sellers/{seller_account}/wallets`. Who may call is tested where authentication lives."""

from typing import Any

import pytest
from django.test import RequestFactory
from django.urls import resolve, reverse
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny
from rest_framework.settings import api_settings

from tests.wallet.building import credit, seller, wallet
from wallet.api.views import SellerWalletsView

pytestmark = pytest.mark.django_db


def get(address: str) -> Any:
    """The answer of the view at this address to a caller who may call it."""
    match = resolve(address)
    view = SellerWalletsView.as_view(authentication_classes=[], permission_classes=[AllowAny])
    response = view(RequestFactory().get(address), **match.kwargs)
    if hasattr(response, "render"):
        response.render()
    return response


def test_the_address() -> None:
    assert reverse("seller_wallets", args=["seller-1"]) == "/v1/sellers/seller-1/wallets"


def test_a_sellers_wallets_are_read_in_strings() -> None:
    holder = seller()
    credit(wallet(holder, "KWD"), ["1.234"])
    credit(wallet(holder, "EUR"), ["90.00", "0.1"])
    credit(wallet(holder, "JPY"), ["1500"])
    response = get("/v1/sellers/seller-1/wallets")
    assert response.status_code == 200
    assert response.data == {
        "seller_account": "seller-1",
        "wallets": [
            {
                "currency": currency,
                "pending": {"amount": pending, "currency": currency},
                "available": {"amount": nothing, "currency": currency},
                "reserved": {"amount": nothing, "currency": currency},
            }
            for currency, pending, nothing in (
                ("EUR", "90.10", "0.00"),
                ("JPY", "1500", "0"),
                ("KWD", "1.234", "0.000"),
            )
        ],
    }


def test_a_seller_without_wallets_has_an_empty_list() -> None:
    seller()
    assert get("/v1/sellers/seller-1/wallets").data["wallets"] == []


def test_an_unknown_seller_is_a_problem() -> None:
    response = get("/v1/sellers/nobody/wallets")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert b'"code": "seller_not_found"' in response.content


def test_the_scope_is_declared_for_the_company() -> None:
    assert SellerWalletsView.required_scopes == {"GET": "sellers:read"}
    closed: Any = api_settings.DEFAULT_PERMISSION_CLASSES
    assert SellerWalletsView.permission_classes == closed != []


def test_it_stands_in_the_schema_with_its_problems() -> None:
    generator: Any = SchemaGenerator
    schema = generator().get_schema(public=True)
    (operation,) = [item["get"] for path, item in schema["paths"].items() if path.endswith("/wallets")]
    assert set(operation["responses"]) >= {"200", "401", "403", "404"}
    assert "application/problem+json" in operation["responses"]["404"]["content"]
    pending = schema["components"]["schemas"]["Wallet"]["properties"]["pending"]
    assert pending["properties"]["amount"]["type"] == "string"
