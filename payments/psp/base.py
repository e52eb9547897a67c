"""What every payment service provider looks like from here.

The shape was checked against Stripe (create, then confirm), M-Pesa Daraja (answers later, on an unsigned callback),
PayPal (redirect, then capture), Adyen (several items in one webhook, modifications decided later), Square (the key is
a body field; signatures cover our address) and Braintree (search by order id, a challenge on the webhook address).

An adapter never decides about our states. It tells what the PSP said, as a `Report`, or raises one of three errors
that say how sure we may be: nothing happened, nothing happened and trying again is pointless, or nobody knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from moneyed import Money


class Subject(StrEnum):
    """What kind of object at a PSP a report is about."""

    PAYMENT = "payment"
    REFUND = "refund"


class Outcome(StrEnum):
    """What a PSP says about a payment object, in our words."""

    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    IN_REVIEW = "in_review"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    REFUSED = "refused"
    """The PSP refused the request for a charge itself."""
    CAPTURE_REFUSED = "capture_refused"
    """The PSP will not capture now; the authorisation stands."""
    CANCEL_REFUSED = "cancel_refused"
    """The PSP will not cancel now; nothing has changed."""
    CANCELED = "canceled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing a PSP told us about one payment object."""

    outcome: Outcome
    """For a refund: processing, succeeded, or declined when it failed."""
    subject: Subject = Subject.PAYMENT
    dedup_key: str
    """Equal for the same news from the same source, different for other news."""
    reference: str = ""
    """Our attempt's or refund's id as the PSP echoes it; empty where the PSP echoes none."""
    psp_reference: str = ""
    """The PSP's id of the payment object or the refund."""
    amount: Money | None = None
    """What the payment object is for: what we asked for when it was made."""
    captured: Money | None = None
    """What has been taken from the buyer so far, all captures together. None: `amount` when succeeded, else nothing."""
    occurred_at: datetime | None = None
    decline_code: str = ""
    client_action: Mapping[str, Any] | None = None
    """What the buyer's browser or phone must do next; may hold secrets, so it is kept encrypted."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The PSP's own words without secrets, kept with the fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """Ask a PSP to move, or to reserve, the buyer's money."""

    key: UUID
    """The idempotency key: the id of the operation try, stored before the call."""
    attempt_id: UUID
    amount: Money
    method: str
    token: str
    capture: bool = True
    """False: only reserve the money."""
    confirm: bool = True
    """False, where the PSP can: make the payment object and move nothing, so that losing the answer costs nothing."""
    return_url: str = ""
    description: str = ""
    callback_token: str = ""
    """For PSPs that sign nothing: an unguessable part of the callback's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpRequest:
    """Ask a PSP to go on with a payment object that it has: confirm it, capture some of it, or cancel it."""

    key: UUID
    attempt_id: UUID
    psp_reference: str
    amount: Money
    """What to capture; the whole amount for a confirmation or a cancellation."""
    final: bool = True
    """Whether what is not captured now is released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Ask a PSP to send back money that it took, or what became of that."""

    key: UUID
    refund_id: UUID
    payment_reference: str
    """The PSP's id of the payment."""
    amount: Money
    psp_reference: str = ""
    """The PSP's id of the refund, once we know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """Ask a PSP what became of a charge. `psp_reference` is empty when the answer to the charge was lost."""

    key: UUID
    attempt_id: UUID
    amount: Money
    psp_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRequest:
    """A webhook request as it came: the bytes matter, because signatures cover them."""

    body: bytes
    headers: Mapping[str, str]
    """Header names in lower case."""
    path_token: str = ""
    remote_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    """One event inside a webhook request, verified by the adapter; a request may carry several (Adyen)."""

    dedup_key: str
    event_type: str
    body: bytes


class PspError(Exception):
    """The root of what a call to a PSP can end in besides a report."""

    error_class = "psp_error"

    def __init__(self, detail: str, *, code: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class PspNotReached(PspError):
    """The request surely had no effect (connection refused, 429, 503 before processing): send again later, same key."""

    error_class = "not_reached"


class PspRefused(PspError):
    """The PSP definitely refused the request itself (bad token, configuration): the same request will never work."""

    error_class = "refused"


class PspUncertain(PspError):
    """Nobody knows whether it happened: time-out, reset, 5xx, 409 in progress, unreadable 2xx. Query before anything."""

    error_class = "uncertain"


class PspHasNothing(PspError):
    """A query found no such payment at the PSP."""

    error_class = "has_nothing"


class Psp(Protocol):
    """One account at one payment service provider. Methods block, have a total deadline, and never touch our database."""

    def charge(self, request: ChargeRequest) -> Report:
        """Start or repeat a charge under its key. Raises PspNotReached, PspRefused, PspUncertain."""
        ...

    def confirm(self, request: FollowUpRequest) -> Report:
        """Start a payment object that was made unconfirmed. Only for PSPs with the capability `confirm`."""
        ...

    def capture(self, request: FollowUpRequest) -> Report:
        """Take reserved money. Only for PSPs with the capability `manual_capture`."""
        ...

    def cancel(self, request: FollowUpRequest) -> Report:
        """Call off a payment that has not succeeded, or release what is reserved. Capability `cancel`."""
        ...

    def query(self, request: QueryRequest) -> Report:
        """What became of a charge. Raises PspHasNothing, PspNotReached, PspUncertain."""
        ...

    def refund(self, request: RefundRequest) -> Report:
        """Send money back. Only for PSPs with the capability `refund`."""
        ...

    def query_refund(self, request: RefundRequest) -> Report:
        """What became of a refund. Raises PspHasNothing as well."""
        ...

    def receive(self, request: InboundRequest) -> Sequence[InboundEvent]:
        """Verify a webhook's bytes and split it into events. Raises WebhookForged, WebhookUnreadable."""
        ...

    def interpret(self, event: InboundEvent) -> Sequence[Report] | None:
        """The news in a stored event; None for a type that this adapter does not know (it is parked, not dropped)."""
        ...
