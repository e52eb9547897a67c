"""The PSP took the money, and its answer never came. The books say so, until somebody knows."""

import pytest

from payments import tasks
from payments.models import OperationTry
from tests.payments.calling import Caller
from tests.sandbox_psp.client import Api
from tests.stories.telling import books_say, cart, journal_says

pytestmark = pytest.mark.django_db


def test_a_lost_answer_stands_in_doubt_until_the_psp_is_asked(shop: Caller, psp: Api) -> None:
    shop.post("/v1/payments", cart("cart-1", ("tea", "15.50", "EUR"), source="tok_fault_reset"))
    tasks.call_psps()

    (order,) = shop.get("/v1/checkouts/cart-1").body["payment_orders"]
    assert (order["payment_order_status"], order["pending_reason"]) == ("EXECUTING", "unknown")
    books_say(
        """
        account              | debit     | credit
        memo: in doubt       | EUR 15.50 |
        memo: the other side |           | EUR 15.50
        """
    )

    # Two seconds later a worker asks. Nobody charges again: the PSP knows of the payment.
    OperationTry.objects.update(next_try_at=OperationTry.objects.get().created_at)
    tasks.call_psps()
    assert shop.get("/v1/checkouts/cart-1").body["checkout_status"] == "paid"
    journal_says(
        """
        what        | account              | debit     | credit
        doubt       | memo: in doubt       | EUR 15.50 |
        doubt       | memo: the other side |           | EUR 15.50
        capture     | the PSP owes us      | EUR 15.50 |
        capture     | our commission       |           | EUR 1.55
        capture     | sold by Kericho Tea  |           | EUR 13.95
        doubt ended | memo: the other side | EUR 15.50 |
        doubt ended | memo: in doubt       |           | EUR 15.50
        """
    )
    books_say(
        """
        account             | debit     | credit
        the PSP owes us     | EUR 15.50 |
        our commission      |           | EUR 1.55
        sold by Kericho Tea |           | EUR 13.95
        """
    )
    assert psp.get("/v1/charges/summary").json["totals"]["EUR"]["charges"] == 1
