"""Webhooks that are lost, late, doubled, out of order or forged."""

from tests.sandbox_psp.client import Api, Receiver, wait_for
from tests.sandbox_psp.faulty import Armed, both_ways


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
