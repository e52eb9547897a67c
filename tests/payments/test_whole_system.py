"""The whole system by HTTP alone: web, workers, sweeper and the PSP are processes of their own."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import redis
import requests

from paymentsite.api_client import ApiClient
from tests.stack import Stack

pytestmark = pytest.mark.stack

SELLERS = ("seller-books", "seller-tea", "seller-lamps")


class Psp:
    """The sandbox PSP as its merchant and its makers see it."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.sandbox_url
        self._headers = {"Authorization": f"Bearer {stack.environment['SANDBOX_PSP_SECRET_KEY']}"}

    def get(self, path: str, **params: str) -> Any:
        """GET."""
        answer = requests.get(self._url + path, params=params, headers=self._headers, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        """POST."""
        answer = requests.post(self._url + path, json=body, headers=self._headers, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def charges(self, reference: str) -> list[dict[str, Any]]:
        """What was really taken under a reference, by the PSP's own books."""
        found: list[dict[str, Any]] = self.get("/v1/charges/summary", reference=reference)["data"]
        return found


@pytest.fixture(scope="module")
def shop(stack: Stack) -> ApiClient:
    return ApiClient(base_url=stack.url, api_key=stack.sample["api_key"])


@pytest.fixture(scope="module")
def company(stack: Stack) -> ApiClient:
    return ApiClient(base_url=stack.url, api_key=stack.sample["company_api_key"])


@pytest.fixture(scope="module")
def psp(stack: Stack) -> Psp:
    return Psp(stack)


@pytest.fixture
def books(stack: Stack) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def checkout(name: str, *amounts: str, source: str = "tok_visa") -> dict[str, Any]:
    """A card checkout for the sample's sellers in turn."""
    return {
        "checkout_id": name,
        "buyer_info": {"buyer_id": f"buyer-of-{name}"},
        "payment_method": {"type": "card", "token": source},
        "payment_orders": [
            {
                "payment_order_id": f"{name}-{number}",
                "seller_account": SELLERS[number % 3],
                "amount": amount,
                "currency": "EUR",
            }
            for number, amount in enumerate(amounts)
        ],
    }


def attempts_of(books: "psycopg.Connection[Any]", checkout_id: str) -> list[str]:
    """Our attempts for this checkout; the PSP knows them by these references."""
    rows = books.execute(
        "SELECT a.id::text FROM payments_paymentattempt a JOIN payments_paymentevent e ON e.id = a.event_id"
        " WHERE e.checkout_id = %s",
        [checkout_id],
    )
    return [row[0] for row in rows]


def pending_of(company: ApiClient, seller: str) -> Decimal:
    """What this seller has sold and not yet been released, in euros."""
    wallets = company.get(f"/v1/sellers/{seller}/wallets").json()["wallets"]
    return sum((Decimal(w["pending"]["amount"]) for w in wallets if w["currency"] == "EUR"), Decimal(0))


def test_three_sellers_are_paid_by_one_charge(
    shop: ApiClient, company: ApiClient, psp: Psp, books: "psycopg.Connection[Any]"
) -> None:
    before = {seller: pending_of(company, seller) for seller in SELLERS}
    assert shop.post("/v1/payments", checkout("e2e-three", "40.00", "15.50", "0.99")).status_code == 201
    paid = shop.wait_for_checkout("e2e-three")
    assert (paid["checkout_status"], paid["is_payment_done"]) == ("paid", True)
    for order in paid["payment_orders"]:
        assert order["payment_order_status"] == "SUCCESS"
        assert order["captured_amount"] == order["amount"]
        assert order["ledger_updated"] is order["wallet_updated"] is True
    (attempt,) = attempts_of(books, "e2e-three")
    assert [(row["charges"], row["amount_captured"]) for row in psp.charges(attempt)] == [(1, 5649)]
    grown = {seller: pending_of(company, seller) - before[seller] for seller in SELLERS}
    assert grown == {
        "seller-books": Decimal("36.00"),
        "seller-tea": Decimal("13.95"),
        "seller-lamps": Decimal("0.89"),
    }


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_declined", "declined:do_not_honor"),
        ("tok_insufficient_funds", "declined:insufficient_funds"),
        ("tok_expired_card", "declined:expired_card"),
        ("tok_unknown_to_everybody", "refused:token_unknown"),
    ],
)
def test_a_card_that_is_declined_says_why(
    shop: ApiClient, psp: Psp, books: "psycopg.Connection[Any]", token: str, code: str
) -> None:
    name = f"e2e-{token}"
    shop.post("/v1/payments", checkout(name, "12.00", "3.00", source=token))
    failed = shop.wait_for_checkout(name)
    assert failed["checkout_status"] == "failed"
    assert {order["failure_code"] for order in failed["payment_orders"]} == {code}
    assert psp.charges(attempts_of(books, name)[0]) == []


@pytest.mark.parametrize("key", ["", "e2e-key"], ids=["by checkout_id", "by key"])
def test_fifty_posts_at_once_are_one_charge(
    shop: ApiClient, stack: Stack, psp: Psp, books: "psycopg.Connection[Any]", key: str
) -> None:
    name = f"e2e-fifty{'-key' if key else ''}"
    body = checkout(name, "25.00", "5.00", source="pm_visa")

    def post(_: int) -> int:
        client = ApiClient(base_url=stack.url, api_key=stack.sample["api_key"])
        return client.post("/v1/payments", body, idempotency_key=key).status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = Counter(pool.map(post, range(50)))
    assert statuses.keys() <= {200, 201, 409}, statuses
    assert shop.wait_for_checkout(name)["checkout_status"] == "paid"
    time.sleep(2.5)  # One more sweep: whatever would charge again has had its chance.
    (attempt,) = attempts_of(books, name)
    assert [(row["charges"], row["amount_captured"]) for row in psp.charges(attempt)] == [(1, 3000)]


def test_work_that_the_broker_forgot_is_found_by_the_sweeper(stack: Stack, shop: ApiClient) -> None:
    names = [f"e2e-flushed-{number}" for number in range(10)]
    with without(stack, "sweeper"):
        with without(stack, "worker-psp"):
            for name in names:
                assert shop.post("/v1/payments", checkout(name, "7.00")).status_code == 201
            redis.Redis.from_url(stack.environment["REDIS_URL"]).flushdb()
        assert shop.wait_for_checkout(names[0], seconds=2)["checkout_status"] == "pending"
    for name in names:
        assert shop.wait_for_checkout(name)["checkout_status"] == "paid"


@contextmanager
def without(stack: Stack, process: str) -> Iterator[None]:
    """The system while one of its processes is down."""
    stack.stop(process)
    try:
        yield
    finally:
        stack.start(process)


FAULTS = (
    *("reset", "reset_before", "truncated", "cut_off", "html", "error_500", "error_500_charged"),
    *("in_progress_409", "rate_limited_429", "webhook_duplicate", "webhook_reordered", "webhook_lost"),
    "webhook_forged",
)


def test_answers_that_are_lost_and_webhooks_that_go_astray_charge_once(
    shop: ApiClient, psp: Psp, books: "psycopg.Connection[Any]"
) -> None:
    for fault in FAULTS:
        shop.post("/v1/payments", checkout(f"e2e-{fault}", "9.00", source=f"pm_fault_{fault}"))
    for fault in FAULTS:
        paid = shop.wait_for_checkout(f"e2e-{fault}")
        assert paid["checkout_status"] == "paid", f"{fault}: {paid}"
    for fault in FAULTS:
        (attempt,) = attempts_of(books, f"e2e-{fault}")
        assert [row["amount_captured"] for row in psp.charges(attempt)] == [900], fault


def test_a_charge_that_is_processing_and_then_declined_has_failed(shop: ApiClient) -> None:
    shop.post("/v1/payments", checkout("e2e-flip", "9.00", source="pm_fault_async_flip"))
    assert shop.wait_for_checkout("e2e-flip")["checkout_status"] == "failed"


def test_a_buyer_who_passes_the_challenge_has_paid(
    shop: ApiClient, psp: Psp, books: "psycopg.Connection[Any]"
) -> None:
    shop.post("/v1/payments", checkout("e2e-3ds", "30.00", source="tok_3ds"))
    deadline = time.monotonic() + 20
    reason = None
    while reason != "requires_action" and time.monotonic() < deadline:
        reason = shop.get("/v1/payments/e2e-3ds-0").json()["pending_reason"]
        time.sleep(0.1)
    assert reason == "requires_action"
    (attempt,) = attempts_of(books, "e2e-3ds")
    (payment,) = psp.get("/v1/payments", reference=attempt)["data"]
    psp.post(f"/v1/control/payments/{payment['id']}/challenge", {"result": "approve"})
    assert shop.wait_for_checkout("e2e-3ds")["checkout_status"] == "paid"


def test_the_psps_books_equal_ours_and_all_invariants_hold(
    stack: Stack, shop: ApiClient, psp: Psp, books: "psycopg.Connection[Any]"
) -> None:
    """Over everything that was paid in this system so far, and ten checkouts more."""
    for number in range(10):
        shop.post("/v1/payments", checkout(f"e2e-equal-{number}", f"{number}.99", "0.01"))
    for number in range(10):
        assert shop.wait_for_checkout(f"e2e-equal-{number}")["checkout_status"] == "paid"
    summary = psp.get("/v1/charges/summary")
    theirs = {row["reference"]: (row["charges"], row["amount_captured"]) for row in summary["data"]}
    ours = {
        reference: (1, int(captured * 100))
        for reference, captured in books.execute(
            "SELECT id::text, captured FROM payments_paymentattempt WHERE status = 'SUCCEEDED'"
        )
    }
    assert theirs == ours
    receivable = books.execute(
        "SELECT p.amount FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
        " WHERE a.code = 'psp_receivable:sandbox:EUR'"
    ).fetchall()
    euros = summary["totals"]["EUR"]
    owed = euros["amount_captured"] - euros["amount_refunded"]
    assert int(sum(amount for (amount,) in receivable) * 100) == owed
    assert all(total == 0 for total in psp.get("/v1/books")["total"].values())
    checked = stack.manage("check_invariants")
    assert checked.returncode == 0, checked.stdout + checked.stderr
