"""Amina buys a book, tea and a lamp. One charge, three sellers, our commission, nothing left over."""

import pytest

from payments import tasks
from tests.payments.calling import Caller
from tests.sandbox_psp.client import Api
from tests.stories.telling import books_say, cart, journal_says

pytestmark = pytest.mark.django_db


def test_a_cart_of_three_sellers_is_paid_by_one_charge(shop: Caller, psp: Api) -> None:
    """40.00 for a book, 15.50 for tea, 0.99 for a lamp; a tenth of each is ours: 4.00, 1.55 and 0.10 (0.099)."""
    bought = cart("cart-1", ("books", "40.00", "EUR"), ("tea", "15.50", "EUR"), ("lamps", "0.99", "EUR"))
    assert shop.post("/v1/payments", bought).body["checkout_status"] == "pending"
    books_say("account | debit | credit")  # A promise is no money: nothing is booked yet.

    tasks.call_psps()

    paid = shop.get("/v1/checkouts/cart-1").body
    assert (paid["checkout_status"], paid["is_payment_done"]) == ("paid", True)
    journal_says(
        """
        what    | account               | debit     | credit
        capture | the PSP owes us       | EUR 40.00 |
        capture | our commission        |           | EUR 4.00
        capture | sold by Nairobi Books |           | EUR 36.00
        capture | the PSP owes us       | EUR 15.50 |
        capture | our commission        |           | EUR 1.55
        capture | sold by Kericho Tea   |           | EUR 13.95
        capture | the PSP owes us       | EUR 0.99  |
        capture | our commission        |           | EUR 0.10
        capture | sold by Lumen Lamps   |           | EUR 0.89
        """
    )
    books_say(
        """
        account               | debit     | credit
        the PSP owes us       | EUR 56.49 |
        our commission        |           | EUR 5.65
        sold by Nairobi Books |           | EUR 36.00
        sold by Kericho Tea   |           | EUR 13.95
        sold by Lumen Lamps   |           | EUR 0.89
        """
    )
    theirs = psp.get("/v1/charges/summary").json["totals"]
    assert theirs == {"EUR": {"payments": 1, "charges": 1, "amount_captured": 5649, "amount_refunded": 0}}


def test_a_cart_in_three_currencies_is_three_charges_and_three_sets_of_books(shop: Caller, psp: Api) -> None:
    """Yen have no decimals and dinars have three; each currency balances by itself."""
    bought = cart(
        "cart-2",
        ("books", "40.00", "EUR"),
        ("tea", "1999", "JPY"),
        ("lamps", "12.345", "KWD"),
        source="pm_visa",
    )
    assert shop.post("/v1/payments", bought).status == 201
    tasks.call_psps()
    assert shop.get("/v1/checkouts/cart-2").body["checkout_status"] == "paid"
    books_say(
        """
        account               | debit      | credit
        the PSP owes us       | EUR 40.00  |
        our commission        |            | EUR 4.00
        sold by Nairobi Books |            | EUR 36.00
        the PSP owes us       | JPY 1999   |
        our commission        |            | JPY 200
        sold by Kericho Tea   |            | JPY 1799
        the PSP owes us       | KWD 12.345 |
        our commission        |            | KWD 1.235
        sold by Lumen Lamps   |            | KWD 11.110
        """
    )
    theirs = psp.get("/v1/charges/summary").json["totals"]
    assert {currency: total["amount_captured"] for currency, total in theirs.items()} == {
        "EUR": 4000,
        "JPY": 1999,
        "KWD": 12345,
    }


def test_a_double_click_costs_the_buyer_nothing(shop: Caller, psp: Api) -> None:
    bought = cart("cart-3", ("books", "40.00", "EUR"))
    for _ in range(2):
        shop.post("/v1/payments", bought)
        tasks.call_psps()
    shop.post("/v1/payments", bought)
    tasks.call_psps()
    books_say(
        """
        account               | debit     | credit
        the PSP owes us       | EUR 40.00 |
        our commission        |           | EUR 4.00
        sold by Nairobi Books |           | EUR 36.00
        """
    )
    assert psp.get("/v1/charges/summary").json["totals"]["EUR"]["charges"] == 1
