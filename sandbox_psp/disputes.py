"""`/v1/disputes`: the cardholder's bank takes money back, and gives it again if the merchant's evidence convinces.

Opened by the card `disputed` or by the control surface. Evidence decides: `winning_evidence` wins, `losing_evidence`
loses, anything else waits for the control surface. An inquiry asks without taking money.
"""

import sqlite3
from typing import Any

from sandbox_psp import balance, books, errors, events, issuer, payment, timers
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.ids import new_id
from sandbox_psp.payment import Payment
from sandbox_psp.work import Work

FEE = 1500
"""Charged per dispute in minor units, not for inquiries; kept by the acquirer even when the merchant wins."""
DAYS_TO_ANSWER = 10
REASONS = (
    "fraudulent",
    "product_not_received",
    "product_unacceptable",
    "duplicate",
    "credit_not_processed",
    "general",
)


def open_dispute(work: Work, charge: Payment, *, amount: int, reason: str, kind: str) -> str:
    """The cardholder complains: the money and a fee leave the merchant (kind `dispute` or `return`). Returns the id."""
    identifier = new_id("dp")
    takes = kind != "inquiry"
    work.db.execute(
        "INSERT INTO disputes (id, created, updated, status, kind, reason, payment, amount, fee, currency, evidence,"
        " due_by) VALUES (?, ?, ?, 'needs_response', ?, ?, ?, ?, ?, ?, '', ?)",
        (
            identifier,
            work.now,
            work.now,
            kind,
            reason,
            charge.id,
            amount,
            FEE if takes else 0,
            charge.currency,
            work.now + DAYS_TO_ANSWER * 86400,
        ),
    )
    row = load(work, identifier)
    if takes:
        legs = [(books.PENDING, -amount - FEE), (books.ACQUIRER_FEES, FEE), (books.DISPUTED, amount)]
        books.post(work, kind="dispute", source=identifier, currency=charge.currency, legs=legs)
        _item(work, row, "dispute", gross=-amount, fee=FEE)
        charge.amount_disputed += amount
        payment.save(work, charge)
    timers.schedule(work, kind="dispute_overdue", object_id=identifier, seconds=DAYS_TO_ANSWER * 86400)
    _tell(work, row, charge, "dispute.created")
    if takes:
        _tell(work, row, charge, "dispute.funds_withdrawn")
    return identifier


def close(work: Work, dispute_id: str, *, won: bool) -> None:
    """The dispute is decided.

    Raises:
        ApiError: it was decided before.
    """
    row = load(work, dispute_id)
    if row["status"] in ("won", "lost"):
        raise errors.unexpected_state("dispute", row["status"], "decided")
    charge = payment.load(work, row["payment"])
    status = "won" if won else "lost"
    work.db.execute(
        "UPDATE disputes SET status = ?, updated = ? WHERE id = ?", (status, work.now, dispute_id)
    )
    if row["kind"] != "inquiry":
        taker = books.PENDING if won else issuer.cardholder_account(charge.number)
        legs = [(books.DISPUTED, -row["amount"]), (taker, row["amount"])]
        books.post(work, kind=f"dispute_{status}", source=dispute_id, currency=row["currency"], legs=legs)
        if won:
            _item(work, row, "dispute_reversal", gross=row["amount"], fee=0)
            charge.amount_disputed -= row["amount"]
            payment.save(work, charge)
    row = load(work, dispute_id)
    if won and row["kind"] != "inquiry":
        _tell(work, row, charge, "dispute.funds_reinstated")
    _tell(work, row, charge, f"dispute.{status}")


def submit(work: Work, request: Request) -> Response:
    """The merchant's evidence."""
    fields = request.fields
    evidence = fields.text("evidence", longest=5000)
    fields.end()
    row = load(work, request.ids[0])
    if row["status"] != "needs_response":
        raise errors.unexpected_state("dispute", row["status"], "answered")
    work.db.execute(
        "UPDATE disputes SET status = 'under_review', evidence = ?, updated = ? WHERE id = ?",
        (evidence, work.now, row["id"]),
    )
    _tell(work, load(work, row["id"]), payment.load(work, row["payment"]), "dispute.submitted")
    if evidence in ("winning_evidence", "losing_evidence"):
        close(work, row["id"], won=evidence == "winning_evidence")
    return _shown(work, row["id"])


def concede(work: Work, request: Request) -> Response:
    """The merchant gives up."""
    request.fields.end()
    close(work, request.ids[0], won=False)
    return _shown(work, request.ids[0])


def overdue(work: Work, dispute_id: str) -> None:
    """A dispute that nobody answered in time is lost."""
    if load(work, dispute_id)["status"] == "needs_response":
        close(work, dispute_id, won=False)


def _item(work: Work, row: sqlite3.Row, kind: str, *, gross: int, fee: int) -> None:
    balance.add_item(
        work,
        kind=kind,
        source=row["id"],
        payment=row["payment"],
        reference="",
        currency=row["currency"],
        gross=gross,
        fee=fee,
    )


def _tell(work: Work, row: sqlite3.Row, charge: Payment, type_: str) -> None:
    events.emit(work, type_, view(work, row), charge.faults)


def load(work: Work, dispute_id: str) -> sqlite3.Row:
    """The dispute with this id.

    Raises:
        ApiError: 404, there is none.
    """
    row: sqlite3.Row | None = work.db.execute("SELECT * FROM disputes WHERE id = ?", (dispute_id,)).fetchone()
    if row is None:
        raise errors.missing("dispute", dispute_id)
    return row


def read(work: Work, request: Request) -> Response:
    """One dispute."""
    return _shown(work, request.ids[0])


def _shown(work: Work, dispute_id: str) -> Response:
    return answer(200, view(work, load(work, dispute_id)))


def find(work: Work, request: Request) -> Response:
    """Disputes, newest last, by `payment`."""
    question = request.question()
    payment_id = question.text("payment")
    rows = work.db.execute(
        "SELECT * FROM disputes WHERE (? IS NULL OR payment = ?) AND seq > ? ORDER BY seq LIMIT ?",
        (
            payment_id,
            payment_id,
            question.whole("after", 0, most=2**62),
            question.whole("limit", 100, most=1000),
        ),
    ).fetchall()
    return answer(200, {"object": "list", "data": [view(work, row) for row in rows]})


def view(work: Work, row: sqlite3.Row) -> dict[str, Any]:
    """The dispute as the API and the webhooks show it; `reference` is the payment's."""
    charge = payment.load(work, row["payment"])
    return {
        "id": row["id"],
        "object": "dispute",
        "status": row["status"],
        "kind": row["kind"],
        "reason": row["reason"],
        "payment": row["payment"],
        "reference": charge.reference,
        "amount": row["amount"],
        "fee": row["fee"],
        "currency": row["currency"],
        "due_by": int(row["due_by"]),
        "created": int(row["created"]),
        "updated": int(row["updated"]),
    }
