"""The schema is whole, names every refusal, and its examples can be posted as they stand."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from payments import errors as payment_errors
from payments.api import examples
from payments.errors import PaymentError
from payments.models import PaymentAttempt
from payments.services.sellers import open_seller
from tests.payments.arranging import begin, tell
from tests.payments.calling import Caller

METHODS = ("get", "post", "put", "patch", "delete")
NOT_FOR_SHOPS = {
    # Answered to PSPs, which read no schema of ours.
    *("webhook_not_verified", "webhook_unreadable", "webhook_too_large", "psp_account_not_found"),
    # Answered to staff, on pages.
    *("reason_missing", "risk_rule_invalid", "risk_entry_invalid", "risk_review_closed"),
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generator: Any = SchemaGenerator  # It has no types.
    found: dict[str, Any] = generator().get_schema(public=True)
    return found


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation of the API by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_the_schema_is_valid_and_leaves_nothing_open() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_every_operation_has_a_name_a_description_and_its_own_refusals(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    for name, operation in operations(schema).items():
        if name.endswith("openapi.json"):
            continue
        assert operation.get("operationId") and operation.get("description"), name
        refused = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert {"401", "403"} <= refused.keys(), name
        assert all("application/problem+json" in answer["content"] for answer in refused.values()), name


def test_every_refusal_of_payments_stands_somewhere_in_the_schema(schema: dict[str, Any]) -> None:
    told = str([operation["responses"] for operation in operations(schema).values()])
    codes = {
        error.code
        for error in vars(payment_errors).values()
        if isinstance(error, type) and issubclass(error, PaymentError) and error is not PaymentError
    }
    assert {code for code in codes - NOT_FOR_SHOPS if f"`{code}`" not in told} == set()


CODES = {
    # A program of some shop compares these. A code may be added; one that is here never changes.
    "payment_order_not_found": 404,
    "checkout_not_found": 404,
    "seller_not_found": 404,
    "seller_differs": 409,
    "unknown_seller": 422,
    "seller_frozen": 422,
    "checkout_differs": 422,
    "payment_order_exists": 422,
    "idempotency_key_reused": 422,
    "payment_method_not_supported": 422,
    "amount_not_supported": 422,
    "charge_mode_not_supported": 422,
    "capture_not_supported": 422,
    "capture_together": 409,
    "cancel_together": 409,
    "not_authorized": 409,
    "capture_exceeds_order": 422,
    "payment_in_progress": 409,
    "not_cancelable": 409,
    "checkout_closed": 409,
    "attempt_open": 409,
    "risk_check_open": 409,
    "webhook_not_verified": 400,
    "webhook_unreadable": 400,
    "webhook_too_large": 413,
    "psp_account_not_found": 404,
}


def test_no_code_that_a_program_may_compare_has_changed() -> None:
    now = {
        error.code: error.status_code
        for error in vars(payment_errors).values()
        if isinstance(error, type) and issubclass(error, PaymentError)
    }
    assert {code: now.get(code) for code in CODES} == CODES


@pytest.mark.django_db
def test_the_examples_can_be_posted_and_answer_as_they_say(caller: Caller, company: Caller) -> None:
    example: Any = examples.SELLER.value
    answer = company.post("/v1/sellers", examples.NEW_SELLER_BODY)
    assert answer.status == 201
    assert answer.body.keys() == example.keys()
    open_seller(seller_account="seller-books", name="Nairobi Books", email="", country="KE")

    assert caller.post("/v1/payments", examples.NEW_PAYMENT_BODY).status == 201
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt)
    for path, shown in (
        ("/v1/checkouts/cart-1001", examples.CHECKOUT),
        ("/v1/payments/cart-1001-1", examples.ORDER),
    ):
        paid, promised = caller.get(path).body, without_times(shown.value)
        assert without_times(paid) == promised


def without_times(answer: Any) -> Any:
    """The answer without the moments in it."""
    if isinstance(answer, dict):
        return {
            name: without_times(value)
            for name, value in answer.items()
            if name not in ("created_at", "completed_at")
        }
    return [without_times(item) for item in answer] if isinstance(answer, list) else answer
