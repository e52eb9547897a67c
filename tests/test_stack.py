"""The whole system, driven by HTTP alone."""

from decimal import Decimal
from typing import Any

import pytest

from paymentsite.api_client import ApiClient
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
def shop(stack: Stack) -> ApiClient:
    return ApiClient(base_url=stack.url, api_key=stack.sample["api_key"])


def checkout(name: str, *amounts: str) -> dict[str, Any]:
    """A card checkout of the sample shop, for its sellers in turn."""
    sellers = ("seller-books", "seller-tea", "seller-lamps")
    return {
        "checkout_id": name,
        "buyer_info": {"buyer_id": "buyer", "email": "buyer@example.org"},
        "payment_method": {"type": "card", "token": "tok_visa"},
        "payment_orders": [
            {"payment_order_id": f"{name}-{n}", "seller_account": seller, "amount": amount, "currency": "EUR"}
            for n, (seller, amount) in enumerate(zip(sellers, amounts, strict=False), start=1)
        ],
    }


def test_a_checkout_of_three_sellers_is_paid_and_booked(shop: ApiClient) -> None:
    body = checkout("stack-three", "10.00", "20.50", "0.99")
    assert shop.post("/v1/payments", body).status_code == 201
    paid = shop.wait_for_checkout("stack-three")
    assert paid["is_payment_done"] is True
    for order, asked in zip(paid["payment_orders"], body["payment_orders"], strict=True):
        assert order["payment_order_status"] == "SUCCESS"
        assert order["ledger_updated"] is order["wallet_updated"] is True
        assert Decimal(order["captured_amount"]) == Decimal(asked["amount"])


def test_work_waits_for_a_worker_that_was_killed(stack: Stack, shop: ApiClient) -> None:
    stack.kill("worker-psp")
    assert shop.post("/v1/payments", checkout("stack-killed", "5.00")).status_code == 201
    waiting = shop.wait_for_checkout("stack-killed", seconds=1)
    assert waiting["is_payment_done"] is False
    stack.start("worker-psp")
    assert shop.wait_for_checkout("stack-killed")["is_payment_done"] is True


def test_the_invariants_hold_afterwards(stack: Stack) -> None:
    checked = stack.manage("check_invariants")
    assert checked.returncode == 0, checked.stdout + checked.stderr
