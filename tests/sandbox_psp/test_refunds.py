"""Money back: all, parts, too much, late, and back again."""

from concurrent.futures import ThreadPoolExecutor

from tests.sandbox_psp.client import Api, Receiver, wait_for
from tests.sandbox_psp.conftest import PayFor


def test_a_refund_gives_the_cardholder_the_money_and_keeps_the_fee(
    api: Api, paid: PayFor, receiver: Receiver
) -> None:
    payment_id = paid(amount=1000, reference="attempt-1")
    answer = api.post(
        "/v1/refunds", {"payment": payment_id, "reference": "refund-1", "metadata": {"a": "b"}}, key="r1"
    )
    assert answer.status == 201
    refund = answer.json
    assert (refund["status"], refund["amount"], refund["currency"]) == ("succeeded", 1000, "EUR")
    assert (refund["payment"], refund["reference"], refund["metadata"]) == (
        payment_id,
        "refund-1",
        {"a": "b"},
    )
    assert api.get(f"/v1/refunds/{refund['id']}").json == refund
    assert api.get("/v1/refunds?reference=refund-1").json["data"] == [refund]
    assert api.get(f"/v1/refunds?payment={payment_id}").json["data"] == [refund]
    assert api.payment(payment_id)["amount_refunded"] == 1000
    assert api.balances()["issuer:cardholder:visa"] == 10**15
    row = api.get("/v1/charges/summary?reference=attempt-1").json["data"][0]
    assert (row["amount_captured"], row["amount_refunded"]) == (1000, 1000)
    wait_for(lambda: receiver.types(refund["id"]) == ["refund.succeeded"], what="the event")


def test_parts_can_be_refunded_up_to_what_was_captured(api: Api, paid: PayFor) -> None:
    payment_id = paid(amount=1000)
    assert api.post("/v1/refunds", {"payment": payment_id, "amount": 400}).status == 201
    refused = api.post("/v1/refunds", {"payment": payment_id, "amount": 601})
    assert (refused.status, refused.error["code"], refused.error["param"]) == (
        400,
        "amount_too_large",
        "amount",
    )
    assert api.post("/v1/refunds", {"payment": payment_id}).json["amount"] == 600
    assert api.post("/v1/refunds", {"payment": payment_id}).error["code"] == "payment_already_refunded"


def test_refunds_at_once_never_exceed_what_was_captured(api: Api, paid: PayFor) -> None:
    payment_id = paid(amount=1000)
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda _: api.post("/v1/refunds", {"payment": payment_id, "amount": 300}), range(10))
        )
    assert sorted(answer.status for answer in answers) == [201] * 3 + [400] * 7
    assert api.payment(payment_id)["amount_refunded"] == 900


def test_what_was_not_captured_cannot_be_refunded(api: Api) -> None:
    held = api.pay(capture=False).json["id"]
    declined = api.pay("tok_declined").json["payment"]["id"]
    for payment_id in (held, declined):
        answer = api.post("/v1/refunds", {"payment": payment_id})
        assert (answer.status, answer.error["code"]) == (400, "payment_unexpected_state")


def test_a_refund_can_take_its_time(api: Api, paid: PayFor, receiver: Receiver) -> None:
    refund = api.post("/v1/refunds", {"payment": paid("tok_refund_pending")}).json
    assert refund["status"] == "pending"
    assert api.balances()["acquirer:refunds_in_transit"] == 1000
    api.becomes(f"/v1/refunds/{refund['id']}", "succeeded")
    assert api.balances()["acquirer:refunds_in_transit"] == 0
    wait_for(lambda: receiver.types(refund["id"]) == ["refund.pending", "refund.succeeded"], what="events")


def test_a_pending_refund_can_fail_and_the_money_is_the_merchants_again(api: Api, paid: PayFor) -> None:
    payment_id = paid("tok_refund_pending_fails")
    refund = api.post("/v1/refunds", {"payment": payment_id}).json
    assert refund["status"] == "pending"
    failed = api.becomes(f"/v1/refunds/{refund['id']}", "failed")
    assert failed["failure_code"] == "card_account_closed"
    assert api.payment(payment_id)["amount_refunded"] == 0
    assert api.post("/v1/refunds", {"payment": payment_id}).status == 201, "it can be tried again"


def test_a_refund_can_succeed_and_fail_afterwards(api: Api, paid: PayFor, receiver: Receiver) -> None:
    payment_id = paid("tok_refund_fails")
    refund = api.post("/v1/refunds", {"payment": payment_id}).json
    assert refund["status"] == "succeeded"
    api.becomes(f"/v1/refunds/{refund['id']}", "failed")
    assert api.balances()["issuer:cardholder:refund_fails"] == 10**15 - 1000
    assert api.payment(payment_id)["amount_refunded"] == 0
    wait_for(lambda: receiver.types(refund["id"]) == ["refund.succeeded", "refund.failed"], what="events")
