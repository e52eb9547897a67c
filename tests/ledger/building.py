"""Arranging books through the real services."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from django.db import connection
from moneyed import Money

from ledger import chart
from ledger.ids import uuid7
from ledger.services import Entry, Leg, open_accounts, post

RECEIVABLE = "psp_receivable:sandbox:EUR"
COMMISSION = "commission_income:EUR"
REFUNDS = "refunds_payable:EUR"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def eur(amount: str | int) -> Money:
    """Euros."""
    return Money(Decimal(amount), "EUR")


def wallet(name: str = "wallet_pending", currency: str = "EUR") -> str:
    """The code of a new wallet's account; empty, floor 0."""
    code = chart.wallet_code(name, uuid7())
    open_accounts([chart.spec(code, currency)])
    return code


def entry(
    *legs: tuple[str, str | int], reference: str = "", forced: bool = False, kind: str = "capture"
) -> Entry:
    """An entry in euros; amounts are debits above zero, credits below."""
    return Entry(
        reference=reference or f"test:{uuid7()}",
        kind=kind,
        legs=tuple(Leg(code, eur(amount)) for code, amount in legs),
        occurred_at=NOON,
        forced=forced,
    )


def sale(to: str, amount: str | int, reference: str = "") -> Entry:
    """`amount` captured for the wallet account `to`."""
    return entry((RECEIVABLE, amount), (to, f"-{amount}"), reference=reference)


def taking(out_of: str, amount: str | int, *, reference: str = "", forced: bool = False) -> Entry:
    """`amount` taken from the wallet account, for a refund."""
    return entry((out_of, amount), (REFUNDS, f"-{amount}"), reference=reference, forced=forced, kind="refund")


def funded(amount: str | int) -> str:
    """The code of a wallet account that holds `amount`."""
    code = wallet()
    post(sale(code, amount))
    return code


def run(statement: str, *parameters: object) -> None:
    """Raw SQL, past every service."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)  # type: ignore[arg-type]


def rows(query: str, *parameters: object) -> list[tuple[object, ...]]:
    """What raw SQL reads."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)  # type: ignore[arg-type]
        return list(cursor.fetchall())


def raw_entry(
    legs: Iterable[tuple[str, str, str | None]], *, forced: bool = False, entry_id: int | None = None
) -> str:
    """The one statement that inserts an entry and its postings: (account code, amount, balance after)."""
    values = ", ".join(
        f"((SELECT id FROM entry), {line}::smallint, (SELECT id FROM ledger_account WHERE code = '{code}'),"
        f" {amount}::numeric, {after or 'NULL'}::numeric)"
        for line, (code, amount, after) in enumerate(legs, start=1)
    )
    number = entry_id if entry_id is not None else "nextval('ledger_entry_id_seq')"
    return f"""
        WITH entry AS (
            INSERT INTO ledger_entry (id, occurred_at, created_at, accounting_date, fingerprint, forced,
                                      reference, kind, description)
            VALUES ({number}, now(), now(), now()::date, 0, {forced}, 'raw:' || gen_random_uuid(), 'raw', '')
            RETURNING id
        )
        INSERT INTO ledger_posting (entry_id, line, account_id, amount, balance_after) VALUES {values}
    """


def wait_for_a_lock_wait() -> None:
    """Return once some connection to this database waits for a lock."""
    for _ in range(500):
        waiting = rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        if waiting:
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")
