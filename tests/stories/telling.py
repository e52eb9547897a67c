"""What an accountant reads: the journal and the trial balance as tables, in plain words."""

from typing import Any

from django.db import connection
from moneyed import Money

from ledger import money
from ledger.services import trial_balance
from payments.representation import amount_text
from tests.payments.webhook_arranging import deliver
from wallet.models import Wallet

ACCOUNTS = {
    "psp_receivable": "the PSP owes us",
    "commission_income": "our commission",
    "wallet_pending": "sold by {}",
    "unapplied_receipts": "received for no order",
    "refunds_payable": "promised back to buyers",
    "in_doubt": "memo: in doubt",
    "in_doubt_contra": "memo: the other side",
}

Row = tuple[str, ...]


def cart(name: str, *lines: tuple[str, str, str], source: str = "tok_visa") -> dict[str, Any]:
    """A buyer's cart, each line (seller, amount, currency); paid with this card unless it is empty."""
    body: dict[str, Any] = {
        "checkout_id": name,
        "buyer_info": {"name": "Amina Yusuf", "email": "amina@example.org"},
        "payment_orders": [
            {
                "payment_order_id": f"{name}-{n}",
                "seller_account": seller,
                "amount": amount,
                "currency": currency,
            }
            for n, (seller, amount, currency) in enumerate(lines, start=1)
        ],
    }
    return body | ({"payment_method": {"type": "card", "token": source}} if source else {})


def rows_of(table: str) -> list[Row]:
    """The rows of a written table, without its head; cells are separated by bars."""
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [tuple(line) for line in lines[1:]]


def books_say(table: str) -> None:
    """The trial balance has these accounts and no other: account, debit, credit."""
    told = []
    for row in trial_balance():
        if row.debit or row.credit:
            told.append((_account(row.code), _text(row.debit), _text(row.credit)))
    assert sorted(told) == sorted(rows_of(table)), "\n" + "\n".join(" | ".join(row) for row in told)


def journal_says(table: str) -> None:
    """The journal has these entries and no other, in this order: what happened, account, debit, credit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.kind, a.code, a.currency, p.amount FROM ledger_posting p"
            " JOIN ledger_entry e ON e.id = p.entry_id JOIN ledger_account a ON a.id = p.account_id"
            " ORDER BY e.id, p.amount < 0, a.code"
        )
        told = [
            (
                kind.replace("_", " "),
                _account(code),
                _text(money.from_books(max(amount, amount * 0), currency)),
                _text(money.from_books(max(-amount, amount * 0), currency)),
            )
            for kind, code, currency, amount in cursor.fetchall()
        ]
    expected = rows_of(table)
    assert sorted(told) == sorted(expected), "\n" + "\n".join(" | ".join(row) for row in told)
    assert [row[0] for row in told] == [row[0] for row in expected]


def the_psp_tells(event: dict[str, Any]) -> None:
    """The PSP sends a signed webhook, and it is stored."""
    assert deliver(event) == 204


def _account(code: str) -> str:
    name, _, rest = code.partition(":")
    if name.startswith("wallet_"):
        return ACCOUNTS[name].format(Wallet.objects.select_related("holder").get(id=rest).holder.name)
    return ACCOUNTS[name]


def _text(amount: Money) -> str:
    return f"{amount.currency.code} {amount_text(amount)}" if amount else ""
