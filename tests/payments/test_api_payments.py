"""The API as a shop uses it when all is well: create, repeat, read."""

from typing import Any

import pytest

from payments.models import IdempotencyKey, PaymentAttempt, PaymentEvent
from payments.psp.base import Outcome
from payments.services.sellers import open_seller
from tests.payments.arranging import begin, tell
from tests.payments.bodies import checkout_body, order_body
from tests.payments.calling import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sellers(db: None) -> None:
    for name in ("seller-books", "seller-tea"):
        open_seller(seller_account=name, name=name.title(), email="", country="")


def test_a_new_checkout_is_created_and_says_what_it_waits_for(caller: Caller) -> None:
    answer = caller.post("/v1/payments", checkout_body())
    assert answer.status == 201
    assert answer.body["checkout_id"] == "cart-1"
    assert (answer.body["checkout_status"], answer.body["is_payment_done"]) == ("pending", False)
    assert answer.body["sellers"] == [{"seller_account": "seller-books", "name": "Seller-Books"}]
    (order,) = answer.body["payment_orders"]
    assert order["payment_order_status"] == "NOT_STARTED"
    assert (order["amount"], order["currency"], order["captured_amount"]) == ("10.00", "EUR", "0.00")
    assert (order["ledger_updated"], order["wallet_updated"]) == (False, False)
    assert order["created_at"].endswith("Z") and order["completed_at"] is None
    assert "Idempotency-Replayed" not in answer.headers


def test_a_card_may_be_sent_as_credit_card_info(caller: Caller) -> None:
    body = checkout_body(
        credit_card_info={"token": "tok_visa", "brand": "visa", "last4": "4242", "exp_month": 12}
    )
    del body["payment_method"]
    assert caller.post("/v1/payments", body).status == 201
    assert (PaymentAttempt.objects.get().method, PaymentAttempt.objects.get().token) == ("card", "tok_visa")


def test_the_same_key_replays_the_answer_and_says_so(caller: Caller) -> None:
    first = caller.post("/v1/payments", checkout_body(), key="key-1")
    pay()
    again = caller.post("/v1/payments", checkout_body(), key="key-1")
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_the_same_checkout_answers_200_with_the_latest_status(caller: Caller) -> None:
    caller.post("/v1/payments", checkout_body(), key="key-1")
    pay()
    again = caller.post("/v1/payments", checkout_body())
    assert (again.status, again.body["checkout_status"], again.body["is_payment_done"]) == (200, "paid", True)
    assert "Idempotency-Replayed" not in again.headers


def test_the_order_of_keys_and_the_way_of_writing_an_amount_do_not_make_another_request(
    caller: Caller,
) -> None:
    caller.post("/v1/payments", checkout_body(payment_orders=[order_body(amount="10.5")]), key="key-1")
    shuffled = dict(reversed(checkout_body(payment_orders=[order_body(amount="10.50")]).items()))
    again = caller.post("/v1/payments", shuffled, key="key-1")
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")


@pytest.mark.parametrize(("key", "code"), [("", "checkout_differs"), ("key-1", "idempotency_key_reused")])
def test_another_body_is_refused(caller: Caller, key: str, code: str) -> None:
    caller.post("/v1/payments", checkout_body(), key="key-1")
    other = checkout_body(payment_orders=[order_body(amount="11.00")])
    answer = caller.post("/v1/payments", other, key=key)
    assert (answer.status, answer.code) == (422, code)
    assert PaymentEvent.objects.count() == IdempotencyKey.objects.count() == 1


def test_a_paid_order_is_read_with_its_buyer_and_seller(caller: Caller) -> None:
    caller.post("/v1/payments", checkout_body())
    pay()
    order = caller.get("/v1/payments/cart-1-1").body
    assert (order["payment_order_status"], order["is_payment_done"]) == ("SUCCESS", True)
    assert (order["captured_amount"], order["refunded_amount"]) == ("10.00", "0.00")
    assert order["ledger_updated"] is order["wallet_updated"] is True
    assert order["buyer_info"] == {"buyer_id": "buyer-1"}
    assert order["seller_info"] == {"seller_account": "seller-books", "name": "Seller-Books"}


def test_a_declined_order_says_why(caller: Caller) -> None:
    caller.post("/v1/payments", checkout_body())
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt, Outcome.DECLINED, decline_code="insufficient_funds")
    order = caller.get("/v1/payments/cart-1-1").body
    assert (order["payment_order_status"], order["is_payment_done"]) == ("FAILED", False)
    assert order["failure_code"] == "declined:insufficient_funds"
    assert caller.get("/v1/checkouts/cart-1").body["checkout_status"] == "failed"


def test_a_checkout_is_read_with_all_its_orders_in_the_shops_order(caller: Caller) -> None:
    orders = [order_body(n, seller_account=f"seller-{name}") for n, name in enumerate(("tea", "books"), 1)]
    caller.post("/v1/payments", checkout_body(payment_orders=orders))
    checkout = caller.get("/v1/checkouts/cart-1").body
    assert [order["payment_order_id"] for order in checkout["payment_orders"]] == ["cart-1-1", "cart-1-2"]
    assert [seller["seller_account"] for seller in checkout["sellers"]] == ["seller-tea", "seller-books"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/payments/nothing", "payment_order_not_found"),
        ("/v1/checkouts/nothing", "checkout_not_found"),
        ("/v1/payments/no%00thing", "not_found"),
        ("/v1/checkouts/no%20thing", "not_found"),
        ("/v1/checkouts/" + "x" * 65, "not_found"),
        ("/v1/nothing", "not_found"),
    ],
)
def test_what_is_not_there_is_a_404_problem(caller: Caller, path: str, code: str) -> None:
    answer = caller.get(path)
    assert (answer.status, answer.code) == (404, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_amounts_are_written_with_exactly_the_decimals_of_the_currency(caller: Caller) -> None:
    orders: list[dict[str, Any]] = [
        order_body(1, amount="7", currency="EUR"),
        order_body(2, amount="1200", currency="JPY"),
        order_body(3, amount="0.5", currency="KWD"),
    ]
    body = checkout_body(payment_orders=orders, payment_method={"type": "card", "token": "pm_visa"})
    answer = caller.post("/v1/payments", body)
    assert [order["amount"] for order in answer.body["payment_orders"]] == ["7.00", "1200", "0.500"]


def test_a_seller_is_opened_once_and_read_back(company: Caller) -> None:
    body = {"seller_account": "seller-new", "name": "Lumen", "email": "pay@lumen.example", "country": "DE"}
    first = company.post("/v1/sellers", body)
    assert (first.status, first.body["commission_rate"], first.body["frozen"]) == (201, "0.1", False)
    again = company.post("/v1/sellers", body)
    assert (again.status, again.body) == (200, first.body)
    assert company.get("/v1/sellers/seller-new").body == first.body
    names = [seller["seller_account"] for seller in company.get("/v1/sellers").body["sellers"]]
    assert names == ["seller-books", "seller-new", "seller-tea"]
    after = company.get("/v1/sellers?after=seller-books").body["sellers"]
    assert [seller["seller_account"] for seller in after] == ["seller-new", "seller-tea"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "Another"}, "holder_exists"),
        ({"email": "another@example.org"}, "holder_exists"),
        ({"country": "KE"}, "holder_exists"),
        ({"commission_rate": "0.2"}, "seller_differs"),
    ],
)
def test_a_seller_is_not_opened_with_other_content(
    company: Caller, change: dict[str, str], code: str
) -> None:
    body = {"seller_account": "seller-new", "name": "Lumen", "email": "pay@lumen.example", "country": "DE"}
    company.post("/v1/sellers", body)
    answer = company.post("/v1/sellers", {**body, **change})
    assert (answer.status, answer.code) == (409, code)


def pay() -> None:
    """The PSP takes the money of the one attempt there is."""
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt)
