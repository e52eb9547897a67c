"""Requests that make no sense are refused, naming the field, and leave nothing behind."""

import pytest

from tests.sandbox_psp.client import Api


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amount": 0}, "amount_too_small", "amount"),
        ({"amount": -5}, "amount_too_small", "amount"),
        ({"amount": 10.0}, "amount_invalid", "amount"),
        ({"amount": "10"}, "amount_invalid", "amount"),
        ({"amount": True}, "amount_invalid", "amount"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"amount": 10**12}, "amount_too_large", "amount"),
        ({"amount": 10**30}, "amount_too_large", "amount"),
        ({"currency": "eur"}, "currency_unknown", "currency"),
        ({"currency": "XXX"}, "currency_unknown", "currency"),
        ({"currency": 978}, "currency_unknown", "currency"),
        ({"source": None}, "parameter_missing", "source"),
        ({"source": "tok_nobody"}, "token_unknown", "source"),
        ({"source": "tok_fault_nothing"}, "token_unknown", "source"),
        ({"source": ["tok_visa"]}, "parameter_invalid", "source"),
        ({"reference": "x" * 256}, "parameter_invalid", "reference"),
        ({"reference": "a\x00b"}, "parameter_invalid", "reference"),
        ({"description": "\ud800"}, "parameter_invalid", "description"),
        ({"capture": "yes"}, "parameter_invalid", "capture"),
        ({"return_url": "javascript:alert(1)"}, "parameter_invalid", "return_url"),
        ({"metadata": {"a": 1}}, "parameter_invalid", "metadata"),
        ({"metadata": []}, "parameter_invalid", "metadata"),
        ({"ammount": 5}, "parameter_unknown", "ammount"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    api: Api, change: dict[str, object], code: str, param: str
) -> None:
    answer = api.pay(**change)  # type: ignore[arg-type]
    assert answer.status == 400, answer.raw
    assert (answer.error["type"], answer.error["code"], answer.error["param"]) == (
        "invalid_request_error",
        code,
        param,
    )
    assert api.get("/v1/payments").json["data"] == []


def test_unknown_objects_are_404(api: Api) -> None:
    for method, path in (
        ("GET", "/v1/payments/pay_1"),
        ("POST", "/v1/payments/pay_1/capture"),
        ("GET", "/v1/refunds/re_1"),
        ("GET", "/v1/payouts/po_1"),
        ("GET", "/v1/disputes/dp_1"),
        ("GET", "/3ds/acs_1"),
    ):
        answer = api.call(method, path)
        assert (answer.status, answer.error["code"]) == (404, "resource_missing")
