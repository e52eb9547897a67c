"""What must hold in the books at any moment, and the rows that break it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction

from ledger import money


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant, by its number in the list of them, with the rows that break it ("table:id")."""

    invariant: int
    message: str
    rows: list[str] = field(default_factory=list)


@contextmanager
def snapshot() -> Iterator[None]:
    """A read-only transaction in which every statement sees the same moment. Must not be inside another."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


# Each query names the rows that break the invariant, one per row.
_CHECKS: tuple[tuple[int, str, str], ...] = (
    (
        1,
        "an entry has fewer than two postings, or its lines are not 1 to n",
        """
        SELECT 'ledger_entry:' || e.id FROM ledger_entry e LEFT JOIN ledger_posting p ON p.entry_id = e.id
         GROUP BY e.id HAVING count(p.line) < 2 OR min(p.line) <> 1 OR max(p.line) <> count(p.line)
        """,
    ),
    (
        1,
        "an entry does not sum to zero in each currency",
        """
        SELECT DISTINCT 'ledger_entry:' || p.entry_id
          FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
         GROUP BY p.entry_id, a.currency HAVING sum(p.amount) <> 0
        """,
    ),
    (
        1,
        "a posting has no entry or no account",
        """
        SELECT 'ledger_posting:' || p.entry_id || '/' || p.line FROM ledger_posting p
         WHERE NOT EXISTS (SELECT FROM ledger_entry e WHERE e.id = p.entry_id)
            OR NOT EXISTS (SELECT FROM ledger_account a WHERE a.id = p.account_id)
        """,
    ),
    (
        1,
        "all postings of a currency do not sum to zero",
        """
        SELECT 'currency:' || a.currency FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
         GROUP BY a.currency HAVING sum(p.amount) <> 0
        """,
    ),
    (
        2,
        "an account's balance and tail do not equal the sum of its postings",
        """
        SELECT 'ledger_account:' || a.id FROM ledger_account a
          LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM ledger_posting GROUP BY account_id) p
                 ON p.account_id = a.id
          LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM ledger_tail GROUP BY account_id) t
                 ON t.account_id = a.id
         WHERE a.balance + coalesce(t.amount, 0) <> coalesce(p.amount, 0)
        """,
    ),
    (
        2,
        "a posting does not carry the running balance of its exact account",
        """
        SELECT 'ledger_posting:' || entry_id || '/' || line
          FROM (SELECT p.entry_id, p.line, p.balance_after,
                       CASE a.policy WHEN 'exact' THEN sum(p.amount) OVER so_far END AS expected
                  FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
                WINDOW so_far AS (PARTITION BY p.account_id ORDER BY p.entry_id, p.line)) running
         WHERE balance_after IS DISTINCT FROM expected
        """,
    ),
    (
        7,
        "an entry that is not forced took an account below its floor",
        """
        SELECT 'ledger_entry:' || taken.entry_id
          FROM (SELECT p.entry_id, a.floor, sum(p.amount * a.normal_side) AS change,
                       (array_agg(p.balance_after * a.normal_side ORDER BY p.line DESC))[1] AS left_over
                  FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
                 WHERE a.floor IS NOT NULL GROUP BY p.entry_id, a.id) taken
          JOIN ledger_entry e ON e.id = taken.entry_id
         WHERE change < 0 AND left_over < floor AND NOT e.forced
        """,
    ),
)

GUARDS: dict[str, tuple[str, ...]] = {
    "ledger_account": (
        "ledger_account_balance_follows",
        "ledger_account_fixed",
        "ledger_account_kept",
        "ledger_account_opened",
    ),
    "ledger_entry": ("ledger_entries_added", "ledger_entry_append_only"),
    "ledger_posting": ("ledger_posting_append_only", "ledger_postings_added"),
    "ledger_tail": ("ledger_tail_fixed", "ledger_tail_folded", "ledger_tail_follows"),
}
"""The triggers without which the database proves nothing, by table."""


def violations() -> Iterator[Violation]:
    """Every broken invariant of the ledger. For one snapshot of all, call it inside `snapshot()`."""
    for invariant, message, query in _CHECKS:
        rows = _rows(query)
        if rows:
            yield Violation(invariant, message, rows)
    yield from _amounts_finer_than_their_currency()
    yield from _guards_missing()


def _amounts_finer_than_their_currency() -> Iterator[Violation]:
    for currency in _rows("SELECT DISTINCT currency FROM ledger_account"):
        rows = _rows(
            "SELECT 'ledger_posting:' || p.entry_id || '/' || p.line FROM ledger_posting p"
            " JOIN ledger_account a ON a.id = p.account_id"
            " WHERE a.currency = %s AND p.amount <> round(p.amount, %s)",
            currency,
            money.decimals(currency),
        )
        if rows:
            yield Violation(14, f"an amount has more decimals than {currency}", rows)


def _guards_missing() -> Iterator[Violation]:
    enabled = set(
        _rows("SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')")
    )
    for table, guards in GUARDS.items():
        rows = [f"{table}:{guard}" for guard in guards if guard not in enabled]
        if rows:
            yield Violation(1, "a guard of the journal is missing or switched off", rows)


def _rows(query: str, *parameters: str | int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return [row[0] for row in cursor.fetchall()]
