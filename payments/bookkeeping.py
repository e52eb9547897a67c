"""Every journal entry above the wallet. The one page that an accountant must read.

Each function books one kind of thing that happened, inside the caller's transaction. Amounts are per currency; every
entry has a reference that makes it once-only, so booking the same thing twice returns the first entry.

| what happened | debit | credit |
|---|---|---|
| capture of an order | psp receivable | seller pending, commission income |
| success of an attempt whose order can no longer take it | psp receivable | unapplied receipts |
| a call's answer was lost; what became of it is known | memo: in doubt; contra | memo: contra; in doubt |
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from moneyed import Money

from ledger import chart, money
from ledger.services import Entry, Leg, post_many
from payments.models import OperationTry, PaymentAttempt, PaymentOrder
from wallet.services import NewLot, ensure_wallets, open_lots

ORDER_LOT = "payment_order"
"""The source of a seller's lot: one capture of one payment order."""


def record_captures(
    *, attempt: PaymentAttempt, captured: Mapping[PaymentOrder, Money], occurred_at: datetime
) -> dict[UUID, int]:
    """The PSP has taken these amounts from the buyer: book each order's share, and give each seller a lot.

    Returns the journal entry of each order, by order id.
    """
    currency = attempt.amount.currency.code
    wallets = ensure_wallets((order.seller_id, currency) for order in captured)
    entries: list[Entry] = []
    lots: list[NewLot] = []
    for order, amount in captured.items():
        commission = money.portion(amount, order.commission_rate)
        seller_share = amount - commission
        wallet = wallets[order.seller_id, currency]
        entries.append(
            Entry(
                reference=f"capture:{attempt.id}:{order.id}:1",
                kind="capture",
                occurred_at=occurred_at,
                description=f"Capture of order {order.payment_order_id}",
                legs=_nonzero(
                    Leg(chart.code("psp_receivable", currency, psp=attempt.psp_account), amount),
                    Leg(wallet.pending_account, -seller_share),
                    Leg(chart.code("commission_income", currency), -commission),
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
    return {order.id: entry_id for order, entry_id in zip(captured, posted, strict=True)}


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


def record_doubt(*, operation_try: OperationTry, attempt: PaymentAttempt, occurred_at: datetime) -> None:
    """The answer to a call was lost: until it is known, the amount stands in doubt, outside income and balance sheet."""
    _post([_doubt_entry("doubt", operation_try, attempt, operation_try.amount, occurred_at)])


def record_doubt_ended(
    *, operation_try: OperationTry, attempt: PaymentAttempt, occurred_at: datetime
) -> None:
    """What became of the call is known, in the same commit as its outcome."""
    _post([_doubt_entry("doubt_ended", operation_try, attempt, -operation_try.amount, occurred_at)])


def _doubt_entry(
    kind: str, operation_try: OperationTry, attempt: PaymentAttempt, amount: Money, occurred_at: datetime
) -> Entry:
    currency = amount.currency.code
    return Entry(
        reference=f"{kind}:{operation_try.id}:{operation_try.doubts}",
        kind=kind,
        occurred_at=occurred_at,
        description=f"{operation_try.operation.capitalize()} of attempt {attempt.id}",
        legs=(
            Leg(chart.code("in_doubt", currency), amount),
            Leg(chart.code("in_doubt_contra", currency), -amount),
        ),
        forced=True,
    )


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
