"""A payment: one try to take money from one card. Its row, the steps it may take, and how it is shown."""

import json
from dataclasses import dataclass, field
from typing import Any

from sandbox_psp import errors, events, faults
from sandbox_psp.cards import BY_NUMBER, Card
from sandbox_psp.ids import new_id
from sandbox_psp.work import Fault, Work

STEPS: dict[str, frozenset[str]] = {
    "requires_confirmation": frozenset(
        {
            "requires_action",
            "in_review",
            "processing",
            "authorized",
            "succeeded",
            "declined",
            "canceled",
            "expired",
        }
    ),
    "requires_action": frozenset(
        {"in_review", "processing", "authorized", "succeeded", "declined", "canceled", "expired"}
    ),
    "in_review": frozenset({"authorized", "succeeded", "declined", "canceled", "expired"}),
    "processing": frozenset({"authorized", "succeeded", "declined"}),
    "authorized": frozenset({"succeeded", "canceled", "expired"}),
    # Only the fault async_flip_after_success takes this step.
    "succeeded": frozenset({"declined"}),
    "declined": frozenset(),
    "canceled": frozenset(),
    "expired": frozenset(),
}

_CHANGING = (
    "updated",
    "status",
    "amount_authorized",
    "amount_captured",
    "amount_refunded",
    "amount_disputed",
    "captures",
    "rrn",
    "approval_code",
    "decline_code",
    "network_code",
    "challenge",
    "faults",
    "shown",
)
_FIXED = (
    "id",
    "created",
    "amount",
    "currency",
    "capture",
    "reference",
    "description",
    "return_url",
    "metadata",
    "source",
    "number",
    "exp_month",
    "exp_year",
    "scheme",
)
_ALL = _FIXED + _CHANGING
_INSERT = f"INSERT INTO payments ({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))})"  # noqa: S608
_UPDATE = f"UPDATE payments SET {', '.join(f'{name} = ?' for name in _CHANGING)} WHERE id = ?"  # noqa: S608


@dataclass(slots=True, kw_only=True)
class Payment:
    """One row of `payments`."""

    amount: int
    currency: str
    capture: bool
    """Whether it is captured as soon as it is authorised."""
    reference: str
    description: str
    return_url: str
    metadata: dict[str, str]
    source: str
    number: str
    exp_month: int
    exp_year: int
    scheme: str
    created: float
    updated: float
    id: str = field(default_factory=lambda: new_id("pay"))
    status: str = "requires_confirmation"
    amount_authorized: int = 0
    amount_captured: int = 0
    amount_refunded: int = 0
    """Refunds that are pending or have succeeded."""
    amount_disputed: int = 0
    captures: int = 0
    rrn: str | None = None
    approval_code: str | None = None
    decline_code: str | None = None
    network_code: str | None = None
    challenge: str | None = None
    faults: list[Fault] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    stored: bool = False
    """Whether it has its row yet."""

    @property
    def card(self) -> Card:
        """The card it takes money from."""
        return BY_NUMBER[self.number]

    @property
    def amount_capturable(self) -> int:
        """What is held and not captured yet."""
        return self.amount_authorized - self.amount_captured if self.status == "authorized" else 0

    def fault(self, kind: str) -> Fault | None:
        """The fault of this kind that this payment shows, if any."""
        return next((fault for fault in self.faults if fault.kind == kind), None)


def save(work: Work, payment: Payment) -> None:
    """Keep a new payment, or what changed of an old one."""
    payment.updated = work.now
    if payment.stored:
        work.db.execute(_UPDATE, [*(_column(payment, name) for name in _CHANGING), payment.id])
    else:
        work.db.execute(_INSERT, [_column(payment, name) for name in _ALL])
        payment.stored = True


def attach_faults(payment: Payment, struck: list[Fault]) -> None:
    """Let the payment show these faults from now on."""
    payment.faults = payment.faults + [fault for fault in struck if payment.fault(fault.kind) is None]
    payment.shown = payment.shown | faults.shown_instead(struck)


def _column(payment: Payment, name: str) -> Any:
    value = getattr(payment, name)
    if name == "faults":
        return faults.to_json(value)
    return json.dumps(value) if isinstance(value, dict) else value


def load(work: Work, payment_id: str) -> Payment:
    """The payment with this id.

    Raises:
        ApiError: 404, there is none.
    """
    row = work.db.execute("SELECT * FROM payments WHERE id = ?", (payment_id,)).fetchone()
    if row is None:
        raise errors.missing("payment", payment_id)
    return _from_row(dict(row))


def load_by_challenge(work: Work, challenge: str) -> Payment:
    """The payment that waits, or waited, for this challenge.

    Raises:
        ApiError: 404, there is none.
    """
    row = work.db.execute("SELECT * FROM payments WHERE challenge = ?", (challenge,)).fetchone()
    if row is None:
        raise errors.missing("challenge", challenge)
    return _from_row(dict(row))


def find(work: Work, *, reference: str | None, after: int, limit: int) -> list[Payment]:
    """Payments, oldest first."""
    rows = work.db.execute(
        "SELECT * FROM payments WHERE reference = ? AND seq > ? ORDER BY seq LIMIT ?"
        if reference is not None
        else "SELECT * FROM payments WHERE ? IS NULL AND seq > ? ORDER BY seq LIMIT ?",
        (reference, after, limit),
    )
    return [_from_row(dict(row)) for row in rows]


def _from_row(row: dict[str, Any]) -> Payment:
    del row["seq"]
    row["capture"] = bool(row["capture"])
    row["metadata"] = json.loads(row["metadata"])
    row["faults"] = faults.from_json(row["faults"])
    row["shown"] = json.loads(row["shown"])
    return Payment(**row, stored=True)


def step(work: Work, payment: Payment, status: str) -> None:
    """Take a step, keep it and tell the listeners.

    Raises:
        AssertionError: not a step that a payment may take; a bug of the sandbox.
    """
    if status not in STEPS[payment.status]:
        raise AssertionError(f"{payment.id}: {payment.status} -> {status}")
    payment.status = status
    save(work, payment)
    tell(work, payment, f"payment.{status}")


def tell(work: Work, payment: Payment, type_: str) -> None:
    """Emit an event that shows the payment as it is now."""
    events.emit(work, type_, view(work, payment), payment.faults)


def view(work: Work, payment: Payment) -> dict[str, Any]:
    """The payment as the API and the webhooks show it."""
    action = None
    if payment.status == "requires_action":
        action = {"type": "redirect", "url": f"{work.base_url}/3ds/{payment.challenge}"}
    told = {
        "id": payment.id,
        "object": "payment",
        "status": payment.status,
        "amount": payment.amount,
        "currency": payment.currency,
        "amount_captured": payment.amount_captured,
        "amount_refunded": payment.amount_refunded,
        "amount_disputed": payment.amount_disputed,
        "amount_capturable": payment.amount_capturable,
        "captures": _captures(work, payment),
        "reference": payment.reference,
        "description": payment.description,
        "metadata": payment.metadata,
        "source": payment.source,
        "decline_code": payment.decline_code,
        "network_code": payment.network_code,
        "scheme": payment.scheme,
        "last4": payment.card.last4,
        "card_fingerprint": payment.card.fingerprint,
        "network_reference": payment.rrn,
        "approval_code": payment.approval_code,
        "next_action": action,
        "created": int(payment.created),
        "updated": int(payment.updated),
    }
    return faults.disguise(told, payment.shown, amounts=("amount", "amount_captured", "amount_capturable"))


def _captures(work: Work, payment: Payment) -> list[dict[str, Any]]:
    if not payment.captures:
        return []
    rows = work.db.execute("SELECT * FROM captures WHERE payment = ? ORDER BY seq", (payment.id,))
    return [
        {
            "id": row["id"],
            "amount": row["amount"],
            "reference": row["reference"],
            "created": int(row["created"]),
        }
        for row in rows
    ]
