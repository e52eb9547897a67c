"""What a request says about its caller."""

from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from payments.models import ApiKey, Shop

LONGEST_IDEMPOTENCY_KEY = 255


def calling_shop(request: Request) -> Shop:
    """The calling shop; HasScope has made sure that there is one."""
    key = request.auth
    assert isinstance(key, ApiKey) and key.shop is not None
    return key.shop


def idempotency_key(request: Request, *, required: bool = False) -> str:
    """The Idempotency-Key header; empty when there is none.

    Raises:
        ValidationError: it is too long, not printable ASCII, or missing where it is required (400).
    """
    key = request.headers.get("Idempotency-Key", "")
    if required and not key:
        raise ValidationError(
            {"Idempotency-Key": [ErrorDetail("This request needs an Idempotency-Key.", "required")]}
        )
    if len(key) > LONGEST_IDEMPOTENCY_KEY or not (key.isascii() and key.isprintable()):
        raise ValidationError(
            {"Idempotency-Key": [ErrorDetail("At most 255 printable ASCII characters.", "invalid")]}
        )
    return key
