"""One key, one effect: whatever is sent twice, at once, changed, late, or after a refusal."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.sandbox_psp.client import Answer, Api

BODY = {"amount": 1000, "currency": "EUR", "source": "tok_visa", "reference": "attempt-1"}


def test_the_same_request_is_answered_as_the_first_time(api: Api) -> None:
    first = api.post("/v1/payments", BODY, key="k1")
    # Another order of the fields is the same request.
    second = api.post("/v1/payments", dict(reversed(BODY.items())), key="k1")
    assert (second.status, second.raw) == (first.status, first.raw)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert api.charged("attempt-1") == (1, 1, 1000)


def test_a_stored_answer_is_the_one_of_that_moment(api: Api) -> None:
    first = api.post("/v1/payments", {**BODY, "source": "tok_processing"}, key="k1").json
    api.becomes(f"/v1/payments/{first['id']}", "succeeded")
    again = api.post("/v1/payments", {**BODY, "source": "tok_processing"}, key="k1").json
    assert again["status"] == "processing"


def test_a_decline_is_stored(api: Api) -> None:
    first = api.post("/v1/payments", {**BODY, "source": "tok_declined"}, key="k1")
    second = api.post("/v1/payments", {**BODY, "source": "tok_declined"}, key="k1")
    assert (second.status, second.raw) == (402, first.raw)
    assert len(api.get("/v1/payments").json["data"]) == 1


@pytest.mark.parametrize("change", [{"amount": 1001}, {"reference": "attempt-2"}, {"metadata": {"a": "b"}}])
def test_another_body_under_a_used_key_is_refused(api: Api, change: dict[str, object]) -> None:
    api.post("/v1/payments", BODY, key="k1")
    answer = api.post("/v1/payments", {**BODY, **change}, key="k1")
    assert (answer.status, answer.error["type"]) == (400, "idempotency_error")
    assert answer.error["code"] == "idempotency_key_reused"
    assert len(api.get("/v1/payments").json["data"]) == 1


def test_a_key_is_bound_to_its_address(api: Api) -> None:
    payment_id = api.post("/v1/payments", BODY, key="k1").json["id"]
    answer = api.post("/v1/refunds", {"payment": payment_id}, key="k1")
    assert answer.error["type"] == "idempotency_error"


def test_a_refused_request_leaves_the_key_free(api: Api) -> None:
    assert api.post("/v1/payments", {**BODY, "amount": -1}, key="k1").status == 400
    assert api.post("/v1/payments", BODY, key="k1").status == 201


def test_twenty_equal_requests_at_once_are_one_charge(api: Api) -> None:
    for _ in range(5):
        key, reference = str(uuid4()), str(uuid4())
        body = {**BODY, "reference": reference}

        def send(_: int, key: str = key, body: dict[str, object] = body) -> Answer:
            return api.post("/v1/payments", body, key=key)

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(send, range(20)))
        assert {answer.status for answer in answers} <= {201, 409}
        created = {answer.json["id"] for answer in answers if answer.status == 201}
        assert len(created) == 1
        for answer in answers:
            if answer.status == 409:
                assert (answer.error["type"], answer.error["code"]) == (
                    "idempotency_error",
                    "idempotency_key_in_use",
                )
        assert api.charged(reference) == (1, 1, 1000)
        assert api.post("/v1/payments", body, key=key).json["id"] in created


def test_while_the_first_still_runs_the_second_hears_409(api: Api) -> None:
    api.post("/v1/control/latency", {"latency_ms": 400})
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: api.post("/v1/payments", BODY, key="k1"), range(2)))
    early, late = sorted(answers, key=lambda answer: answer.status)
    assert (early.status, late.status) == (201, 409)
    assert (late.error["type"], late.error["code"]) == ("idempotency_error", "idempotency_key_in_use")
    assert late.headers["Retry-After"] == "1"
    assert api.charged("attempt-1") == (1, 1, 1000)


def test_a_key_dies_after_a_day(api: Api) -> None:
    first = api.post("/v1/payments", BODY, key="k1").json["id"]
    api.post("/v1/control/clock", {"advance_seconds": 86400 - 60})
    assert api.post("/v1/payments", BODY, key="k1").json["id"] == first
    api.post("/v1/control/clock", {"advance_seconds": 120})
    second = api.post("/v1/payments", BODY, key="k1")
    assert "Idempotency-Replayed" not in second.headers
    assert second.json["id"] != first


def test_every_other_post_takes_a_key_too(api: Api) -> None:
    payment_id = api.pay(capture=False).json["id"]
    capture = {"amount": 400, "final": False}
    for path, body in (
        (f"/v1/payments/{payment_id}/capture", capture),
        (f"/v1/payments/{payment_id}/cancel", {}),
        ("/v1/refunds", {"payment": payment_id, "amount": 100}),
        ("/v1/payouts", {"amount": 10, "currency": "EUR", "destination": {"type": "iban", "account": "x"}}),
        (
            "/v1/tokens",
            {
                "card": {
                    "number": "4242424242424242",
                    "exp_month": 1,
                    "exp_year": 2040,
                    "cvc": "123",
                    "holder_name": "",
                }
            },
        ),
    ):
        key = str(uuid4())
        first, second = api.post(path, body, key=key), api.post(path, body, key=key)
        assert first.status in (200, 201), first.raw
        assert second.raw == first.raw
        assert second.headers["Idempotency-Replayed"] == "true"
    assert api.payment(payment_id)["amount_captured"] == 400
    assert api.payment(payment_id)["amount_refunded"] == 100


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_odd_key_is_refused(api: Api, key: str) -> None:
    answer = api.post("/v1/payments", BODY, key=key)
    assert (answer.status, answer.error["code"]) == (400, "idempotency_key_invalid")
