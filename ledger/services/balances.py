"""Reading balances, each in one statement and so in one snapshot; folding the tail of deferred accounts."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from moneyed import Money

from ledger import chart, money
from ledger.chart import AccountType
from ledger.errors import UnknownAccount
from ledger.models import Account

_HELD = "a.balance + coalesce((SELECT sum(t.amount) FROM ledger_tail t WHERE t.account_id = a.id), 0)"


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """One account in the trial balance: its balance on the side where it stands, zero on the other."""

    code: str
    type: AccountType
    debit: Money
    credit: Money


def balance(code: str) -> Money:
    """What the account holds, above zero on its normal side. See `balances`."""
    return balances([code])[code]


def balances(codes: Collection[str]) -> dict[str, Money]:
    """What the accounts hold, each above zero on its normal side, all at the same moment.

    A platform account that nothing was ever posted to holds zero.

    Raises:
        UnknownAccount: neither an account nor in the chart; or a wallet's account that was never opened.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT code, currency, normal_side, {_HELD} FROM ledger_account a WHERE code = ANY (%s)",  # noqa: S608
            [list(codes)],
        )
        found = {
            code: money.from_books(held * side, currency) for code, currency, side, held in cursor.fetchall()
        }
    return {code: found[code] if code in found else _never_posted(code) for code in codes}


def trial_balance() -> list[TrialBalanceRow]:
    """Every account with what it holds, by code. Debits equal credits in each currency."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT a.code, a.type, a.currency, {_HELD} FROM ledger_account a ORDER BY a.code")  # noqa: S608
        return [
            TrialBalanceRow(
                code=code,
                type=AccountType(type_),
                debit=money.from_books(max(held, Decimal(0)), currency),
                credit=money.from_books(max(-held, Decimal(0)), currency),
            )
            for code, type_, currency, held in cursor.fetchall()
        ]


def roll_up(limit: int = 10_000) -> int:
    """Fold up to `limit` rows of the tail into the stored balances; returns how many were folded.

    No balance changes by it. Safe beside postings and other roll-ups: what another has taken is passed over.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ledger_tail WHERE id = ANY"
            " (ARRAY(SELECT id FROM ledger_tail ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))",
            [limit],
        )
        return int(cursor.rowcount)


def _never_posted(code: str) -> Money:
    if chart.kind_of(code).opened_explicitly or Account.objects.filter(code=code).exists():
        raise UnknownAccount(f"no account {code!r}")
    return money.zero(code.rpartition(":")[2])
