"""Amina's card has no money on it. Nobody is paid, nothing is booked, and she may pay in another way."""

import pytest

from payments import tasks
from tests.payments.calling import Caller
from tests.sandbox_psp.client import Api
from tests.stories.telling import books_say, cart

pytestmark = pytest.mark.django_db

NOTHING = "account | debit | credit"


def test_a_declined_card_leaves_no_trace_in_the_books(shop: Caller, psp: Api) -> None:
    bought = cart(
        "cart-1", ("books", "40.00", "EUR"), ("tea", "15.50", "EUR"), source="tok_insufficient_funds"
    )
    shop.post("/v1/payments", bought)
    tasks.call_psps()

    failed = shop.get("/v1/checkouts/cart-1").body
    assert (failed["checkout_status"], failed["is_payment_done"]) == ("failed", False)
    for order in failed["payment_orders"]:
        assert order["payment_order_status"] == "FAILED"
        assert order["failure_code"] == "declined:insufficient_funds"
        assert (order["ledger_updated"], order["wallet_updated"]) == (False, False)
    books_say(NOTHING)
    assert psp.get("/v1/charges/summary").json["totals"] == {}

    # The same cart again is told the same, and charges nobody; a new checkout is a new chance.
    assert shop.post("/v1/payments", bought).body["checkout_status"] == "failed"
    tasks.call_psps()
    books_say(NOTHING)
    shop.post("/v1/payments", cart("cart-2", ("books", "40.00", "EUR"), ("tea", "15.50", "EUR")))
    tasks.call_psps()
    assert shop.get("/v1/checkouts/cart-2").body["checkout_status"] == "paid"


def test_a_buyer_who_may_choose_tries_a_second_card(shop: Caller, psp: Api) -> None:
    """A checkout without a method is the buyer's until it is paid, canceled or over."""
    shop.post("/v1/payments", cart("cart-1", ("lamps", "20.00", "EUR"), source=""))
    address = "/v1/checkouts/cart-1/attempts"

    shop.post(address, {"payment_method": {"type": "card", "token": "tok_stolen_card"}}, key="first-card")
    tasks.call_psps()
    (order,) = shop.get("/v1/checkouts/cart-1").body["payment_orders"]
    assert (order["payment_order_status"], order["pending_reason"]) == ("EXECUTING", "awaiting_buyer")
    assert order["last_failure_code"].startswith("declined:")
    books_say(NOTHING)

    shop.post(address, {"payment_method": {"type": "card", "token": "tok_visa"}}, key="second-card")
    tasks.call_psps()
    assert shop.get("/v1/checkouts/cart-1").body["checkout_status"] == "paid"
    books_say(
        """
        account             | debit     | credit
        the PSP owes us     | EUR 20.00 |
        our commission      |           | EUR 2.00
        sold by Lumen Lamps |           | EUR 18.00
        """
    )
