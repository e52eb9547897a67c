"""The card was declined, the order failed, and a day later the PSP has the money after all."""

import pytest

from payments import tasks
from payments.models import Discrepancy, PaymentAttempt, Shop
from tests.payments.calling import Caller
from tests.payments.webhook_arranging import event
from tests.sandbox_psp.client import Api
from tests.stories.telling import books_say, cart, journal_says, the_psp_tells

pytestmark = pytest.mark.django_db


def test_late_money_is_nobodys_sale_and_is_promised_back_to_the_buyer(shop: Caller, psp: Api) -> None:
    declined_and_paid_after_all(shop)
    (order,) = shop.get("/v1/checkouts/cart-1").body["payment_orders"]
    assert (order["payment_order_status"], order["failure_code"]) == ("FAILED", "declined:do_not_honor")
    assert (order["captured_amount"], order["ledger_updated"]) == ("0.00", False)
    journal_says(
        """
        what                       | account                 | debit     | credit
        unapplied receipt          | the PSP owes us         | EUR 40.00 |
        unapplied receipt          | received for no order   |           | EUR 40.00
        refund requested           | received for no order   | EUR 40.00 |
        refund requested           | promised back to buyers |           | EUR 40.00
        """
    )
    books_say(
        """
        account                 | debit     | credit
        the PSP owes us         | EUR 40.00 |
        promised back to buyers |           | EUR 40.00
        """
    )
    assert Discrepancy.objects.get().detail == "succeeded after DECLINED"


def test_late_money_waits_for_staff_where_the_shop_wants_that(shop: Caller, psp: Api) -> None:
    Shop.objects.update(late_success="keep")
    declined_and_paid_after_all(shop)
    books_say(
        """
        account               | debit     | credit
        the PSP owes us       | EUR 40.00 |
        received for no order |           | EUR 40.00
        """
    )


def declined_and_paid_after_all(shop: Caller) -> None:
    """The PSP's answer is a decline; the next day its webhook says that it has the money."""
    shop.post("/v1/payments", cart("cart-1", ("books", "40.00", "EUR"), source="tok_declined"))
    tasks.call_psps()
    assert shop.get("/v1/checkouts/cart-1").body["checkout_status"] == "failed"
    books_say("account | debit | credit")
    attempt = PaymentAttempt.objects.get()
    the_psp_tells(event(attempt, "succeeded", "evt_late", id=attempt.psp_reference))
    tasks.handle_webhooks()
