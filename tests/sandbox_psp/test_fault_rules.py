"""When faults strike: at which operation, how often, at what rate; and what tells about them."""

from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from uuid import uuid4

import pytest

from sandbox_psp.faults import KINDS, of_token
from tests.sandbox_psp.client import Api
from tests.sandbox_psp.conftest import PayFor
from tests.sandbox_psp.faulty import BODY, NO_ANSWER


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
