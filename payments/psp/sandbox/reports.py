"""What the sandbox PSP says, in our words."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ledger import money
from ledger.errors import LedgerError
from payments.psp.base import Outcome, PspUncertain, Report, Subject

OUTCOMES: Mapping[str, Outcome] = {
    "requires_confirmation": Outcome.REQUIRES_CONFIRMATION,
    "requires_action": Outcome.REQUIRES_ACTION,
    "in_review": Outcome.IN_REVIEW,
    "processing": Outcome.PROCESSING,
    "authorized": Outcome.AUTHORIZED,
    "succeeded": Outcome.SUCCEEDED,
    "declined": Outcome.DECLINED,
    "canceled": Outcome.CANCELED,
    "expired": Outcome.EXPIRED,
}

PAYMENT_EVENTS = frozenset(
    f"payment.{word}"
    for word in (
        "requires_action",
        "in_review",
        "processing",
        "authorized",
        "captured",
        "succeeded",
        "declined",
        "canceled",
        "expired",
    )
)

KEPT = (
    "id",
    "status",
    "amount",
    "currency",
    "amount_captured",
    "reference",
    "decline_code",
    "network_code",
    "scheme",
    "last4",
    "card_fingerprint",
    "network_reference",
    "approval_code",
)
"""The fields of a payment that are kept with a fact: enough to argue with the PSP, nothing secret."""

REFUND_OUTCOMES: Mapping[str, Outcome] = {
    "pending": Outcome.PROCESSING,
    "succeeded": Outcome.SUCCEEDED,
    "failed": Outcome.DECLINED,
}

REFUND_EVENTS = frozenset(f"refund.{word}" for word in REFUND_OUTCOMES)

UNREADABLE = (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError, LedgerError)
"""What trying to read nonsense ends in."""


def payment_report(payment: Any, *, dedup_key: str = "") -> Report:
    """A payment object of the PSP in our words.

    Raises:
        PspUncertain: the object cannot be understood, so it proves nothing.
    """
    try:
        outcome = OUTCOMES[payment["status"]]
        currency, minor, captured = payment["currency"], payment["amount"], payment["amount_captured"]
        if captured and outcome in (Outcome.CANCELED, Outcome.EXPIRED):
            outcome = Outcome.SUCCEEDED  # Part was captured before: what ended is only the rest.
        action = payment.get("next_action")
        return Report(
            outcome=outcome,
            dedup_key=dedup_key
            or f"{payment['id']}:{outcome}:{minor}:{captured}:{currency}:{payment['reference']}",
            reference=str(payment["reference"]),
            psp_reference=str(payment["id"]),
            amount=money.from_minor(minor, currency),
            captured=money.from_minor(captured, currency),
            occurred_at=datetime.fromtimestamp(payment["updated"], UTC),
            decline_code=str(payment.get("decline_code") or ""),
            client_action=dict(action) if isinstance(action, dict) else None,
            raw={name: payment.get(name) for name in KEPT},
        )
    except (
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        OSError,
        AttributeError,
        LedgerError,
    ) as error:
        raise PspUncertain(f"a payment that cannot be read ({type(error).__name__})") from error


def refund_report(refund: Any, *, dedup_key: str = "") -> Report:
    """A refund object of the PSP in our words.

    Raises:
        PspUncertain: the object cannot be understood, so it proves nothing.
    """
    try:
        outcome = REFUND_OUTCOMES[refund["status"]]
        minor, currency = refund["amount"], refund["currency"]
        return Report(
            outcome=outcome,
            subject=Subject.REFUND,
            dedup_key=dedup_key or f"{refund['id']}:{outcome}:{minor}:{currency}:{refund['reference']}",
            reference=str(refund["reference"]),
            psp_reference=str(refund["id"]),
            amount=money.from_minor(minor, currency),
            occurred_at=datetime.fromtimestamp(refund["updated"], UTC),
            decline_code=str(refund.get("failure_code") or ""),
            raw={name: refund.get(name) for name in (*KEPT, "payment", "failure_code")},
        )
    except UNREADABLE as error:
        raise PspUncertain(f"a refund that cannot be read ({type(error).__name__})") from error
