"""The sandbox's books: zero-sum at every step, and in step with what the API says."""

import random
from pathlib import Path

import pytest

from sandbox_psp import books
from sandbox_psp.config import Config
from sandbox_psp.sandbox import Sandbox
from tests.sandbox_psp.client import Api, wait_for

CURRENCIES = ("EUR", "JPY", "KWD")
SOURCES = (
    "tok_visa",
    "pm_mastercard",
    "tok_amex",
    "tok_declined",
    "tok_review",
    "tok_refund_pending",
    "tok_disputed",
)


@pytest.mark.parametrize("seed", range(3))
def test_any_walk_through_the_api_leaves_the_books_balanced(api: Api, seed: int) -> None:
    walk = random.Random(seed)
    payments: list[str] = []
    for _ in range(60):
        move = walk.choice(
            ("pay", "pay", "hold", "capture", "cancel", "refund", "payout", "review", "dispute")
        )
        amount = walk.choice((1, 7, 99, 1000, 123_456))
        target = walk.choice(payments) if payments else "pay_none"
        if move in ("pay", "hold"):
            answer = api.pay(
                walk.choice(SOURCES), amount=amount, currency=walk.choice(CURRENCIES), capture=move == "pay"
            )
            payments.append((answer.json.get("payment") or answer.json)["id"])
        elif move == "capture":
            answer = api.post(
                f"/v1/payments/{target}/capture", {"amount": amount, "final": walk.random() < 0.5}
            )
        elif move == "cancel":
            answer = api.post(f"/v1/payments/{target}/cancel")
        elif move == "refund":
            answer = api.post("/v1/refunds", {"payment": target, "amount": amount})
        elif move == "payout":
            destination = {
                "type": "iban",
                "account": walk.choice(("DE89", "account_closed", "wrong_account")),
            }
            answer = api.post(
                "/v1/payouts",
                {"amount": amount, "currency": walk.choice(CURRENCIES), "destination": destination},
            )
        elif move == "review":
            decision = walk.choice(("approve", "reject"))
            answer = api.post(f"/v1/control/payments/{target}/review", {"decision": decision})
        else:
            answer = api.post(f"/v1/control/payments/{target}/dispute", {"amount": amount})
        assert answer.status < 500, answer.raw
        for currency in CURRENCIES:
            api.balances(currency)
    _compare(api, payments)


def _compare(api: Api, payments: list[str]) -> None:
    """What the objects, the summary, the journal and the items say must be the same."""
    summary = {row["payment"]: row for row in api.get("/v1/charges/summary").json["data"]}
    for payment_id in payments:
        shown = api.payment(payment_id)
        row = summary.get(payment_id, {"amount_captured": 0, "amount_refunded": 0, "charges": 0})
        assert shown["amount_captured"] == row["amount_captured"]
        assert shown["amount_refunded"] == row["amount_refunded"]
        assert len(shown["captures"]) == row["charges"]
        journal = api.get(f"/v1/books/entries?source={payment_id}").json["data"]
        taken = [
            posting["amount"]
            for entry in journal
            for posting in entry["postings"]
            if entry["kind"] == "capture" and posting["account"].startswith("issuer:held:")
        ]
        assert -sum(taken) == shown["amount_captured"]
    wait_for(lambda: not any(api.get("/v1/balance").json["pending"].values()), what="settlement")
    items = api.get("/v1/balance_transactions?limit=1000").json["data"]
    for currency, available in api.get("/v1/balance").json["available"].items():
        assert available == sum(item["net"] for item in items if item["currency"] == currency)


def test_the_journal_shows_where_a_payment_went(api: Api) -> None:
    payment = api.pay(amount=10_000).json
    held = api.get(f"/v1/books/entries?source={payment['network_reference']}").json["data"]
    taken = api.get(f"/v1/books/entries?source={payment['id']}").json["data"]
    assert [entry["kind"] for entry in held + taken] == ["hold", "capture"]
    assert {posting["account"]: posting["amount"] for posting in taken[0]["postings"]} == {
        "issuer:held:visa": -10_000,
        "issuer:interchange": 30,
        "scheme:visa:fees": 10,
        "acquirer:fees": 120,
        "acquirer:merchant:pending": 9_840,
    }


def test_the_fee_is_never_more_than_the_payment(api: Api) -> None:
    api.pay(amount=1)
    assert api.get("/v1/balance").json["available"].get("EUR", 0) == 0
    assert api.balances()["acquirer:fees"] == 1


def test_an_entry_that_does_not_balance_is_a_bug_and_leaves_nothing(tmp_path: Path) -> None:
    sandbox = Sandbox(Config(database=f"{tmp_path}/sandbox.sqlite3", secret_key="k"))
    with pytest.raises(books.BooksDoNotBalance), sandbox.writing() as work:
        books.post(work, kind="good", source="x", currency="EUR", legs=[("a:1", 5), ("a:2", -5)])
        books.post(work, kind="bad", source="x", currency="EUR", legs=[("a:1", 5), ("a:2", -4)])
    with sandbox.reading() as work:
        assert books.report(work) == {"object": "books", "accounts": [], "total": {}}
    sandbox.close()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE accounts SET balance = balance + 1 WHERE name = 'a:1'",
        "UPDATE accounts SET balance = balance + CASE name WHEN 'a:1' THEN 1 ELSE -1 END",
        "UPDATE postings SET amount = amount + 1 WHERE amount > 0",
    ],
)
def test_changed_rows_are_noticed(tmp_path: Path, tampering: str) -> None:
    sandbox = Sandbox(Config(database=f"{tmp_path}/sandbox.sqlite3", secret_key="k"))
    with sandbox.writing() as work:
        books.post(work, kind="good", source="x", currency="EUR", legs=[("a:1", 5), ("a:2", -5)])
        work.db.execute(tampering)
    with pytest.raises(books.BooksDoNotBalance), sandbox.reading() as work:
        books.report(work)
    sandbox.close()
