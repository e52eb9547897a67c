"""Money out: what is available, where it goes, how it comes back."""

import pytest

from tests.sandbox_psp.client import Api, Receiver, wait_for
from tests.sandbox_psp.conftest import PayFor

DESTINATION = {"type": "iban", "account": "DE89370400440532013000"}


def payout(amount: int = 500, account: str = DESTINATION["account"], **fields: object) -> dict[str, object]:
    return {
        "amount": amount,
        "currency": "EUR",
        "destination": {"type": "iban", "account": account},
        **fields,
    }


def test_a_payout_leaves_the_available_balance_and_arrives(
    api: Api, paid: PayFor, receiver: Receiver
) -> None:
    paid(amount=1000)
    answer = api.post("/v1/payouts", payout(reference="payout-1"), key="p1")
    assert answer.status == 201
    sent = answer.json
    assert (sent["status"], sent["amount"], sent["reference"]) == ("pending", 500, "payout-1")
    assert sent["destination"] == DESTINATION
    assert api.get("/v1/balance").json["available"]["EUR"] == 1000 - 34 - 500
    api.becomes(f"/v1/payouts/{sent['id']}", "paid")
    assert api.balances()["bank:payees"] == 500
    assert [found["id"] for found in api.get("/v1/payouts?reference=payout-1").json["data"]] == [sent["id"]]
    wait_for(lambda: receiver.types(sent["id"]) == ["payout.paid"], what="the event")


def test_no_more_than_the_available_balance(api: Api, paid: PayFor) -> None:
    paid(amount=1000)
    refused = api.post("/v1/payouts", payout(967))
    assert (refused.status, refused.error["code"]) == (400, "balance_insufficient")
    assert api.post("/v1/payouts", payout(966)).status == 201
    assert api.post("/v1/payouts", payout(1)).status == 400
    assert api.post("/v1/payouts", {**payout(1), "currency": "USD"}).status == 400


def test_captured_money_is_pending_until_it_settles(api: Api, paid: PayFor) -> None:
    api.post("/v1/control/settings", {"settlement_seconds": 86400})
    paid(amount=1000)
    assert api.get("/v1/balance").json == {"object": "balance", "pending": {"EUR": 966}, "available": {}}
    assert api.post("/v1/payouts", payout()).error["code"] == "balance_insufficient"
    api.post("/v1/control/clock", {"advance_seconds": 86400})
    assert api.post("/v1/payouts", payout()).status == 201


@pytest.mark.parametrize("account", ["account_closed", "DE41370400440000000001", "000111111113"])
def test_a_payout_to_a_closed_account_fails(api: Api, paid: PayFor, account: str) -> None:
    paid(amount=1000)
    sent = api.post("/v1/payouts", payout(account=account)).json
    failed = api.becomes(f"/v1/payouts/{sent['id']}", "failed")
    assert failed["failure_code"] == "account_closed"
    assert api.get("/v1/balance").json["available"]["EUR"] == 966


@pytest.mark.parametrize("account", ["wrong_account", "DE14370400440000000002", "000222222227"])
def test_a_payout_to_a_wrong_account_is_paid_and_comes_back(
    api: Api, paid: PayFor, receiver: Receiver, account: str
) -> None:
    paid(amount=1000)
    sent = api.post("/v1/payouts", payout(account=account)).json
    returned = api.becomes(f"/v1/payouts/{sent['id']}", "returned")
    assert returned["failure_code"] == "wrong_account"
    assert api.get("/v1/balance").json["available"]["EUR"] == 966
    wait_for(lambda: receiver.types(sent["id"]) == ["payout.paid", "payout.returned"], what="events")


def test_the_balance_is_made_of_its_items(api: Api, paid: PayFor) -> None:
    payment_id = paid(amount=1000, reference="attempt-1")
    api.post("/v1/refunds", {"payment": payment_id, "amount": 300})
    api.post("/v1/payouts", payout(500))
    items = api.get("/v1/balance_transactions").json["data"]
    assert [(item["type"], item["gross"], item["fee"], item["net"]) for item in items] == [
        ("capture", 1000, 34, 966),
        ("refund", -300, 0, -300),
        ("payout", -500, 0, -500),
    ]
    assert (items[0]["payment"], items[0]["reference"]) == (payment_id, "attempt-1")
    wait_for(lambda: api.get("/v1/balance").json["pending"]["EUR"] == 0, what="settlement")
    assert api.get("/v1/balance").json["available"]["EUR"] == sum(item["net"] for item in items)


@pytest.mark.parametrize("destination", [None, "DE89", {"type": "iban"}, {"account": "x"}])
def test_a_destination_needs_type_and_account(api: Api, destination: object) -> None:
    answer = api.post("/v1/payouts", {"amount": 1, "currency": "EUR", "destination": destination})
    assert answer.status == 400
    assert answer.error["param"].startswith("destination")
