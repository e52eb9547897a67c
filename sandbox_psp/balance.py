"""The merchant's balance: every capture, refund, dispute and pay-out as an item with gross, fee and net.

Items start in the pending balance and become available when settled; the sum of settled nets is the available balance.
"""

from typing import Any

from sandbox_psp import books
from sandbox_psp.ids import new_id
from sandbox_psp.work import Work


def add_item(
    work: Work,
    *,
    kind: str,
    source: str,
    payment: str | None,
    reference: str,
    currency: str,
    gross: int,
    fee: int = 0,
    settled: bool = False,
) -> None:
    """Note that the merchant's balance changed by gross - fee; the books are moved by the caller."""
    work.db.execute(
        "INSERT INTO balance_items (id, kind, source, payment, reference, currency, gross, fee, net, created,"
        " available_on, settled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new_id("txn"),
            kind,
            source,
            payment,
            reference,
            currency,
            gross,
            fee,
            gross - fee,
            work.now,
            work.now if settled else work.now + work.timing.settlement_seconds,
            int(settled),
        ),
    )


def settle_due(work: Work) -> None:
    """Make pending items available whose time has come: one entry per currency."""
    sums = work.db.execute(
        "SELECT currency, SUM(net) AS net FROM balance_items WHERE settled = 0 AND available_on <= ? GROUP BY currency",
        (work.now,),
    ).fetchall()
    if not sums:
        return
    work.db.execute(
        "UPDATE balance_items SET settled = 1 WHERE settled = 0 AND available_on <= ?", (work.now,)
    )
    settlement = new_id("set")
    for row in sums:
        books.post(
            work,
            kind="settle",
            source=settlement,
            currency=row["currency"],
            legs=[(books.PENDING, -row["net"]), (books.AVAILABLE, row["net"])],
        )


def is_due(work: Work) -> bool:
    """Whether `settle_due` would do anything."""
    found = work.db.execute(
        "SELECT 1 FROM balance_items WHERE settled = 0 AND available_on <= ? LIMIT 1", (work.now,)
    ).fetchone()
    return found is not None


def report(work: Work) -> dict[str, Any]:
    """What the merchant has, per currency."""
    amounts: dict[str, dict[str, int]] = {"pending": {}, "available": {}}
    for name, account in (("pending", books.PENDING), ("available", books.AVAILABLE)):
        rows = work.db.execute(
            "SELECT currency, balance FROM accounts WHERE name = ? ORDER BY currency", (account,)
        )
        amounts[name] = {row["currency"]: row["balance"] for row in rows}
    return {"object": "balance", **amounts}


def items(work: Work, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Items in the order they were made."""
    rows = work.db.execute("SELECT * FROM balance_items WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
    return [
        {
            "id": row["id"],
            "object": "balance_transaction",
            "seq": row["seq"],
            "type": row["kind"],
            "source": row["source"],
            "payment": row["payment"],
            "reference": row["reference"],
            "currency": row["currency"],
            "gross": row["gross"],
            "fee": row["fee"],
            "net": row["net"],
            "created": int(row["created"]),
            "available_on": int(row["available_on"]),
            "status": "available" if row["settled"] else "pending",
        }
        for row in rows
    ]
