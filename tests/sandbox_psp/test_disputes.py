"""Disputes: the money leaves, and comes back only to who convinces."""

from tests.sandbox_psp.client import Api, Receiver, wait_for
from tests.sandbox_psp.conftest import PayFor


def merchant(api: Api) -> int:
    balance = api.get("/v1/balance").json
    return int(balance["pending"].get("EUR", 0) + balance["available"].get("EUR", 0))


def test_the_disputed_card_opens_a_dispute_at_once(api: Api, paid: PayFor, receiver: Receiver) -> None:
    payment_id = paid("tok_disputed", reference="attempt-1")
    dispute = api.get(f"/v1/disputes?payment={payment_id}").json["data"][0]
    assert (dispute["status"], dispute["amount"], dispute["reason"]) == ("needs_response", 1000, "fraudulent")
    assert (dispute["payment"], dispute["reference"], dispute["fee"]) == (payment_id, "attempt-1", 1500)
    assert merchant(api) == 966 - 1000 - 1500
    assert api.payment(payment_id)["amount_disputed"] == 1000
    wait_for(
        lambda: receiver.types(dispute["id"]) == ["dispute.created", "dispute.funds_withdrawn"],
        what="the events",
    )


def test_winning_evidence_brings_the_money_back_but_not_the_fee(
    api: Api, paid: PayFor, receiver: Receiver
) -> None:
    payment_id = paid("tok_disputed")
    dispute_id = api.get(f"/v1/disputes?payment={payment_id}").json["data"][0]["id"]
    answer = api.post(f"/v1/disputes/{dispute_id}/evidence", {"evidence": "winning_evidence"})
    assert answer.json["status"] == "won"
    assert merchant(api) == 966 - 1500
    assert api.payment(payment_id)["amount_disputed"] == 0
    wait_for(
        lambda: (
            receiver.types(dispute_id)[2:] == ["dispute.submitted", "dispute.funds_reinstated", "dispute.won"]
        ),
        what="the events",
    )


def test_losing_evidence_gives_the_cardholder_the_money(api: Api, paid: PayFor) -> None:
    payment_id = paid("tok_disputed")
    dispute_id = api.get(f"/v1/disputes?payment={payment_id}").json["data"][0]["id"]
    answer = api.post(f"/v1/disputes/{dispute_id}/evidence", {"evidence": "losing_evidence"})
    assert answer.json["status"] == "lost"
    assert api.balances()["issuer:cardholder:disputed"] == 10**15
    assert merchant(api) == 966 - 1000 - 1500
    again = api.post(f"/v1/disputes/{dispute_id}/evidence", {"evidence": "winning_evidence"})
    assert (again.status, again.error["code"]) == (400, "dispute_unexpected_state")


def test_other_evidence_waits_for_a_decision(api: Api, paid: PayFor) -> None:
    opened = api.post(
        f"/v1/control/payments/{paid()}/dispute", {"amount": 400, "reason": "product_not_received"}
    )
    assert (opened.status, opened.json["amount"]) == (201, 400)
    path = f"/v1/disputes/{opened.json['id']}"
    assert api.post(f"{path}/evidence", {"evidence": "tracking number"}).json["status"] == "under_review"
    assert api.post(f"/v1/control{path[3:]}", {"outcome": "won"}).json["status"] == "won"
    assert api.get(path).json["status"] == "won"


def test_an_inquiry_takes_no_money(api: Api, paid: PayFor) -> None:
    payment_id = paid()
    opened = api.post(f"/v1/control/payments/{payment_id}/dispute", {"kind": "inquiry"}).json
    assert (opened["kind"], opened["fee"]) == ("inquiry", 0)
    assert merchant(api) == 966
    assert api.post(f"/v1/disputes/{opened['id']}/close").json["status"] == "lost"
    assert merchant(api) == 966


def test_a_chargeback_after_a_refund_takes_the_money_twice(api: Api, paid: PayFor) -> None:
    payment_id = paid()
    api.post("/v1/refunds", {"payment": payment_id})
    api.post(f"/v1/control/payments/{payment_id}/dispute")
    assert merchant(api) == 966 - 1000 - 1000 - 1500
    assert api.post(f"/v1/control/payments/{payment_id}/dispute").error["code"] == "amount_too_large"


def test_a_dispute_that_nobody_answers_is_lost(api: Api, paid: PayFor) -> None:
    dispute_id = api.post(f"/v1/control/payments/{paid()}/dispute").json["id"]
    api.post("/v1/control/clock", {"advance_seconds": 10 * 86400})
    api.becomes(f"/v1/disputes/{dispute_id}", "lost")
