"""`/v1/refunds`: money back to the cardholder, out of the merchant's pending balance; the fee is not given back."""

import json
import sqlite3
from typing import Any

from sandbox_psp import acquirer, balance, books, errors, events, faults, issuer, payment, timers
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.ids import new_id
from sandbox_psp.payment import Payment
from sandbox_psp.work import Fault, Work


def create(work: Work, request: Request) -> Response:
    """Refund all that is left of a payment, or `amount` of it."""
    fields = request.fields
    payment_id = fields.text("payment")
    wanted = fields.amount("amount", None)
    reference = fields.text("reference", "")
    metadata = fields.metadata()
    fields.end()
    charge = payment.load(work, payment_id)
    left = charge.amount_captured - charge.amount_refunded
    if charge.amount_captured == 0:
        raise errors.unexpected_state("payment", charge.status, "refunded")
    if left == 0:
        raise errors.ApiError(
            "All of it was refunded before.", code="payment_already_refunded", param="payment"
        )
    amount = left if wanted is None else wanted
    if amount > left:
        raise errors.ApiError(f"Only {left} is left to refund.", code="amount_too_large", param="amount")
    identifier = new_id("re")
    work.db.execute(
        "INSERT INTO refunds (id, created, updated, status, payment, amount, currency, reference, metadata, faults,"
        " shown) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?)",
        (
            identifier,
            work.now,
            work.now,
            charge.id,
            amount,
            charge.currency,
            reference,
            json.dumps(metadata),
            faults.to_json(work.faults),
            json.dumps(faults.shown_instead(work.faults)),
        ),
    )
    charge.amount_refunded += amount
    payment.save(work, charge)
    row = load(work, identifier)
    _move(work, row, "refund", books.PENDING, books.REFUNDS_IN_TRANSIT)
    _item(work, row, "refund", -amount)
    if charge.card.refunds in ("pending", "pending_fails") or work.fault("async_flip"):
        events.emit(work, "refund.pending", view(row), faults.from_json(row["faults"]))
        timers.schedule(work, kind="refund_ends", object_id=identifier, seconds=work.timing.refund_seconds)
    else:
        _succeed(work, row, charge)
    return answer(201, view(load(work, identifier)))


def end(work: Work, refund_id: str) -> None:
    """A pending refund comes to its outcome."""
    row = load(work, refund_id)
    if row["status"] != "pending":
        return
    charge = payment.load(work, row["payment"])
    if charge.card.refunds == "pending_fails" or _fault(row, "async_flip"):
        _fail(work, row, charge, giver=books.REFUNDS_IN_TRANSIT)
    else:
        _succeed(work, row, charge)


def fail_after_success(work: Work, refund_id: str) -> None:
    """The cardholder's bank sends a refund back."""
    row = load(work, refund_id)
    if row["status"] == "succeeded":
        charge = payment.load(work, row["payment"])
        _fail(work, row, charge, giver=issuer.cardholder_account(charge.number))


def _succeed(work: Work, row: sqlite3.Row, charge: Payment) -> None:
    rrn = acquirer.credit(work, number=charge.number, amount=row["amount"], currency=row["currency"])
    work.db.execute("UPDATE refunds SET network_reference = ? WHERE id = ?", (rrn, row["id"]))
    _move(work, row, "refund_arrives", books.REFUNDS_IN_TRANSIT, issuer.cardholder_account(charge.number))
    _step(work, row["id"], "succeeded", failure_code=None)
    flip = _fault(row, "async_flip_after_success")
    if charge.card.refunds == "fail_after_success" or flip:
        seconds = work.timing.refund_seconds if flip is None else float(flip.params["seconds"])
        timers.schedule(work, kind="refund_comes_back", object_id=row["id"], seconds=seconds)


def _fail(work: Work, row: sqlite3.Row, charge: Payment, *, giver: str) -> None:
    _move(work, row, "refund_fails", giver, books.PENDING)
    _item(work, row, "refund_failure", row["amount"])
    charge.amount_refunded -= row["amount"]
    payment.save(work, charge)
    _step(work, row["id"], "failed", failure_code="card_account_closed")


def _fault(row: sqlite3.Row, kind: str) -> Fault | None:
    return next((fault for fault in faults.from_json(row["faults"]) if fault.kind == kind), None)


def _move(work: Work, row: sqlite3.Row, kind: str, giver: str, taker: str) -> None:
    legs = [(giver, -row["amount"]), (taker, row["amount"])]
    books.post(work, kind=kind, source=row["id"], currency=row["currency"], legs=legs)


def _item(work: Work, row: sqlite3.Row, kind: str, gross: int) -> None:
    balance.add_item(
        work,
        kind=kind,
        source=row["id"],
        payment=row["payment"],
        reference=row["reference"],
        currency=row["currency"],
        gross=gross,
    )


def _step(work: Work, refund_id: str, status: str, *, failure_code: str | None) -> None:
    work.db.execute(
        "UPDATE refunds SET status = ?, failure_code = ?, updated = ? WHERE id = ?",
        (status, failure_code, work.now, refund_id),
    )
    row = load(work, refund_id)
    events.emit(work, f"refund.{status}", view(row), faults.from_json(row["faults"]))


def load(work: Work, refund_id: str) -> sqlite3.Row:
    """The refund with this id.

    Raises:
        ApiError: 404, there is none.
    """
    row: sqlite3.Row | None = work.db.execute("SELECT * FROM refunds WHERE id = ?", (refund_id,)).fetchone()
    if row is None:
        raise errors.missing("refund", refund_id)
    return row


def read(work: Work, request: Request) -> Response:
    """One refund."""
    return answer(200, view(load(work, request.ids[0])))


def find(work: Work, request: Request) -> Response:
    """Refunds, newest last, by `reference` or `payment`."""
    question = request.question()
    reference, payment_id = question.text("reference"), question.text("payment")
    rows = work.db.execute(
        "SELECT * FROM refunds WHERE (? IS NULL OR reference = ?) AND (? IS NULL OR payment = ?) AND seq > ?"
        " ORDER BY seq LIMIT ?",
        (
            reference,
            reference,
            payment_id,
            payment_id,
            question.whole("after", 0, most=2**62),
            question.whole("limit", 100, most=1000),
        ),
    )
    return answer(200, {"object": "list", "data": [view(row) for row in rows]})


def view(row: sqlite3.Row) -> dict[str, Any]:
    """The refund as the API and the webhooks show it."""
    told = {
        "id": row["id"],
        "object": "refund",
        "status": row["status"],
        "payment": row["payment"],
        "amount": row["amount"],
        "currency": row["currency"],
        "reference": row["reference"],
        "metadata": json.loads(row["metadata"]),
        "failure_code": row["failure_code"],
        "network_reference": row["network_reference"],
        "created": int(row["created"]),
        "updated": int(row["updated"]),
    }
    return faults.disguise(told, json.loads(row["shown"]), amounts=("amount",))
