"""Webhooks: signed, never early, repeated until taken, in order where nothing goes wrong."""

import hmac
import json
import time
from hashlib import sha256

import pytest

from sandbox_psp.webhooks import sign, signature_for
from tests.sandbox_psp.client import WEBHOOK_SECRET, Api, Receiver, wait_for
from tests.sandbox_psp.conftest import PayFor


def test_an_event_is_signed_over_its_raw_bytes(api: Api, paid: PayFor, receiver: Receiver) -> None:
    payment_id = paid(reference="attempt-1", metadata={"name": "Müller"})
    wait_for(lambda: receiver.deliveries, what="a delivery")
    delivery = receiver.deliveries[0]
    assert delivery.signature is not None
    at, digest = (part.split("=")[1] for part in delivery.signature.split(","))
    assert delivery.signature.startswith("t=")
    assert abs(time.time() - int(at)) < 10
    assert digest == hmac.new(WEBHOOK_SECRET.encode(), f"{at}.".encode() + delivery.body, sha256).hexdigest()
    event = json.loads(delivery.body)
    assert event["id"].startswith("evt_")
    assert (event["type"], event["object"]) == ("payment.succeeded", "event")
    assert event["data"]["object"] == api.payment(payment_id)


def test_events_can_be_read_without_listening(api: Api, paid: PayFor, receiver: Receiver) -> None:
    payment_id = paid()
    listed = api.get(f"/v1/events?object={payment_id}").json["data"]
    assert [event["type"] for event in listed] == ["payment.succeeded"]
    wait_for(lambda: receiver.of(payment_id), what="a delivery")
    assert receiver.of(payment_id)[0]["id"] == listed[0]["id"]
    after = listed[-1]["seq"]
    assert api.get(f"/v1/events?after={after}").json["data"] == []


@pytest.mark.parametrize("refusal", [500, 404, 302])
def test_only_2xx_ends_the_repetitions(api: Api, paid: PayFor, receiver: Receiver, refusal: int) -> None:
    api.post("/v1/control/settings", {"webhook_retry_seconds": 0.2})
    receiver.answers += [refusal, refusal]
    payment_id = paid()
    wait_for(lambda: len(receiver.of(payment_id)) == 3, what="three deliveries")
    assert len({event["id"] for event in receiver.of(payment_id)}) == 1
    pauses = [
        late.at - early.at for early, late in zip(receiver.deliveries, receiver.deliveries[1:], strict=False)
    ]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4
    time.sleep(0.3)
    assert len(receiver.of(payment_id)) == 3


def test_a_listener_that_asks_back_finds_what_the_event_says(api: Api, receiver: Receiver) -> None:
    seen: list[str] = []
    original = receiver.deliveries.append

    def ask(delivery: object) -> None:
        event = delivery.event  # type: ignore[attr-defined]
        seen.append(api.payment(event["data"]["object"]["id"])["status"])
        original(delivery)  # type: ignore[arg-type]

    receiver.deliveries = _Asking(ask)
    for _ in range(20):
        api.pay()
    wait_for(lambda: len(seen) == 20, what="twenty deliveries")
    assert set(seen) == {"succeeded"}


class _Asking(list):  # type: ignore[type-arg]
    """A list that does something when a delivery arrives."""

    def __init__(self, on_append: object) -> None:
        super().__init__()
        self.append = on_append  # type: ignore[method-assign, assignment]


def test_events_of_one_payment_arrive_in_order(api: Api, receiver: Receiver) -> None:
    ids = []
    for _ in range(10):
        payment_id = api.pay(capture=False).json["id"]
        api.post(f"/v1/payments/{payment_id}/capture", {"amount": 400, "final": False})
        api.post(f"/v1/payments/{payment_id}/capture")
        ids.append(payment_id)
    wait_for(lambda: all(len(receiver.of(payment_id)) == 4 for payment_id in ids), what="all events")
    for payment_id in ids:
        assert receiver.types(payment_id) == [
            "payment.authorized",
            "payment.captured",
            "payment.captured",
            "payment.succeeded",
        ]


def test_an_event_shows_the_object_as_it_was_then(api: Api, receiver: Receiver) -> None:
    payment_id = api.pay(capture=False).json["id"]
    api.post(f"/v1/payments/{payment_id}/capture")
    wait_for(lambda: len(receiver.of(payment_id)) == 3, what="three deliveries")
    shown = [event["data"]["object"] for event in receiver.of(payment_id)]
    assert [(payment["status"], payment["amount_captured"]) for payment in shown] == [
        ("authorized", 0),
        ("authorized", 1000),
        ("succeeded", 1000),
    ]


def test_an_event_can_be_asked_for_again(api: Api, paid: PayFor, receiver: Receiver) -> None:
    payment_id = paid()
    wait_for(lambda: len(receiver.of(payment_id)) == 1, what="the delivery")
    event_id = receiver.of(payment_id)[0]["id"]
    assert api.post("/v1/control/webhooks/redeliver", {"event": event_id}).json["queued"] == 1
    wait_for(lambda: len(receiver.of(payment_id)) == 2, what="the repetition")
    assert receiver.of(payment_id)[1] == receiver.of(payment_id)[0]
    assert api.post("/v1/control/webhooks/redeliver", {"event": "evt_none"}).json["queued"] == 0


def test_the_three_forgeries() -> None:
    body = b"{}"
    good = signature_for("genuine", "secret", body, at=1000)
    assert good == sign("secret", body, at=1000)
    assert signature_for("unsigned", "secret", body, at=1000) is None
    assert signature_for("wrong_secret", "secret", body, at=1000) not in (good, None)
    stale = signature_for("stale", "secret", body, at=100_000)
    assert stale == sign("secret", body, at=100_000 - 86400)
