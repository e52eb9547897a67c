"""The sandbox PSP: a real HTTP service in a process of its own, with cards that behave as told."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from ledger import clock, money
from payments.errors import WebhookForged, WebhookUnreadable
from payments.psp.base import (
    ChargeRequest,
    FollowUpRequest,
    InboundEvent,
    InboundRequest,
    PspHasNothing,
    PspNotReached,
    PspRefused,
    PspUncertain,
    QueryRequest,
    RefundRequest,
    Report,
)
from payments.psp.http import HttpAnswer, exchange, new_session
from payments.psp.sandbox.reports import PAYMENT_EVENTS, REFUND_EVENTS, payment_report, refund_report

TOLERANCE_SECONDS = 300
"""How far a webhook's time may be from ours, in either direction."""


class SandboxPsp:
    """One merchant account at the sandbox PSP."""

    def __init__(self, *, base_url: str, secret_key: str, webhook_secret: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._secret_key = secret_key
        self._webhook_secret = webhook_secret.encode()
        self._session = new_session()

    def charge(self, request: ChargeRequest) -> Report:
        """POST /v1/payments; a decline is an answer like any other."""
        answer = self._exchange(
            "POST",
            "/v1/payments",
            key=str(request.key),
            json={
                "amount": money.to_minor(request.amount),
                "currency": request.amount.currency.code,
                "source": request.token,
                "capture": request.capture,
                "confirm": request.confirm,
                "reference": str(request.attempt_id),
                "description": request.description,
                **({"return_url": request.return_url} if request.return_url else {}),
                "metadata": {"try_id": str(request.key)},
            },
        )
        if answer.status == 402:
            return payment_report(answer.body.get("payment"))
        self._raise_unless_ok(answer)
        return payment_report(answer.body)

    def confirm(self, request: FollowUpRequest) -> Report:
        """POST /v1/payments/{id}/confirm."""
        return self._follow_up("confirm", request, {})

    def capture(self, request: FollowUpRequest) -> Report:
        """POST /v1/payments/{id}/capture, of a part or of all that is left."""
        return self._follow_up(
            "capture", request, {"amount": money.to_minor(request.amount), "final": request.final}
        )

    def cancel(self, request: FollowUpRequest) -> Report:
        """POST /v1/payments/{id}/cancel."""
        return self._follow_up("cancel", request, {})

    def _follow_up(self, verb: str, request: FollowUpRequest, body: Mapping[str, Any]) -> Report:
        answer = self._exchange(
            "POST", f"/v1/payments/{request.psp_reference}/{verb}", key=str(request.key), json=body
        )
        if answer.status == 402:
            return payment_report(answer.body.get("payment"))
        self._raise_unless_ok(answer)
        return payment_report(answer.body)

    def query(self, request: QueryRequest) -> Report:
        """By the PSP's id where we know it, else by our reference."""
        if request.psp_reference:
            answer = self._exchange("GET", f"/v1/payments/{request.psp_reference}")
            if answer.status == 404:
                raise PspHasNothing("no such payment")
            self._raise_unless_ok(answer)
            return payment_report(answer.body)
        return payment_report(self._newest("/v1/payments", reference=str(request.attempt_id)))

    def receive(self, request: InboundRequest) -> Sequence[InboundEvent]:
        """`Sandbox-Signature: t=<unix>,v1=<hex>`: HMAC-SHA256 over `t.body`, the time within tolerance either way."""
        parts = [part.partition("=") for part in request.headers.get("sandbox-signature", "").split(",")]
        times = [value for name, _, value in parts if name == "t"]
        signatures = [value for name, _, value in parts if name == "v1"]
        if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
            raise WebhookForged("The signature header is missing or malformed.")
        if not self._webhook_secret:
            raise WebhookForged("No secret is configured, so nothing can be verified.")
        expected = hmac.new(
            self._webhook_secret, times[0].encode() + b"." + request.body, hashlib.sha256
        ).hexdigest()
        if not any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures):
            raise WebhookForged
        if abs(clock.now().timestamp() - int(times[0])) > TOLERANCE_SECONDS:
            raise WebhookForged("The signature is too old or from the future.")
        event = _object(request.body)
        event_id, event_type = event.get("id"), event.get("type")
        if not (_is_word(event_id, longest=255) and _is_word(event_type, longest=80)):
            raise WebhookUnreadable("An event without id or type.")
        return [InboundEvent(dedup_key=event_id, event_type=event_type, body=request.body)]

    def interpret(self, event: InboundEvent) -> Sequence[Report] | None:
        """News of payments and refunds; other types are not known yet."""
        data = _object(event.body).get("data")
        told = data.get("object") if isinstance(data, dict) else None
        if event.event_type in PAYMENT_EVENTS:
            return [payment_report(told, dedup_key=event.dedup_key)]
        if event.event_type in REFUND_EVENTS:
            return [refund_report(told, dedup_key=event.dedup_key)]
        return None

    def refund(self, request: RefundRequest) -> Report:
        """POST /v1/refunds; the reference is our refund's id."""
        answer = self._exchange(
            "POST",
            "/v1/refunds",
            key=str(request.key),
            json={
                "payment": request.payment_reference,
                "amount": money.to_minor(request.amount),
                "reference": str(request.refund_id),
            },
        )
        self._raise_unless_ok(answer)
        return refund_report(answer.body)

    def query_refund(self, request: RefundRequest) -> Report:
        """By the PSP's id where we know it, else by our reference."""
        if request.psp_reference:
            answer = self._exchange("GET", f"/v1/refunds/{request.psp_reference}")
            if answer.status == 404:
                raise PspHasNothing("no such refund")
            self._raise_unless_ok(answer)
            return refund_report(answer.body)
        return refund_report(self._newest("/v1/refunds", reference=str(request.refund_id)))

    def _newest(self, path: str, *, reference: str) -> Any:
        answer = self._exchange("GET", path, params={"reference": reference})
        self._raise_unless_ok(answer)
        found = answer.body.get("data")
        if not isinstance(found, list):
            raise PspUncertain("a list without data")
        if not found:
            raise PspHasNothing("nothing with this reference")
        return found[-1]

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        key: str = "",
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        headers = {"Authorization": f"Bearer {self._secret_key}"}
        if key:
            headers["Idempotency-Key"] = key
        return exchange(
            self._session, method, self._base_url + path, headers=headers, json=json, params=params
        )

    def _raise_unless_ok(self, answer: HttpAnswer) -> None:
        """Sort an answer that is not a payment by what it says about the money."""
        if answer.status in (200, 201):
            return
        error = answer.body.get("error")
        code = str(error.get("code", "")) if isinstance(error, dict) else ""
        detail = f"status {answer.status} {code}".strip()
        if answer.status == 429:
            raise PspNotReached(
                detail, code=code, retry_after_seconds=_seconds(answer.headers.get("Retry-After"))
            )
        if answer.status in (409, 408) or answer.status >= 500 or code.startswith("idempotency"):
            raise PspUncertain(detail, code=code)
        if 400 <= answer.status < 500:
            raise PspRefused(detail, code=code or str(answer.status))
        raise PspUncertain(detail, code=code)


def _is_word(value: Any, *, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isascii() and value.isprintable()


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WebhookUnreadable from error
    if not isinstance(parsed, dict):
        raise WebhookUnreadable("Not a JSON object.")
    return parsed


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
