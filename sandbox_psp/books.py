"""The sandbox's own double-entry books.

A posting is a signed amount: what leaves an account is negative, what reaches it is positive, so a balance is what the
account's owner has. The counterpart of the money that cardholders start with is the negative balance of `issuer:vault`.
Every entry sums to zero, and so do all balances of its currency, which is asserted at every step.

    issuer:vault                  where cardholders' money comes from
    issuer:cardholder:<card>      what a cardholder can spend
    issuer:held:<card>            authorised, not yet captured
    issuer:interchange            the issuer's share of the fee
    scheme:<name>:fees            the card scheme's share
    acquirer:fees                 the acquirer's share, and dispute fees
    acquirer:merchant:pending     captured, less fees, not yet settled
    acquirer:merchant:available   settled: can be paid out
    acquirer:refunds_in_transit   refunds taken from the merchant that the cardholder has not got
    acquirer:disputed             taken from the merchant while a dispute is open
    bank:payouts_in_transit       paid out, not yet arrived
    bank:payees                   arrived
"""

from collections.abc import Iterable
from typing import Any

from sandbox_psp.work import Work

VAULT = "issuer:vault"
INTERCHANGE = "issuer:interchange"
ACQUIRER_FEES = "acquirer:fees"
PENDING = "acquirer:merchant:pending"
AVAILABLE = "acquirer:merchant:available"
REFUNDS_IN_TRANSIT = "acquirer:refunds_in_transit"
DISPUTED = "acquirer:disputed"
PAYOUTS_IN_TRANSIT = "bank:payouts_in_transit"
PAYEES = "bank:payees"


class BooksDoNotBalance(AssertionError):
    """A bug of the sandbox: money appeared or vanished. The transaction is rolled back."""


def post(work: Work, *, kind: str, source: str, currency: str, legs: Iterable[tuple[str, int]]) -> None:
    """Write one entry. Legs on the same account are joined, empty ones left out; nothing left means no entry.

    Raises:
        BooksDoNotBalance: the legs, or all balances of the currency afterwards, do not sum to zero.
    """
    amounts: dict[str, int] = {}
    for account, amount in legs:
        amounts[account] = amounts.get(account, 0) + amount
    if sum(amounts.values()) != 0:
        raise BooksDoNotBalance(f"{kind} of {source}: {amounts} {currency}")
    amounts = {account: amount for account, amount in amounts.items() if amount}
    if not amounts:
        return
    db = work.db
    entry = db.execute(
        "INSERT INTO entries (at, kind, source, currency) VALUES (?, ?, ?, ?)",
        (work.now, kind, source, currency),
    ).lastrowid
    for account, amount in amounts.items():
        row = db.execute(
            "INSERT INTO accounts (name, currency, role, balance) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (currency, name) DO UPDATE SET balance = balance + excluded.balance RETURNING id",
            (account, currency, account.split(":", 1)[0], amount),
        ).fetchone()
        db.execute("INSERT INTO postings (entry, account, amount) VALUES (?, ?, ?)", (entry, row[0], amount))
    total = db.execute("SELECT SUM(balance) FROM accounts WHERE currency = ?", (currency,)).fetchone()[0]
    if total != 0:
        raise BooksDoNotBalance(f"all balances in {currency} sum to {total} after {kind} of {source}")


def balance(work: Work, account: str, currency: str) -> int:
    """What the account has, 0 if it was never used."""
    row = work.db.execute(
        "SELECT balance FROM accounts WHERE currency = ? AND name = ?", (currency, account)
    ).fetchone()
    return int(row[0]) if row else 0


def is_open(work: Work, account: str, currency: str) -> bool:
    """Whether the account was ever used."""
    found = work.db.execute(
        "SELECT 1 FROM accounts WHERE currency = ? AND name = ?", (currency, account)
    ).fetchone()
    return found is not None


def report(work: Work) -> dict[str, Any]:
    """All accounts, and per currency the totals of balances and of postings: zero, both, always."""
    accounts = [
        {"account": row["name"], "currency": row["currency"], "role": row["role"], "balance": row["balance"]}
        for row in work.db.execute("SELECT * FROM accounts ORDER BY currency, name")
    ]
    total = {
        row[0]: row[1]
        for row in work.db.execute(
            "SELECT currency, SUM(balance) FROM accounts GROUP BY currency ORDER BY currency"
        )
    }
    postings = {
        row[0]: row[1]
        for row in work.db.execute(
            "SELECT currency, SUM(amount) FROM postings JOIN entries ON entries.seq = postings.entry"
            " GROUP BY currency ORDER BY currency"
        )
    }
    # Balances are kept, not computed; this is the check that they are what the postings say.
    drifted = work.db.execute(
        "SELECT currency || ' ' || name FROM accounts JOIN"
        " (SELECT account, SUM(amount) AS posted FROM postings GROUP BY account) AS sums ON sums.account = accounts.id"
        " WHERE balance <> posted"
    ).fetchall()
    if any(total.values()) or any(postings.values()) or drifted:
        raise BooksDoNotBalance(
            f"balances {total}, postings {postings}, drifted {[row[0] for row in drifted]}"
        )
    return {"object": "books", "accounts": accounts, "total": total}


def entries(work: Work, *, after: int, limit: int, source: str | None) -> list[dict[str, Any]]:
    """Entries in the order they were made, with their postings; `source` narrows to one object."""
    rows = work.db.execute(
        "SELECT * FROM entries WHERE seq > ? AND (? IS NULL OR source = ?) ORDER BY seq LIMIT ?",
        (after, source, source, limit),
    ).fetchall()
    result = []
    for row in rows:
        postings = work.db.execute(
            "SELECT name, amount FROM postings JOIN accounts ON accounts.id = account WHERE entry = ? ORDER BY name",
            (row["seq"],),
        )
        result.append(
            {
                "seq": row["seq"],
                "at": row["at"],
                "kind": row["kind"],
                "source": row["source"],
                "currency": row["currency"],
                "postings": [
                    {"account": posting["name"], "amount": posting["amount"]} for posting in postings
                ],
            }
        )
    return result
