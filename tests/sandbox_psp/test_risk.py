"""The simulated risk service: the caller chooses the answer by what it sends, and can have it fail."""

from typing import Any

import pytest

from tests.sandbox_psp.client import Api


def ask(api: Api, email: str = "amina@example.org", amount: int = 1000, **fields: Any) -> Any:
    body = {
        "reference": "check-1",
        "amounts": [{"amount": amount, "currency": "EUR"}],
        "buyer": {"email": email},
        **fields,
    }
    return api.post("/v1/risk/score", body)


@pytest.mark.parametrize(
    ("email", "score"),
    [("amina@example.org", 5), ("review.me@example.org", 75), ("please-REFUSE@example.org", 95)],
)
def test_the_address_chooses_the_score(api: Api, email: str, score: int) -> None:
    answer = ask(api, email)
    assert answer.status == 200
    assert answer.json["score"] == score
    assert ask(api, email).json == answer.json


def test_a_large_amount_adds_to_the_score(api: Api) -> None:
    assert ask(api, amount=1_000_000).json["score"] == 9
    assert ask(api, amount=999_999).json["score"] == 5


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"amounts": [{"amount": 1.5, "currency": "EUR"}]}, "amounts[0].amount"),
        ({"amounts": [{"amount": 1, "currency": "EUR", "x": 1}]}, "amounts[0].x"),
        ({"amounts": {}}, "amounts"),
        ({"buyer": "amina"}, "buyer"),
        ({"reference": None}, "reference"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_wrong_question_is_refused_by_name(api: Api, fields: dict[str, Any], param: str) -> None:
    answer = ask(api, **fields)
    assert answer.status == 400
    assert answer.error["param"] == param


def test_a_fault_strikes_the_score_alone(api: Api) -> None:
    api.post("/v1/control/faults", {"kind": "error_500", "operation": "risk.score"})
    assert api.pay().status == 201
    assert ask(api).status == 500
    assert ask(api).status == 200
