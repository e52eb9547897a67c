"""Payments: every ready-made token, and every step a payment can take."""

import pytest

from tests.sandbox_psp.client import Api, Receiver, wait_for


@pytest.mark.parametrize(
    ("source", "scheme", "last4"),
    [
        ("tok_visa", "visa", "4242"),
        ("pm_visa", "visa", "4242"),
        ("tok_mastercard", "mastercard", "4444"),
        ("tok_mastercard_2", "mastercard", "3222"),
        ("tok_amex", "amex", "0005"),
        ("tok_discover", "discover", "1117"),
        ("tok_diners", "diners", "0004"),
        ("tok_jcb", "jcb", "0505"),
        ("tok_unionpay", "unionpay", "0005"),
    ],
)
def test_a_good_card_pays_over_its_own_scheme(api: Api, source: str, scheme: str, last4: str) -> None:
    answer = api.pay(source, amount=12345, reference="attempt-1", metadata={"order": "7"})
    assert answer.status == 201
    payment = answer.json
    assert payment["status"] == "succeeded"
    assert (payment["amount"], payment["amount_captured"], payment["amount_capturable"]) == (12345, 12345, 0)
    assert (payment["reference"], payment["metadata"], payment["currency"]) == (
        "attempt-1",
        {"order": "7"},
        "EUR",
    )
    assert (payment["scheme"], payment["last4"], payment["network_code"]) == (scheme, last4, "00")
    assert len(payment["network_reference"]) == 12
    assert len(payment["approval_code"]) == 6
    assert payment["next_action"] is None
    assert api.payment(payment["id"]) == payment
    assert api.charged("attempt-1") == (1, 1, 12345)


def test_two_cards_with_the_same_last_digits_have_their_own_accounts(api: Api) -> None:
    api.pay("tok_amex", amount=100)
    api.pay("tok_unionpay", amount=200)
    balances = api.balances()
    assert balances["issuer:cardholder:amex"] == 10**15 - 100
    assert balances["issuer:cardholder:unionpay"] == 10**15 - 200


@pytest.mark.parametrize(
    ("source", "decline_code", "network_code"),
    [
        ("tok_declined", "do_not_honor", "05"),
        ("tok_insufficient_funds", "insufficient_funds", "51"),
        ("tok_expired_card", "expired_card", "54"),
        ("tok_lost_card", "lost_card", "41"),
        ("tok_stolen_card", "stolen_card", "43"),
        ("tok_incorrect_cvc", "incorrect_cvc", "N7"),
        ("tok_issuer_unavailable", "issuer_unavailable", "91"),
        ("tok_limit_exceeded", "limit_exceeded", "61"),
        ("tok_processing_error", "processing_error", "96"),
        ("pm_declined", "do_not_honor", "05"),
    ],
)
def test_a_bad_card_is_declined_with_402(api: Api, source: str, decline_code: str, network_code: str) -> None:
    answer = api.pay(source, reference="attempt-1")
    assert answer.status == 402
    assert answer.error["type"] == "card_error"
    assert answer.error["code"] == "card_declined"
    assert (answer.error["decline_code"], answer.error["network_code"]) == (decline_code, network_code)
    payment = answer.json["payment"]
    assert (payment["status"], payment["decline_code"]) == ("declined", decline_code)
    assert payment["amount_captured"] == 0
    assert api.charged("attempt-1") == (0, 0, 0)
    assert api.payment(payment["id"])["status"] == "declined"


def test_acquirer_and_issuer_talk_in_iso_8583_and_the_log_masks_the_number(api: Api) -> None:
    payment = api.pay(amount=12345, capture=False).json
    api.post(f"/v1/payments/{payment['id']}/cancel")
    reference = payment["network_reference"]
    messages = api.get(f"/v1/messages?network_reference={reference}").json["data"]
    asked, answered = messages[0]["request"], messages[0]["response"]
    assert (asked["mti"], asked["4"], asked["49"], asked["37"]) == ("0100", "000000012345", "978", reference)
    assert asked["2"] == "424242******4242"
    assert (answered["mti"], answered["39"], answered["38"]) == ("0110", "00", payment["approval_code"])
    assert [(entry["request"]["mti"], entry["response"]["mti"]) for entry in messages[1:]] == [
        ("0400", "0410")
    ]


def test_authorise_then_capture_all(api: Api, receiver: Receiver) -> None:
    payment = api.pay(capture=False).json
    assert (payment["status"], payment["amount_capturable"], payment["amount_captured"]) == (
        "authorized",
        1000,
        0,
    )
    assert api.balances()["issuer:held:visa"] == 1000
    answer = api.post(f"/v1/payments/{payment['id']}/capture", {"reference": "capture-1"}, key="c1")
    assert answer.status == 200
    assert (answer.json["status"], answer.json["amount_captured"]) == ("succeeded", 1000)
    assert [(row["amount"], row["reference"]) for row in answer.json["captures"]] == [(1000, "capture-1")]
    assert api.balances()["issuer:held:visa"] == 0
    wait_for(lambda: len(receiver.types(payment["id"])) == 3, what="three events")
    assert receiver.types(payment["id"]) == ["payment.authorized", "payment.captured", "payment.succeeded"]


def test_several_captures_up_to_the_authorised_amount(api: Api) -> None:
    payment_id = api.pay(capture=False, reference="attempt-1").json["id"]
    first = api.post(f"/v1/payments/{payment_id}/capture", {"amount": 300, "final": False})
    assert (first.json["status"], first.json["amount_capturable"]) == ("authorized", 700)
    refused = api.post(f"/v1/payments/{payment_id}/capture", {"amount": 701})
    assert (refused.status, refused.error["code"], refused.error["param"]) == (
        400,
        "amount_too_large",
        "amount",
    )
    second = api.post(f"/v1/payments/{payment_id}/capture", {"amount": 700, "final": False})
    assert (second.json["status"], second.json["amount_captured"]) == ("succeeded", 1000)
    assert api.charged("attempt-1") == (1, 2, 1000)


def test_a_final_partial_capture_gives_the_rest_back(api: Api) -> None:
    payment_id = api.pay(capture=False).json["id"]
    answer = api.post(f"/v1/payments/{payment_id}/capture", {"amount": 400})
    assert (answer.json["status"], answer.json["amount_captured"]) == ("succeeded", 400)
    balances = api.balances()
    assert balances["issuer:held:visa"] == 0
    assert balances["issuer:cardholder:visa"] == 10**15 - 400


def test_cancel_gives_the_hold_back(api: Api, receiver: Receiver) -> None:
    payment_id = api.pay(capture=False).json["id"]
    answer = api.post(f"/v1/payments/{payment_id}/cancel", {"reason": "abandoned"})
    assert (answer.status, answer.json["status"], answer.json["amount_capturable"]) == (200, "canceled", 0)
    assert api.balances()["issuer:cardholder:visa"] == 10**15
    wait_for(lambda: "payment.canceled" in receiver.types(payment_id), what="the event")
    again = api.post(f"/v1/payments/{payment_id}/capture")
    assert (again.status, again.error["code"]) == (400, "payment_unexpected_state")
    assert again.json["payment"]["status"] == "canceled"


def test_cancel_after_a_partial_capture_keeps_what_was_taken(api: Api) -> None:
    payment_id = api.pay(capture=False).json["id"]
    api.post(f"/v1/payments/{payment_id}/capture", {"amount": 400, "final": False})
    answer = api.post(f"/v1/payments/{payment_id}/cancel")
    assert (answer.json["status"], answer.json["amount_captured"]) == ("succeeded", 400)
    assert api.balances()["issuer:held:visa"] == 0


def test_a_finished_payment_cannot_be_canceled(api: Api) -> None:
    payment_id = api.pay().json["id"]
    answer = api.post(f"/v1/payments/{payment_id}/cancel")
    assert (answer.status, answer.error["code"]) == (400, "payment_unexpected_state")


def test_a_hold_expires_after_seven_days(api: Api, receiver: Receiver) -> None:
    payment_id = api.pay(capture=False).json["id"]
    api.post("/v1/control/clock", {"advance_seconds": 6 * 86400})
    assert api.payment(payment_id)["status"] == "authorized"
    api.post("/v1/control/clock", {"advance_seconds": 86400})
    api.becomes(f"/v1/payments/{payment_id}", "expired")
    assert api.balances()["issuer:cardholder:visa"] == 10**15
    wait_for(lambda: "payment.expired" in receiver.types(payment_id), what="the event")


def test_create_unconfirmed_then_confirm(api: Api) -> None:
    created = api.pay(confirm=False, reference="attempt-1")
    assert (created.status, created.json["status"]) == (201, "requires_confirmation")
    assert api.charged("attempt-1") == (0, 0, 0)
    confirmed = api.post(f"/v1/payments/{created.json['id']}/confirm", key="confirm-1")
    assert (confirmed.status, confirmed.json["status"]) == (200, "succeeded")
    assert api.charged("attempt-1") == (1, 1, 1000)
    again = api.post(f"/v1/payments/{created.json['id']}/confirm", key="confirm-2")
    assert (again.status, again.error["code"]) == (400, "payment_unexpected_state")


def test_confirm_of_a_bad_card_is_a_402(api: Api) -> None:
    payment_id = api.pay("tok_declined", confirm=False).json["id"]
    answer = api.post(f"/v1/payments/{payment_id}/confirm")
    assert (answer.status, answer.json["payment"]["status"]) == (402, "declined")


def test_a_review_is_approved(api: Api, receiver: Receiver) -> None:
    payment = api.pay("tok_review", reference="attempt-1").json
    assert (payment["status"], payment["amount_captured"]) == ("in_review", 0)
    assert api.charged("attempt-1") == (0, 0, 0)
    answer = api.post(f"/v1/control/payments/{payment['id']}/review", {"decision": "approve"})
    assert answer.json["status"] == "succeeded"
    assert api.charged("attempt-1") == (1, 1, 1000)
    wait_for(lambda: len(receiver.types(payment["id"])) == 2, what="two events")
    assert receiver.types(payment["id"]) == ["payment.in_review", "payment.succeeded"]


def test_a_review_is_rejected_and_the_hold_given_back(api: Api) -> None:
    payment = api.pay("tok_review").json
    answer = api.post(f"/v1/control/payments/{payment['id']}/review", {"decision": "reject"})
    assert (answer.json["status"], answer.json["decline_code"]) == ("declined", "review_rejected")
    assert api.balances()["issuer:cardholder:review"] == 10**15
    again = api.post(f"/v1/control/payments/{payment['id']}/review", {"decision": "approve"})
    assert (again.status, again.error["code"]) == (400, "payment_unexpected_state")


def test_a_review_that_nobody_decides_ends_by_itself(api: Api) -> None:
    api.post("/v1/control/settings", {"review_seconds": 0.1})
    payment = api.pay("tok_review").json
    api.becomes(f"/v1/payments/{payment['id']}", "succeeded")


def test_processing_then_succeeded(api: Api, receiver: Receiver) -> None:
    payment = api.pay("tok_processing", reference="attempt-1").json
    assert payment["status"] == "processing"
    refused = api.post(f"/v1/payments/{payment['id']}/cancel")
    assert refused.error["code"] == "payment_unexpected_state"
    done = api.becomes(f"/v1/payments/{payment['id']}", "succeeded")
    assert done["amount_captured"] == 1000
    assert api.charged("attempt-1") == (1, 1, 1000)
    wait_for(lambda: len(receiver.types(payment["id"])) == 2, what="two events")
    assert receiver.types(payment["id"]) == ["payment.processing", "payment.succeeded"]


def test_processing_then_declined(api: Api) -> None:
    payment = api.pay("tok_processing_fails", reference="attempt-1").json
    assert payment["status"] == "processing"
    done = api.becomes(f"/v1/payments/{payment['id']}", "declined")
    assert (done["decline_code"], done["network_code"]) == ("insufficient_funds", "51")
    assert api.charged("attempt-1") == (0, 0, 0)


def test_processing_can_be_hurried(api: Api) -> None:
    api.post("/v1/control/settings", {"processing_seconds": 3600})
    payment = api.pay("tok_processing").json
    assert api.post(f"/v1/control/payments/{payment['id']}/advance").json["status"] == "succeeded"


def test_payments_are_found_by_reference_newest_last(api: Api) -> None:
    first = api.pay("tok_declined", reference="attempt-1").json["payment"]["id"]
    api.pay(reference="attempt-2")
    second = api.pay(reference="attempt-1").json["id"]
    found = api.get("/v1/payments?reference=attempt-1").json
    assert [payment["id"] for payment in found["data"]] == [first, second]
    assert api.get("/v1/payments?reference=nothing").json["data"] == []
    assert len(api.get("/v1/payments").json["data"]) == 3


def test_an_issuer_takes_no_more_than_the_cardholder_has(api: Api) -> None:
    api.post("/v1/control/cards", {"card": "visa", "currency": "EUR", "balance": 1500})
    assert api.pay(amount=1000).status == 201
    declined = api.pay(amount=501)
    assert declined.error["network_code"] == "51"
    assert api.pay(amount=500).status == 201
    assert api.balances()["issuer:cardholder:visa"] == 0


def test_the_control_surface_sets_limit_and_answer_of_a_card(api: Api) -> None:
    api.post("/v1/control/cards", {"card": "tok_visa", "limit": 500})
    assert api.pay(amount=501).error["network_code"] == "61"
    assert api.pay(amount=500).status == 201
    api.post("/v1/control/cards", {"card": "visa", "status": "62"})
    assert api.pay(amount=500).error["decline_code"] == "restricted_card"
    assert api.post("/v1/control/cards", {"card": "nobody"}).error["code"] == "card_unknown"


def test_currencies_keep_to_themselves(api: Api) -> None:
    for currency in ("EUR", "JPY", "KWD"):
        assert api.pay(amount=1000, currency=currency).json["currency"] == currency
    summary = api.get("/v1/charges/summary").json["totals"]
    assert {code: total["amount_captured"] for code, total in summary.items()} == {
        "EUR": 1000,
        "JPY": 1000,
        "KWD": 1000,
    }
