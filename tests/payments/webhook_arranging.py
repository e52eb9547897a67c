"""Webhooks as the sandbox PSP sends them: its words, its signature."""

import hashlib
import hmac
import json
import time
from typing import Any

from django.conf import settings
from django.test import Client

from ledger import money
from payments.models import PaymentAttempt

ADDRESS = "/webhooks/sandbox"


def secret() -> str:
    """What the sandbox PSP and we share."""
    return str(settings.PAYMENT_PROVIDERS["sandbox"]["OPTIONS"]["webhook_secret"])


def event(
    attempt: PaymentAttempt, status: str, event_id: str, *, kind: str = "", **changes: Any
) -> dict[str, Any]:
    """The PSP's event about this attempt's payment, which now has this status."""
    amount = money.to_minor(attempt.amount)
    payment = {
        "id": f"pay_{attempt.id}",
        "object": "payment",
        "status": status,
        "amount": amount,
        "currency": attempt.amount.currency.code,
        "amount_captured": amount if status == "succeeded" else 0,
        "reference": str(attempt.id),
        "decline_code": "insufficient_funds" if status == "declined" else None,
        "updated": int(time.time()),
        **changes,
    }
    return {
        "id": event_id,
        "object": "event",
        "type": kind or f"payment.{status}",
        "data": {"object": payment},
    }


def signature(body: bytes, *, at: float | None = None, key: str | None = None) -> str:
    """The header that the PSP sends with this body."""
    moment = int(time.time() if at is None else at)
    content = f"{moment}.".encode() + body
    digest = hmac.new((secret() if key is None else key).encode(), content, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def deliver(content: Any, *, header: str | None = None, address: str = ADDRESS) -> int:
    """POST an event (or bytes as they are), signed unless told otherwise; returns the status."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = signature(body) if header is None else header
    client = Client(raise_request_exception=False)
    response = client.post(
        address,
        body,
        content_type="application/json",
        headers={"Sandbox-Signature": sent} if sent else {},
    )
    return int(response.status_code)
