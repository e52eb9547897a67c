"""Bodies that are no request at all: refused as a problem, never a 500, and nothing is stored."""

import json
from typing import Any

import pytest

from payments.models import PaymentEvent
from payments.services.sellers import open_seller
from tests.payments.bodies import checkout_body
from tests.payments.calling import Caller
from wallet.api.parsers import MAX_BODY_BYTES

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def seller(db: None) -> None:
    open_seller(seller_account="seller-books", name="Books", email="", country="")


def with_text(old: str, new: str) -> bytes:
    """A good body in which some text was replaced, whatever JSON makes of it."""
    text = json.dumps(checkout_body())
    assert old in text
    return text.replace(old, new).encode("utf-8", "surrogatepass")


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, ""),
    "no JSON": (b"checkout_id=cart-1", 400, "malformed_json"),
    "half of it": (with_text("}", "}")[:100], 400, "malformed_json"),
    "two of them": (json.dumps(checkout_body()).encode() * 2, 400, "malformed_json"),
    "a list": (b"[]", 400, "not_an_object"),
    "a string": (b'"x"', 400, "not_an_object"),
    "a number": (b"1", 400, "not_an_object"),
    "null": (b"null", 400, "not_an_object"),
    "no UTF-8": (b'{"checkout_id": "\xff"}', 400, "invalid_utf8"),
    "UTF-16": (json.dumps(checkout_body()).encode("utf-16"), 400, "invalid_utf8"),
    "a lone surrogate in UTF-8": (with_text("cart-1", "\ud800"), 400, "invalid_utf8"),
    "a lone surrogate in an escape": (with_text("buyer-1", "\\ud800"), 400, "validation_error"),
    "a NUL": (with_text("buyer-1", "a\\u0000b"), 400, "validation_error"),
    "a NUL in a name": (with_text("buyer_id", "buyer\\u0000id"), 400, "validation_error"),
    "a key twice": (
        with_text('"checkout_id":', '"checkout_id": "x", "checkout_id":'),
        400,
        "validation_error",
    ),
    "NaN": (with_text('"10.00"', "NaN"), 400, "malformed_json"),
    "Infinity": (with_text('"10.00"', "-Infinity"), 400, "malformed_json"),
    "1e308": (with_text('"10.00"', "1e308"), 400, "number_out_of_range"),
    "1e999999999999": (with_text('"10.00"', "1e999999999999"), 400, "number_out_of_range"),
    "a number of 5000 digits": (with_text('"10.00"', "1" * 5000), 400, "number_out_of_range"),
    "30 levels": (with_text('"buyer-1"', "[" * 30 + "]" * 30), 400, "validation_error"),
    "100,000 levels": (b"[" * 100_000 + b"]" * 100_000, 400, ""),
    "100,000 levels of objects": (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400, "too_deep"),
    "too many bytes": (with_text("buyer-1", "x" * MAX_BODY_BYTES), 413, "body_too_large"),
    "100,000 names": (json.dumps({f"n{n}": 1 for n in range(20_000)}).encode(), 400, "validation_error"),
}


@pytest.mark.parametrize(("body", "status", "code"), BODIES.values(), ids=list(BODIES))
def test_a_body_that_is_no_request_is_a_problem(caller: Caller, body: bytes, status: int, code: str) -> None:
    answer = caller.post("/v1/payments", body, key="key-1")
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert not code or answer.code == code
    assert len(json.dumps(answer.body)) < 40_000, "an answer must not be worth more than its request"
    assert not PaymentEvent.objects.exists()


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/html",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/jsonp",
    ],
)
def test_another_content_type_is_not_guessed_at(caller: Caller, content_type: str) -> None:
    answer = caller.post("/v1/payments", json.dumps(checkout_body()), content_type=content_type)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert not PaymentEvent.objects.exists()


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_json_in_utf_8_is_taken(caller: Caller, content_type: str) -> None:
    body: dict[str, Any] = checkout_body(buyer_info={"buyer_id": "b", "name": "Åsa \N{GRINNING FACE} Nuñez"})
    answer = caller.post(
        "/v1/payments", json.dumps(body, ensure_ascii=False).encode(), content_type=content_type
    )
    assert (answer.status, answer.body["buyer_info"]["name"]) == (201, "Åsa \N{GRINNING FACE} Nuñez")


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payments/cart-1-1", "/v1/checkouts/cart-1"])
def test_a_method_that_is_not_there_is_a_405_problem(caller: Caller, path: str) -> None:
    answer = caller.get(path) if path == "/v1/payments" else caller.post(path, {})
    assert (answer.status, answer.code) in ((405, "method_not_allowed"), (403, "permission_denied"))
