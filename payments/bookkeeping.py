"""Every journal entry above the wallet. The one page that an accountant must read.

Each function books one kind of thing that happened, inside the caller's transaction. Amounts are per currency; every
entry has a reference that makes it once-only, so booking the same thing twice returns the first entry.

| what happened | debit | credit |
|---|---|---|
| capture of an order | psp receivable | seller pending, commission income |
| success of an attempt whose order can no longer take it | psp receivable | unapplied receipts |
| ... and its refund is requested | unapplied receipts | refunds payable |
| a refund succeeded | refunds payable | psp receivable |
| a refund failed after success: the buyer is still owed | psp receivable | refunds payable |
| a call's answer was lost; what became of it is known | memo: in doubt; contra | memo: contra; in doubt |
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from moneyed import Money

from ledger import chart, money
from ledger.services import Entry, Leg, post_many
from payments.models import OperationTry, PaymentAttempt, PaymentOrder, Refund
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
    return _move(
        f"unapplied:{attempt.id}:{order.id}",
        "unapplied_receipt",
        f"Late success for order {order.payment_order_id}",
        debit=chart.code("psp_receivable", currency, psp=attempt.psp_account),
        credit=chart.code("unapplied_receipts", currency),
        amount=amount,
        occurred_at=occurred_at,
    )


def record_unapplied_refund_requested(*, refund: Refund, occurred_at: datetime) -> None:
    """Late money is promised back to its buyer."""
    currency = refund.amount.currency.code
    _move(
        f"refund:{refund.id}",
        "refund_requested",
        f"Refund of a late success for order {refund.order.payment_order_id}",
        debit=chart.code("unapplied_receipts", currency),
        credit=chart.code("refunds_payable", currency),
        amount=refund.amount,
        occurred_at=occurred_at,
    )


def record_refund_succeeded(*, refund: Refund, occurred_at: datetime) -> None:
    """The PSP has sent the money back to the buyer."""
    currency = refund.amount.currency.code
    _move(
        f"refund_succeeded:{refund.id}",
        "refund_succeeded",
        f"Refund for order {refund.order.payment_order_id}",
        debit=chart.code("refunds_payable", currency),
        credit=chart.code("psp_receivable", currency, psp=refund.attempt.psp_account),
        amount=refund.amount,
        occurred_at=occurred_at,
    )


def record_refund_came_back(*, refund: Refund, occurred_at: datetime) -> None:
    """A refund failed after it had succeeded: the PSP has the money again, and the buyer is still owed."""
    currency = refund.amount.currency.code
    _move(
        f"refund_came_back:{refund.id}",
        "refund_came_back",
        f"Refund that came back, for order {refund.order.payment_order_id}",
        debit=chart.code("psp_receivable", currency, psp=refund.attempt.psp_account),
        credit=chart.code("refunds_payable", currency),
        amount=refund.amount,
        occurred_at=occurred_at,
    )


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
    return _simple(
        f"{kind}:{operation_try.id}:{operation_try.doubts}",
        kind,
        f"{operation_try.operation.capitalize()} of attempt {attempt.id}",
        debit=chart.code("in_doubt", currency),
        credit=chart.code("in_doubt_contra", currency),
        amount=amount,
        occurred_at=occurred_at,
    )


def _simple(
    reference: str,
    kind: str,
    description: str,
    *,
    debit: str,
    credit: str,
    amount: Money,
    occurred_at: datetime,
) -> Entry:
    """An entry of one debit and one credit, for something that is true whatever the balances say."""
    return Entry(
        reference=reference,
        kind=kind,
        occurred_at=occurred_at,
        description=description,
        legs=(Leg(debit, amount), Leg(credit, -amount)),
        forced=True,
    )


def _move(
    reference: str,
    kind: str,
    description: str,
    *,
    debit: str,
    credit: str,
    amount: Money,
    occurred_at: datetime,
) -> int:
    entry = _simple(
        reference, kind, description, debit=debit, credit=credit, amount=amount, occurred_at=occurred_at
    )
    return _post([entry])[0]


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
