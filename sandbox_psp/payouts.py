"""`/v1/payouts`: money from the merchant's available balance to somebody's bank account.

Any destination is paid, except the accounts of `UNLUCKY`.
"""

import json
import sqlite3
from typing import Any

from sandbox_psp import balance, books, errors, events, faults, timers
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.ids import new_id
from sandbox_psp.work import Fault, Work

UNLUCKY = {
    "account_closed": ("failed", "account_closed"),
    "DE41370400440000000001": ("failed", "account_closed"),
    "000111111113": ("failed", "account_closed"),
    "wrong_account": ("returned", "wrong_account"),
    "DE14370400440000000002": ("returned", "wrong_account"),
    "000222222227": ("returned", "wrong_account"),
}
"""Account -> how its pay-outs end, and why. The IBANs have right check digits."""


def create(work: Work, request: Request) -> Response:
    """Send money out."""
    fields = request.fields
    amount = fields.amount()
    currency = fields.currency()
    destination = fields.object("destination")
    destination_type = destination.text("type", longest=50)
    account = destination.text("account", longest=100)
    extra = destination.rest()
    reference = fields.text("reference", "")
    metadata = fields.metadata()
    fields.end()
    balance.settle_due(work)
    if books.balance(work, books.AVAILABLE, currency) < amount:
        raise errors.ApiError(
            "The available balance is too small.", code="balance_insufficient", param="amount"
        )
    identifier = new_id("po")
    work.db.execute(
        "INSERT INTO payouts (id, created, updated, status, amount, currency, destination, reference, metadata, trace_id,"
        " faults, shown) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identifier,
            work.now,
            work.now,
            amount,
            currency,
            json.dumps({"type": destination_type, "account": account, **extra}),
            reference,
            json.dumps(metadata),
            new_id("trace"),
            faults.to_json(work.faults),
            json.dumps(faults.shown_instead(work.faults)),
        ),
    )
    row = load(work, identifier)
    _move(work, row, "payout", books.AVAILABLE, books.PAYOUTS_IN_TRANSIT)
    _item(work, row, "payout", -amount)
    timers.schedule(work, kind="payout_ends", object_id=identifier, seconds=work.timing.payout_seconds)
    return answer(201, view(row))


def end(work: Work, payout_id: str) -> None:
    """A pending pay-out arrives, or fails."""
    row = load(work, payout_id)
    if row["status"] != "pending":
        return
    status, code = UNLUCKY.get(json.loads(row["destination"])["account"], ("paid", None))
    if _fault(row, "async_flip"):
        status, code = "failed", "account_closed"
    if _fault(row, "async_flip_after_success"):
        status, code = "returned", "wrong_account"
    if status == "failed":
        _move(work, row, "payout_fails", books.PAYOUTS_IN_TRANSIT, books.AVAILABLE)
        _item(work, row, "payout_failure", row["amount"])
        _step(work, payout_id, "failed", failure_code=code)
        return
    _move(work, row, "payout_arrives", books.PAYOUTS_IN_TRANSIT, books.PAYEES)
    _step(work, payout_id, "paid", failure_code=None)
    if status == "returned":
        timers.schedule(
            work, kind="payout_comes_back", object_id=payout_id, seconds=work.timing.payout_seconds
        )


def come_back(work: Work, payout_id: str) -> None:
    """The payee's bank returns a pay-out that had arrived."""
    row = load(work, payout_id)
    if row["status"] != "paid":
        return
    _move(work, row, "payout_returned", books.PAYEES, books.AVAILABLE)
    _item(work, row, "payout_return", row["amount"])
    _step(work, payout_id, "returned", failure_code="wrong_account")


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
        payment=None,
        reference=row["reference"],
        currency=row["currency"],
        gross=gross,
        settled=True,
    )


def _step(work: Work, payout_id: str, status: str, *, failure_code: str | None) -> None:
    work.db.execute(
        "UPDATE payouts SET status = ?, failure_code = ?, updated = ? WHERE id = ?",
        (status, failure_code, work.now, payout_id),
    )
    row = load(work, payout_id)
    events.emit(work, f"payout.{status}", view(row), faults.from_json(row["faults"]))


def load(work: Work, payout_id: str) -> sqlite3.Row:
    """The pay-out with this id.

    Raises:
        ApiError: 404, there is none.
    """
    row: sqlite3.Row | None = work.db.execute("SELECT * FROM payouts WHERE id = ?", (payout_id,)).fetchone()
    if row is None:
        raise errors.missing("payout", payout_id)
    return row


def read(work: Work, request: Request) -> Response:
    """One pay-out."""
    return answer(200, view(load(work, request.ids[0])))


def find(work: Work, request: Request) -> Response:
    """Pay-outs, newest last, by `reference`."""
    question = request.question()
    reference = question.text("reference")
    rows = work.db.execute(
        "SELECT * FROM payouts WHERE (? IS NULL OR reference = ?) AND seq > ? ORDER BY seq LIMIT ?",
        (
            reference,
            reference,
            question.whole("after", 0, most=2**62),
            question.whole("limit", 100, most=1000),
        ),
    )
    return answer(200, {"object": "list", "data": [view(row) for row in rows]})


def view(row: sqlite3.Row) -> dict[str, Any]:
    """The pay-out as the API and the webhooks show it."""
    told = {
        "id": row["id"],
        "object": "payout",
        "status": row["status"],
        "amount": row["amount"],
        "currency": row["currency"],
        "destination": json.loads(row["destination"]),
        "reference": row["reference"],
        "metadata": json.loads(row["metadata"]),
        "failure_code": row["failure_code"],
        "trace_id": row["trace_id"],
        "created": int(row["created"]),
        "updated": int(row["updated"]),
    }
    return faults.disguise(told, json.loads(row["shown"]), amounts=("amount",))
