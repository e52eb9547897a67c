"""Every journal entry above the wallet. The one page that an accountant must read.

Each function books one kind of thing that happened, inside the caller's transaction. Amounts are per currency; every
entry has a reference that makes it once-only, so booking the same thing twice returns the first entry.

| what happened | debit | credit |
|---|---|---|
| capture of an order | psp receivable | seller pending, commission income |
| success of an attempt whose order can no longer take it | psp receivable | unapplied receipts |
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from moneyed import Money

from ledger import chart, money
from ledger.services import Entry, Leg, post_many
from payments.models import AttemptLine, PaymentAttempt, PaymentOrder
from wallet.services import NewLot, ensure_wallets, open_lots

ORDER_LOT = "payment_order"
"""The source of a seller's lot: one capture of one payment order."""


def record_captures(
    *,
    attempt: PaymentAttempt,
    orders: Sequence[PaymentOrder],
    lines: Sequence[AttemptLine],
    occurred_at: datetime,
) -> dict[UUID, int]:
    """The PSP has taken these lines' amounts from the buyer: book each order's share, and give each seller a lot.

    Returns the journal entry of each order, by order id.
    """
    by_order = {line.order_id: line for line in lines}
    wallets = ensure_wallets((order.seller_id, attempt.amount.currency.code) for order in orders)
    entries: list[Entry] = []
    lots: list[NewLot] = []
    for order in orders:
        captured = by_order[order.id].amount
        commission = money.portion(captured, order.commission_rate)
        seller_share = captured - commission
        wallet = wallets[order.seller_id, captured.currency.code]
        reference = f"capture:{attempt.id}:{order.id}:1"
        entries.append(
            Entry(
                reference=reference,
                kind="capture",
                occurred_at=occurred_at,
                description=f"Capture of order {order.payment_order_id}",
                legs=_nonzero(
                    Leg(
                        chart.code("psp_receivable", captured.currency.code, psp=attempt.psp_account),
                        captured,
                    ),
                    Leg(wallet.pending_account, -seller_share),
                    Leg(chart.code("commission_income", captured.currency.code), -commission),
                ),
                forced=True,
            )
        )
        if seller_share:
            lots.append(
                NewLot(
                    wallet_id=wallet.id,
                    source_kind=ORDER_LOT,
                    source_id=order.id,
                    source_reference=order.payment_order_id,
                    amount=seller_share,
                )
            )
    posted = _post(entries)
    open_lots(lots)
    return {order.id: entry_id for order, entry_id in zip(orders, posted, strict=True)}


def record_unapplied_receipt(
    *, attempt: PaymentAttempt, order: PaymentOrder, amount: Money, occurred_at: datetime
) -> int:
    """The PSP took money that its order can no longer take: it waits, with its attempt's name on it, to go back."""
    currency = amount.currency.code
    return _post(
        [
            Entry(
                reference=f"unapplied:{attempt.id}:{order.id}",
                kind="unapplied_receipt",
                occurred_at=occurred_at,
                description=f"Late success for order {order.payment_order_id}",
                legs=(
                    Leg(chart.code("psp_receivable", currency, psp=attempt.psp_account), amount),
                    Leg(chart.code("unapplied_receipts", currency), -amount),
                ),
                forced=True,
            )
        ]
    )[0]


def _nonzero(*legs: Leg) -> tuple[Leg, ...]:
    return tuple(leg for leg in legs if leg.amount)


def _post(entries: Sequence[Entry]) -> list[int]:
    """Post entries that tell of true facts; a refusal here is a bug of ours and must undo the whole transaction."""
    ids: list[int] = []
    for posted in post_many(entries):
        if posted.entry_id is None:
            raise AssertionError(f"the ledger refused {posted.reference}: {posted.refusal}")
        ids.append(posted.entry_id)
    return ids
