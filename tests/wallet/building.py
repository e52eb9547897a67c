"""Arranging wallets through the real services."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from moneyed import Money

from ledger import chart, clock, money
from ledger.ids import uuid7
from ledger.services import Entry, Leg, post
from wallet.models import AccountHolder, HolderKind, Lot, Wallet
from wallet.services import NewLot, ensure_wallets, open_holder, open_lots


def seller(reference: str = "seller-1", **changes: str) -> AccountHolder:
    """A seller of this reference."""
    content = {"name": "Soko Ltd", "email": "soko@example.org", "country": "KE", **changes}
    return open_holder(kind=HolderKind.SELLER, reference=reference, **content)


def wallet(holder: AccountHolder | None = None, currency: str = "EUR") -> Wallet:
    """The holder's wallet in this currency."""
    owner = holder or seller()
    return ensure_wallets([(owner.id, currency)])[owner.id, currency]


def credit(to: Wallet, amounts: Iterable[str], source_id: UUID | None = None) -> list[Lot]:
    """Credit the wallet's pending account, with the lots that explain it, as bookkeeping does."""
    source = source_id or uuid7()
    moneys = [money.parse_amount(amount, to.currency) for amount in amounts]
    with transaction.atomic():
        post(
            Entry(
                reference=f"test:{uuid7()}",
                kind="capture",
                legs=(
                    Leg(
                        chart.code("psp_receivable", to.currency, psp="sandbox"),
                        money.total(moneys, to.currency),
                    ),
                    *(Leg(to.pending_account, -amount) for amount in moneys),
                ),
                occurred_at=clock.now(),
            )
        )
        return open_lots([new_lot(to, amount, source, number) for number, amount in enumerate(moneys)])


def new_lot(to: Wallet, amount: Money, source_id: UUID | None = None, sequence: int = 0) -> NewLot:
    """A lot to be, from a payment order."""
    return NewLot(
        wallet_id=to.id,
        source_kind="payment_order",
        source_id=source_id or uuid7(),
        source_reference="order-1",
        sequence=sequence,
        amount=amount,
    )
