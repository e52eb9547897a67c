"""Each fault really does what its name says, and a caller who recovers properly gets through."""

import json
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from tests.sandbox_psp.client import Api, Receiver, wait_for
from tests.sandbox_psp.conftest import PayFor
from tests.sandbox_psp.faulty import BODY, NO_ANSWER, Armed, both_ways


@both_ways
@pytest.mark.parametrize(
    ("kind", "happens"),
    [
        ("timeout_before", False),
        ("timeout_after", True),
        ("reset_before", False),
        ("reset", True),
        ("reset_after", True),
    ],
)
def test_no_answer(api: Api, armed: Armed, kind: str, happens: bool) -> None:
    body = armed(api, kind)
    with pytest.raises(NO_ANSWER) as failure:
        api.post("/v1/payments", body, key="k1")
    assert (failure.type is ConnectionResetError) == kind.startswith("reset")
    assert api.charged("attempt-1") == ((1, 1, 1000) if happens else (0, 0, 0))
    assert len(api.get("/v1/payments?reference=attempt-1").json["data"]) == int(happens)
    again = api.post("/v1/payments", body, key="k1")
    assert again.status == 201
    assert again.headers.get("Idempotency-Replayed") == ("true" if happens else None)
    assert api.charged("attempt-1") == (1, 1, 1000)
    assert api.fired(kind) == 1


def test_a_time_out_keeps_the_caller_waiting(api: Api) -> None:
    with pytest.raises(TimeoutError):
        api.post("/v1/payments", {**BODY, "source": "tok_fault_timeout_after"}, key="k1", timeout=0.1)
    assert api.post("/v1/payments", {**BODY, "source": "tok_fault_timeout_after"}, key="k1").status == 201
    assert api.charged("attempt-1") == (1, 1, 1000)


@both_ways
def test_truncated_json(api: Api, armed: Armed) -> None:
    body = armed(api, "truncated")
    answer = api.post("/v1/payments", body, key="k1")
    assert answer.status == 201
    with pytest.raises(json.JSONDecodeError):
        _ = answer.json
    assert api.post("/v1/payments", body, key="k1").json["status"] == "succeeded"
    assert api.charged("attempt-1") == (1, 1, 1000)


@both_ways
def test_an_answer_cut_off(api: Api, armed: Armed) -> None:
    body = armed(api, "cut_off")
    with pytest.raises(IncompleteRead):
        api.post("/v1/payments", body, key="k1")
    assert api.post("/v1/payments", body, key="k1").json["status"] == "succeeded"


@both_ways
def test_html_with_200(api: Api, armed: Armed) -> None:
    body = armed(api, "html")
    answer = api.post("/v1/payments", body, key="k1")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.raw.startswith(b"<!doctype html>")
    assert api.post("/v1/payments", body, key="k1").json["status"] == "succeeded"


@both_ways
def test_a_500_that_was_nothing(api: Api, armed: Armed) -> None:
    body = armed(api, "error_500")
    answer = api.post("/v1/payments", body, key="k1")
    assert (answer.status, answer.error["type"]) == (500, "api_error")
    assert api.charged("attempt-1") == (0, 0, 0)
    assert api.post("/v1/payments", body, key="k1").status == 201


@both_ways
@pytest.mark.parametrize(("kind", "charges"), [("error_500_stored", 0), ("error_500_charged", 1)])
def test_a_500_is_stored_and_replayed(api: Api, armed: Armed, kind: str, charges: int) -> None:
    body = armed(api, kind)
    first = api.post("/v1/payments", body, key="k1")
    assert first.status == 500
    for _ in range(3):
        again = api.post("/v1/payments", body, key="k1")
        assert (again.status, again.raw) == (500, first.raw)
        assert again.headers["Idempotency-Replayed"] == "true"
    assert api.charged("attempt-1")[:2] == (charges, charges)
    assert len(api.get("/v1/payments?reference=attempt-1").json["data"]) == charges


def test_409_in_progress_twice_then_through(api: Api) -> None:
    body = {**BODY, "source": "tok_fault_in_progress_409"}
    for _ in range(2):
        answer = api.post("/v1/payments", body, key="k1")
        assert (answer.status, answer.error["code"]) == (409, "idempotency_key_in_use")
    assert api.post("/v1/payments", body, key="k1").status == 201
    assert api.fired("in_progress_409") == 2


@both_ways
def test_429_with_retry_after(api: Api, armed: Armed) -> None:
    body = armed(api, "rate_limited_429")
    answer = api.post("/v1/payments", body, key="k1")
    assert (answer.status, answer.error["type"]) == (429, "rate_limit_error")
    assert answer.headers["Retry-After"] == "1"
    assert api.charged("attempt-1") == (0, 0, 0)
    assert api.post("/v1/payments", body, key="k1").status == 201


def test_an_outage_takes_everything_down_for_a_while(api: Api, paid: PayFor) -> None:
    payment_id = paid()
    api.post("/v1/control/faults", {"kind": "outage", "seconds": 60})
    for answer in (api.pay(), api.get(f"/v1/payments/{payment_id}"), api.get("/v1/payments?reference=x")):
        assert (answer.status, answer.error["code"]) == (503, "service_unavailable")
    assert api.get("/healthz").status == 200
    assert api.fired("outage") == 3
    api.post("/v1/control/clock", {"advance_seconds": 61})
    assert api.pay().status == 201


def test_an_outage_can_close_connections(api: Api) -> None:
    api.post("/v1/control/faults", {"kind": "outage", "count": 2, "mode": "close"})
    for _ in range(2):
        with pytest.raises(RemoteDisconnected):
            api.pay(reference="attempt-1")
    assert api.charged("attempt-1") == (0, 0, 0)
    assert api.pay().status == 201


@both_ways
def test_a_forgotten_key_charges_again_whoever_does_not_ask_first(api: Api, armed: Armed) -> None:
    body = armed(api, "key_forgotten")
    with pytest.raises(RemoteDisconnected):
        api.post("/v1/payments", body, key="k1")
    assert api.get("/v1/payments?reference=attempt-1").json["data"][0]["status"] == "succeeded"
    api.post("/v1/payments", body, key="k1")
    assert api.charged("attempt-1") == (2, 2, 2000), "the books show the double charge"


@both_ways
@pytest.mark.parametrize("kind", ["wrong_amount", "wrong_currency", "wrong_reference"])
def test_wrong_news_everywhere_but_in_the_books(
    api: Api, receiver: Receiver, armed: Armed, kind: str
) -> None:
    answer = api.post("/v1/payments", armed(api, kind), key="k1")
    payment = answer.json
    truth = {"amount": 1000, "amount_captured": 1000, "currency": "EUR", "reference": "attempt-1"}
    lies: dict[str, dict[str, Any]] = {
        "wrong_amount": {"amount": 1001, "amount_captured": 1001},
        "wrong_currency": {"currency": "USD"},
        "wrong_reference": {"reference": payment["reference"]},
    }
    told = {name: payment[name] for name in truth}
    assert told == {**truth, **lies[kind]}
    assert told != truth
    assert api.payment(payment["id"]) == payment
    found = api.get("/v1/payments?reference=attempt-1").json["data"]
    assert found == [payment], "it is found by the true reference"
    wait_for(lambda: receiver.of(payment["id"]), what="the event")
    assert receiver.of(payment["id"])[0]["data"]["object"] == payment
    assert api.charged("attempt-1") == (1, 1, 1000)


def test_a_review_that_takes_days(api: Api) -> None:
    payment = api.pay("tok_fault_slow_review").json
    assert payment["status"] == "in_review"
    api.post("/v1/control/clock", {"advance_seconds": 5 * 86400})
    api.becomes(f"/v1/payments/{payment['id']}", "succeeded")


def test_processing_that_flips_to_declined(api: Api, receiver: Receiver) -> None:
    payment = api.pay("tok_fault_async_flip", reference="attempt-1").json
    assert payment["status"] == "processing"
    api.becomes(f"/v1/payments/{payment['id']}", "declined")
    assert api.charged("attempt-1") == (0, 0, 0)
    wait_for(lambda: len(receiver.of(payment["id"])) == 2, what="two events")
    assert receiver.types(payment["id"]) == ["payment.processing", "payment.declined"]


def test_success_that_flips_to_declined_gives_all_back(api: Api, receiver: Receiver) -> None:
    api.post("/v1/control/faults", {"kind": "async_flip_after_success", "seconds": 0.2})
    payment = api.pay(reference="attempt-1").json
    assert payment["status"] == "succeeded"
    assert api.charged("attempt-1") == (1, 1, 1000)
    flipped = api.becomes(f"/v1/payments/{payment['id']}", "declined")
    assert (flipped["amount_captured"], flipped["decline_code"]) == (0, "reversed_by_network")
    assert api.charged("attempt-1") == (0, 0, 0)
    assert api.balances()["issuer:cardholder:visa"] == 10**15
    wait_for(lambda: len(receiver.of(payment["id"])) == 2, what="two events")
    assert receiver.types(payment["id"]) == ["payment.succeeded", "payment.declined"]


def test_refunds_and_payouts_flip_too(api: Api, paid: PayFor) -> None:
    for operation in ("refunds.create", "payouts.create"):
        api.post("/v1/control/faults", {"kind": "async_flip", "operation": operation})
    refund = api.post("/v1/refunds", {"payment": paid(amount=5000), "amount": 100}).json
    assert refund["status"] == "pending"
    destination = {"type": "iban", "account": "DE89"}
    payout = api.post("/v1/payouts", {"amount": 100, "currency": "EUR", "destination": destination}).json
    api.becomes(f"/v1/refunds/{refund['id']}", "failed")
    api.becomes(f"/v1/payouts/{payout['id']}", "failed")

    for operation in ("refunds.create", "payouts.create"):
        rule = {"kind": "async_flip_after_success", "operation": operation, "seconds": 0.1}
        api.post("/v1/control/faults", rule)
    refund = api.post("/v1/refunds", {"payment": paid(amount=5000), "amount": 100}).json
    assert refund["status"] == "succeeded"
    payout = api.post("/v1/payouts", {"amount": 100, "currency": "EUR", "destination": destination}).json
    api.becomes(f"/v1/refunds/{refund['id']}", "failed")
    api.becomes(f"/v1/payouts/{payout['id']}", "returned")
