"""Tokens: only test cards, used once, or again and again."""

import pytest

from sandbox_psp.cards import BY_NUMBER, luhn_valid
from sandbox_psp.scheme import scheme_of
from tests.sandbox_psp.client import Api

CARD = {
    "number": "4242 4242-4242 4242",
    "exp_month": 12,
    "exp_year": 2040,
    "cvc": "123",
    "holder_name": "A Buyer",
}


def test_a_token_shows_no_number(api: Api) -> None:
    answer = api.post("/v1/tokens", {"card": CARD})
    assert answer.status == 201
    token = answer.json
    assert token["id"].startswith("tok_")
    assert (token["brand"], token["last4"], token["reusable"]) == ("visa", "4242", False)
    assert (token["exp_month"], token["exp_year"]) == (12, 2040)
    assert b"424242424242" not in answer.raw


def test_a_token_pays_once(api: Api) -> None:
    token = api.post("/v1/tokens", {"card": CARD}).json["id"]
    paid = api.pay(token, key="k1", reference="attempt-1")
    assert paid.status == 201
    assert api.pay(token, key="k1", reference="attempt-1").json == paid.json, (
        "a repeated request is answered again"
    )
    answer = api.pay(token)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (
        400,
        "token_already_used",
        "source",
    )


def test_a_declined_token_is_used_up_too(api: Api) -> None:
    token = api.post("/v1/tokens", {"card": {**CARD, "number": "4000000000000002"}}).json["id"]
    assert api.pay(token).status == 402
    assert api.pay(token).error["code"] == "token_already_used"


def test_a_refused_request_does_not_use_the_token_up(api: Api) -> None:
    token = api.post("/v1/tokens", {"card": CARD}).json["id"]
    assert api.pay(token, amount=0).status == 400
    assert api.pay(token, reference=5).status == 400
    assert api.pay(token).status == 201


def test_a_payment_method_pays_again_and_again(api: Api) -> None:
    method = api.post("/v1/payment_methods", {"card": CARD}).json
    assert method["id"].startswith("pm_")
    assert method["reusable"] is True
    first, second = api.pay(method["id"]).json, api.pay(method["id"]).json
    assert first["status"] == second["status"] == "succeeded"
    assert first["card_fingerprint"] == second["card_fingerprint"] == method["card_fingerprint"]


def test_a_ready_made_token_is_never_used_up(api: Api) -> None:
    assert [api.pay("tok_visa").status for _ in range(3)] == [201, 201, 201]


def test_a_card_behaves_the_same_under_a_token_of_its_own(api: Api) -> None:
    token = api.post("/v1/tokens", {"card": {**CARD, "number": "4000000000009995"}}).json["id"]
    assert api.pay(token).error["network_code"] == "51"


def test_the_issuer_refuses_a_card_that_ran_out(api: Api) -> None:
    token = api.post("/v1/tokens", {"card": {**CARD, "exp_month": 1, "exp_year": 2021}}).json["id"]
    assert api.pay(token).error["network_code"] == "54"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"number": "4242424242424241"}, "invalid_number"),
        ({"number": "4242"}, "unsupported_brand"),
        ({"number": "9999999999999995"}, "unsupported_brand"),
        ({"number": "4111111111111111"}, "not_a_test_card"),
        ({"number": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}, "invalid_number"),
        ({"number": 4242424242424242}, "parameter_invalid"),
        ({"cvc": "12"}, "invalid_cvc"),
        ({"cvc": "1234"}, "invalid_cvc"),
        ({"exp_month": 13}, "parameter_invalid"),
        ({"exp_year": 40}, "parameter_invalid"),
        ({"pin": "1234"}, "parameter_unknown"),
    ],
)
def test_only_whole_test_cards_are_taken(api: Api, change: dict[str, object], code: str) -> None:
    answer = api.post("/v1/tokens", {"card": {**CARD, **change}})
    assert (answer.status, answer.error["code"]) == (400, code)
    assert b"4111111111111111" not in answer.raw


def test_amex_has_four_digits_on_its_front(api: Api) -> None:
    amex = {**CARD, "number": "378282246310005"}
    assert api.post("/v1/tokens", {"card": amex}).error["code"] == "invalid_cvc"
    assert api.post("/v1/tokens", {"card": {**amex, "cvc": "1234"}}).json["brand"] == "amex"


def test_every_test_card_passes_luhn_and_has_a_scheme() -> None:
    for number in BY_NUMBER:
        assert luhn_valid(number), number
        assert scheme_of(number) is not None, number


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("4" + "0" * 15, "visa"),
        ("2221" + "0" * 12, "mastercard"),
        ("2720" + "9" * 12, "mastercard"),
        ("2721" + "0" * 12, None),
        ("5099" + "0" * 12, None),
        ("34" + "0" * 13, "amex"),
        ("34" + "0" * 14, None),
        ("6011" + "0" * 12, "discover"),
        ("3528" + "0" * 12, "jcb"),
        ("62" + "0" * 17, "unionpay"),
        ("36" + "0" * 12, "diners"),
        ("", None),
    ],
)
def test_the_scheme_follows_from_the_first_digits(number: str, name: str | None) -> None:
    scheme = scheme_of(number)
    assert (scheme.name if scheme else None) == name
