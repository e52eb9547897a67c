"""Each fault really does what its name says, and a caller who recovers properly gets through."""

import json
from collections.abc import Callable
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from typing import Any
from uuid import uuid4

import pytest

from sandbox_psp.faults import KINDS, of_token
from tests.sandbox_psp.client import Api, Receiver, wait_for
from tests.sandbox_psp.conftest import PayFor

BODY: dict[str, Any] = {"amount": 1000, "currency": "EUR", "reference": "attempt-1"}
Armed = Callable[[Api, str], dict[str, Any]]
NO_ANSWER = (RemoteDisconnected, ConnectionResetError)


def by_token(api: Api, kind: str) -> dict[str, Any]:
    return {**BODY, "source": f"tok_fault_{kind}"}


def by_rule(api: Api, kind: str) -> dict[str, Any]:
    assert api.post("/v1/control/faults", {"kind": kind}).status == 201
    return {**BODY, "source": "tok_visa"}


both_ways = pytest.mark.parametrize("armed", [by_token, by_rule])


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


@both_ways
def test_a_lost_webhook(api: Api, receiver: Receiver, armed: Armed) -> None:
    lost = api.post("/v1/payments", armed(api, "webhook_lost"), key="k1").json["id"]
    heard = api.pay().json["id"]
    wait_for(lambda: receiver.of(heard), what="the other event")
    assert receiver.of(lost, genuine=False) == []
    assert len(api.get(f"/v1/events?object={lost}").json["data"]) == 1
    assert api.fired("webhook_lost") == 1


def test_a_late_webhook(api: Api, receiver: Receiver) -> None:
    api.post("/v1/control/faults", {"kind": "webhook_late", "seconds": 0.5})
    late, heard = api.pay().json["id"], api.pay().json["id"]
    wait_for(lambda: receiver.of(heard), what="the other event")
    assert receiver.of(late) == []
    wait_for(lambda: receiver.of(late), what="the late event")


@both_ways
def test_a_webhook_three_times(api: Api, receiver: Receiver, armed: Armed) -> None:
    payment_id = api.post("/v1/payments", armed(api, "webhook_duplicate"), key="k1").json["id"]
    wait_for(lambda: len(receiver.of(payment_id)) == 3, what="three deliveries")
    assert len({event["id"] for event in receiver.of(payment_id)}) == 1


def test_webhooks_out_of_order(api: Api, receiver: Receiver) -> None:
    payment = api.pay("tok_fault_webhook_reordered").json
    assert payment["status"] == "succeeded"
    listed = api.get(f"/v1/events?object={payment['id']}").json["data"]
    assert [event["type"] for event in listed] == ["payment.processing", "payment.succeeded"]
    wait_for(lambda: len(receiver.of(payment["id"])) == 2, what="two events", within_seconds=10)
    assert receiver.types(payment["id"]) == ["payment.succeeded", "payment.processing"]


@both_ways
def test_forged_webhooks_beside_the_true_one(api: Api, receiver: Receiver, armed: Armed) -> None:
    payment_id = api.post("/v1/payments", armed(api, "webhook_forged"), key="k1").json["id"]
    wait_for(lambda: len(receiver.of(payment_id, genuine=False)) == 4, what="four deliveries")
    assert receiver.types(payment_id) == ["payment.succeeded"]
    forged = [delivery for delivery in receiver.deliveries if not delivery.genuine]
    assert sum(delivery.signature is None for delivery in forged) == 1
    listed = {event["id"] for event in api.get("/v1/events").json["data"]}
    assert all(delivery.event["id"] not in listed for delivery in forged)


def test_a_forged_webhook_claims_success_of_what_was_declined(api: Api, receiver: Receiver) -> None:
    api.post("/v1/control/faults", {"kind": "webhook_forged", "variants": ["wrong_secret"]})
    payment_id = api.pay("tok_declined").json["payment"]["id"]
    wait_for(lambda: len(receiver.of(payment_id, genuine=False)) == 2, what="two deliveries")
    assert receiver.types(payment_id) == ["payment.declined"]
    assert "payment.succeeded" in [event["type"] for event in receiver.of(payment_id, genuine=False)]


def test_webhook_rules_choose_by_type(api: Api, receiver: Receiver) -> None:
    api.post("/v1/control/faults", {"kind": "webhook_lost", "operation": "payment.captured", "count": 100})
    payment_id = api.pay(capture=False).json["id"]
    api.post(f"/v1/payments/{payment_id}/capture")
    wait_for(lambda: len(receiver.of(payment_id)) == 2, what="two events")
    assert receiver.types(payment_id) == ["payment.authorized", "payment.succeeded"]


@pytest.mark.parametrize(
    ("operation", "path"), [("capture", "/v1/payments/{}/capture"), ("cancel", "/v1/payments/{}/cancel")]
)
def test_a_token_can_move_the_fault_to_a_later_operation(api: Api, operation: str, path: str) -> None:
    created = api.pay(f"tok_fault_timeout_after_on_{operation}", capture=False)
    assert created.status == 201
    payment_id = created.json["id"]
    with pytest.raises(RemoteDisconnected):
        api.post(path.format(payment_id), key="k2")
    assert api.payment(payment_id)["status"] in ("succeeded", "canceled")
    assert api.post(path.format(payment_id), key="k2").headers["Idempotency-Replayed"] == "true"


def test_a_token_can_move_the_fault_to_the_refund(api: Api, paid: PayFor) -> None:
    payment_id = paid("pm_fault_reset_before_on_refund")
    with pytest.raises(ConnectionResetError):
        api.post("/v1/refunds", {"payment": payment_id}, key="k2")
    assert api.payment(payment_id)["amount_refunded"] == 0
    assert api.post("/v1/refunds", {"payment": payment_id}, key="k2").status == 201


def test_the_fault_of_an_unconfirmed_payment_waits_for_its_confirmation(api: Api) -> None:
    created = api.pay("tok_fault_timeout_after", confirm=False, reference="attempt-1")
    assert created.status == 201
    path = f"/v1/payments/{created.json['id']}/confirm"
    with pytest.raises(RemoteDisconnected):
        api.post(path, key="k2")
    assert api.charged("attempt-1") == (1, 1, 1000)
    assert api.post(path, key="k2").json["status"] == "succeeded"


def test_queries_can_fail_too(api: Api, paid: PayFor) -> None:
    payment_id = paid()
    api.post("/v1/control/faults", {"kind": "html", "operation": "payments.get"})
    api.post(
        "/v1/control/faults", {"kind": "timeout_before", "operation": "payments.list", "hang_seconds": 0}
    )
    assert api.get(f"/v1/payments/{payment_id}").raw.startswith(b"<!doctype")
    with pytest.raises(RemoteDisconnected):
        api.get("/v1/payments?reference=x")
    assert api.payment(payment_id)["status"] == "succeeded"


def test_a_rate_strikes_the_same_requests_on_every_run_with_a_seed(api: Api) -> None:
    def run(seed: object) -> list[int]:
        api.call("DELETE", "/v1/control/faults")
        api.post("/v1/control/faults", {"kind": "error_500", "rate": 0.3, "seed": seed})
        return [api.pay().status for _ in range(40)]

    first = run(7)
    assert run(7) == first
    assert run("another") != first
    assert 3 <= first.count(500) <= 25
    assert set(first) == {201, 500}


def test_rules_are_listed_counted_and_cleared(api: Api) -> None:
    api.post("/v1/control/faults", {"kind": "error_500", "count": 2})
    statuses = [api.pay().status for _ in range(3)]
    assert statuses == [500, 500, 201]
    report = api.get("/v1/control/faults").json
    assert [(rule["kind"], rule["count"], rule["fired"]) for rule in report["rules"]] == [("error_500", 0, 2)]
    assert report["fired"] == {"error_500": 2}
    assert set(report["kinds"]) == set(KINDS)
    api.post("/v1/control/faults", {"kind": "error_500", "count": 100})
    assert api.call("DELETE", "/v1/control/faults").json["rules"] == []
    assert api.pay().status == 201
    assert api.fired("error_500") == 2


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"kind": "earthquake"},
        {"kind": "reset", "count": 0},
        {"kind": "reset", "rate": 1.5},
        {"kind": "reset", "copies": 2},
        {"kind": "webhook_duplicate", "copies": "many"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(api: Api, rule: dict[str, object]) -> None:
    assert api.post("/v1/control/faults", rule).status == 400
    assert api.get("/v1/control/faults").json["rules"] == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_its_token(api: Api, kind: str) -> None:
    token_fault = of_token(f"tok_fault_{kind}")
    assert token_fault is not None
    assert token_fault.fault.kind == kind
    key, reference = str(uuid4()), str(uuid4())
    body = {**BODY, "reference": reference, "source": f"tok_fault_{kind}"}
    for _ in range(4):
        try:
            api.post("/v1/payments", body, key=key)
        except (*NO_ANSWER, IncompleteRead):
            continue
    assert api.fired(kind) >= 1 or kind == "outage"
    assert api.charged(reference)[0] <= (2 if kind == "key_forgotten" else 1)


def test_the_control_surface_meets_no_fault(api: Api) -> None:
    api.post("/v1/control/faults", {"kind": "outage", "seconds": 60, "operation": "*"})
    assert api.post("/v1/control/settings").status == 200
    assert api.call("DELETE", "/v1/control/faults").status == 200


def test_a_reset_closes_only_its_own_connection(api: Api) -> None:
    connection = HTTPConnection("127.0.0.1", api.port, timeout=5)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b'{"status":"ok"}'
    with pytest.raises(ConnectionResetError):
        api.pay("tok_fault_reset_before")
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
