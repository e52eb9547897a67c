"""docs/api.md explains what the API says."""

import json
import re

import pytest
from django.test import Client

from payments.models import ChargeMode
from tests.docs.reading import DOCS, code, section, table
from tests.factories import api_key
from tests.payments.arranging import bring_to, orders_of
from tests.payments.calling import Caller

TEXT = (DOCS / "api.md").read_text()


def explained() -> dict[str, set[str]]:
    """The statuses under which the page explains each code."""
    found: dict[str, set[str]] = {}
    for statuses, codes, _ in table(section(TEXT, "## Errors")):
        for name in re.findall(r"`(\w+)`", codes):
            found.setdefault(name, set()).update(statuses.split(", "))
    return found


def test_every_refusal_of_the_schema_is_explained(client: Client) -> None:
    schema = json.loads(client.get("/v1/openapi.json", headers={"accept": "application/json"}).content)
    refusals = {
        (name, status)
        for methods in schema["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        for name in re.findall(r"`([a-z_]+)`[:,]", response.get("description", ""))
    }
    assert len(refusals) > 20
    page = explained()
    assert [refusal for refusal in sorted(refusals) if refusal[1] not in page.get(refusal[0], ())] == []


def test_the_charge_modes_are_those_of_the_code() -> None:
    modes = table(section(TEXT, "## Charging together or one by one"))
    assert [code(row[0].split(" ")[0]) for row in modes] == ChargeMode.values


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address", "body", "status", "problem"),
    [
        ("post", "/v1/payments", "[", "400", "malformed_json"),
        ("post", "/v1/payments", "{}", "400", "validation_error"),
        ("post", "/v1/payments", '"' + "x" * 300_000 + '"', "413", "body_too_large"),
        ("delete", "/v1/payments", "", "405", "method_not_allowed"),
        ("get", "/v1/nothing", "", "404", "not_found"),
        ("get", "/v1/sellers", "", "403", "permission_denied"),
    ],
)
def test_what_no_schema_says_is_as_the_page_says(
    method: str, address: str, body: str, status: str, problem: str
) -> None:
    attempt = bring_to("AUTHORIZED")
    key = api_key(attempt.event.shop)
    answer = Client().generic(
        method.upper(),
        address,
        body,
        content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )
    assert (str(answer.status_code), answer.json()["code"]) == (status, problem)
    assert status in explained()[problem]


@pytest.mark.django_db
def test_an_amount_that_is_none_is_refused_at_a_capture_as_the_page_says() -> None:
    attempt = bring_to("AUTHORIZED")
    (order,) = orders_of(attempt)
    shop = Caller(api_key(attempt.event.shop))
    for amount, problem in (
        ("x", "invalid_amount"),
        ("1.001", "too_many_decimals"),
        ("9" * 16, "amount_too_large"),
    ):
        answer = shop.post(f"/v1/payments/{order.payment_order_id}/capture", {"amount": amount})
        assert (answer.status, answer.code) == (422, problem)
        assert explained()[problem] == {"422"}
