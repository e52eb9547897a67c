"""Opening lots: the source of every credit in a wallet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from moneyed import Money

from ledger import money
from wallet.errors import LotExists
from wallet.models import Lot


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLot:
    """A credit to a wallet's pending pocket, and where it came from."""

    wallet_id: UUID
    source_kind: str
    source_id: UUID
    amount: Money
    """Above zero, in the wallet's currency; the database refuses another one."""
    source_reference: str = ""
    sequence: int = 0
    delivered_at: datetime | None = None
    settled_at: datetime | None = None


def open_lots(new: Sequence[NewLot]) -> list[Lot]:
    """Open a lot for each credit, all of it pending, and return them in the same order.

    Bookkeeping calls this in the transaction that posts the credit to the pending accounts: lots and ledger
    are only ever true together. The same source, sequence and amount again returns the lot that is there.

    Raises:
        LotExists: the source has given this wallet a lot of another amount (409).
        MoneyError: an amount does not fit its currency (422).
    """
    if not connection.in_atomic_block:
        raise AssertionError("a lot without its journal entry would explain money that is not there")
    lots = [_pending(item) for item in new]
    if not lots:
        return []
    # In one order, so that two batches with the same sources never wait for each other in a ring.
    Lot.objects.bulk_create(sorted(lots, key=_source), ignore_conflicts=True)
    opened = set(Lot.objects.filter(id__in=[lot.id for lot in lots]).values_list("id", flat=True))
    return [lot if lot.id in opened else _opened_before(lot) for lot in lots]


def _pending(item: NewLot) -> Lot:
    amount = money.check(item.amount)
    zero = money.zero(amount.currency.code)
    if amount <= zero:
        raise AssertionError(f"a lot is a credit, not {amount}")
    return Lot(
        wallet_id=item.wallet_id,
        source_kind=item.source_kind,
        source_id=item.source_id,
        source_reference=item.source_reference,
        sequence=item.sequence,
        original=amount,
        pending=amount,
        available=zero,
        reserved=zero,
        delivered_at=item.delivered_at,
        settled_at=item.settled_at,
    )


def _source(lot: Lot) -> tuple[UUID, str, UUID, int]:
    return lot.wallet_id, lot.source_kind, lot.source_id, lot.sequence


def _opened_before(lot: Lot) -> Lot:
    earlier = Lot.objects.get(
        wallet_id=lot.wallet_id,
        source_kind=lot.source_kind,
        source_id=lot.source_id,
        sequence=lot.sequence,
    )
    if earlier.original != lot.original:
        raise LotExists
    return earlier
