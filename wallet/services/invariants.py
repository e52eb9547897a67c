"""What must hold between wallets, lots and the ledger at any moment, and the rows that break it.

Read in SQL and past the services, so that a fault of theirs cannot hide itself.
"""

from collections.abc import Iterator

from django.db import connection

from ledger import money
from ledger.services import Violation
from wallet.models import AccountHolder, Lot, Wallet

_POCKETS_UNEXPLAINED = """
    WITH explained AS (
        SELECT 'wallet_' || pocket.name || ':' || w.id AS code, w.currency, coalesce(sum(pocket.amount), 0) AS
        amount
          FROM wallet_wallet w
          LEFT JOIN wallet_lot l ON l.wallet_id = w.id
         CROSS JOIN LATERAL (VALUES ('pending', l.pending), ('available', l.available), ('reserved',
         l.reserved))
                         AS pocket (name, amount)
         GROUP BY w.id, pocket.name
    ), held AS (
        -- Exact accounts: their balance is whole, and liabilities stand below zero.
        SELECT code, currency, -balance AS amount FROM ledger_account WHERE starts_with(code, 'wallet_')
    )
    SELECT 'ledger_account:' || code FROM explained FULL JOIN held USING (code)
     WHERE (explained.amount, explained.currency) IS DISTINCT FROM (held.amount, held.currency)
     ORDER BY 1
"""

_LOTS_IN_ANOTHER_CURRENCY = """
    SELECT 'wallet_lot:' || l.id FROM wallet_lot l
     WHERE NOT EXISTS (SELECT FROM wallet_wallet w WHERE w.id = l.wallet_id AND w.currency = l.currency)
     ORDER BY 1
"""

_LOTS_FINER_THAN_THEIR_CURRENCY = """
    SELECT 'wallet_lot:' || id FROM wallet_lot
     WHERE currency = %s AND (original, pending, available, reserved)
           <> (round(original, %s), round(pending, %s), round(available, %s), round(reserved, %s))
     ORDER BY 1
"""


def violations() -> Iterator[Violation]:
    """Every broken invariant of the wallets. For one snapshot of all, call it inside
    `ledger.services.snapshot()`.
    """
    for invariant, message, query in (
        (2, "a wallet's account does not equal the sum of its lots", _POCKETS_UNEXPLAINED),
        (14, "a lot is not in its wallet's currency", _LOTS_IN_ANOTHER_CURRENCY),
    ):
        if rows := _rows(query):
            yield Violation(invariant, message, rows)
    for currency in _rows("SELECT DISTINCT currency FROM wallet_lot ORDER BY 1"):
        places = money.decimals(currency)
        if rows := _rows(_LOTS_FINER_THAN_THEIR_CURRENCY, currency, places, places, places, places):
            yield Violation(14, f"a lot has more decimals than {currency}", rows)
    yield from _guards_missing()


def _guards_missing() -> Iterator[Violation]:
    enabled = set(
        _rows(
            "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
            " UNION SELECT conname::text FROM pg_constraint WHERE convalidated"
        )
    )
    guards = {
        trigger.get_pgid(model): model._meta.db_table
        for model in (AccountHolder, Wallet, Lot)
        for trigger in vars(model._meta)["triggers"]
    }
    guards["lot_in_its_wallets_currency"] = Lot._meta.db_table
    if rows := sorted(f"{table}:{guard}" for guard, table in guards.items() if guard not in enabled):
        yield Violation(2, "a guard of the wallets is missing or switched off", rows)


def _rows(query: str, *parameters: str | int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return [row[0] for row in cursor.fetchall()]
