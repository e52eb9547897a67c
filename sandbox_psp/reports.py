"""What others check themselves against: books, balances, events, messages, and what each payment came to."""

import json

from sandbox_psp import balance, books, events
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.work import Work

_EVERYTHING = 2**62


def read_books(work: Work, request: Request) -> Response:
    """All accounts with their balances; `total` is zero per currency."""
    return answer(200, books.report(work))


def read_entries(work: Work, request: Request) -> Response:
    """The journal; `source` narrows it to one payment, refund, pay-out or dispute."""
    question = request.question()
    data = books.entries(
        work,
        after=question.whole("after", 0, most=_EVERYTHING),
        limit=question.whole("limit", 100, most=1000),
        source=question.text("source"),
    )
    return answer(200, {"object": "list", "data": data})


def read_balance(work: Work, request: Request) -> Response:
    """What the merchant has, pending and available."""
    return answer(200, balance.report(work))


def read_balance_transactions(work: Work, request: Request) -> Response:
    """What made up the merchant's balance: gross, fee and net per item."""
    question = request.question()
    after, limit = question.whole("after", 0, most=_EVERYTHING), question.whole("limit", 100, most=1000)
    return answer(200, {"object": "list", "data": balance.items(work, after=after, limit=limit)})


def read_events(work: Work, request: Request) -> Response:
    """Events, oldest first, delivered or not; `object` narrows them to one payment, refund, pay-out or dispute."""
    question = request.question()
    data = events.stored(
        work,
        after=question.whole("after", 0, most=_EVERYTHING),
        limit=question.whole("limit", 100, most=1000),
        object_id=question.text("object"),
    )
    return answer(200, {"object": "list", "data": data})


def read_messages(work: Work, request: Request) -> Response:
    """What acquirer and issuer said to each other about one network reference, card numbers masked."""
    rows = work.db.execute(
        "SELECT * FROM messages WHERE rrn = ? ORDER BY seq",
        (request.question().text("network_reference") or "",),
    )
    data = [
        {"at": row["at"], "request": json.loads(row["request"]), "response": json.loads(row["response"])}
        for row in rows
    ]
    return answer(200, {"object": "list", "data": data})


def summarise_charges(work: Work, request: Request) -> Response:
    """What each payment that took money really took, whatever answers and webhooks claimed; totals per currency.

    `charges` counts the payment's captures. Two payments under one reference are two rows. Without `limit`, all of them.
    """
    question = request.question()
    reference = question.text("reference")
    rows = work.db.execute(
        "SELECT seq, id, reference, currency, status, amount, amount_captured, amount_refunded, amount_disputed, captures"
        " FROM payments WHERE captures > 0 AND seq > ? AND (? IS NULL OR reference = ?) ORDER BY seq LIMIT ?",
        (
            question.whole("after", 0, most=_EVERYTHING),
            reference,
            reference,
            question.whole("limit", _EVERYTHING, most=_EVERYTHING),
        ),
    )
    data = []
    totals: dict[str, dict[str, int]] = {}
    for row in rows:
        data.append(
            {
                "seq": row["seq"],
                "payment": row["id"],
                "reference": row["reference"],
                "currency": row["currency"],
                "status": row["status"],
                "amount": row["amount"],
                "amount_captured": row["amount_captured"],
                "amount_refunded": row["amount_refunded"],
                "amount_disputed": row["amount_disputed"],
                "charges": row["captures"],
            }
        )
        total = totals.setdefault(
            row["currency"], {"payments": 0, "charges": 0, "amount_captured": 0, "amount_refunded": 0}
        )
        total["payments"] += 1
        total["charges"] += row["captures"]
        total["amount_captured"] += row["amount_captured"]
        total["amount_refunded"] += row["amount_refunded"]
    return answer(200, {"object": "summary", "data": data, "totals": totals})
