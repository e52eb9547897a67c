"""Opening wallets: for many holders and currencies at once, as a batch of captures needs them."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from ledger import chart, money
from ledger.services import open_accounts
from wallet.errors import HolderNotFound
from wallet.models import AccountHolder, Pocket, Wallet


def ensure_wallets(pairs: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], Wallet]:
    """The wallet of each holder in each currency named, opened with its three ledger accounts where it is
    missing.

    One query when all of them exist. Safe against others who open the same wallets at the same moment;
    without a transaction of the caller's it is its own.

    Raises:
        HolderNotFound: a holder does not exist (404).
        UnknownCurrency: a currency cannot be paid with (422).
    """
    wanted = set(pairs)
    found = _existing(wanted)
    missing = wanted - found.keys()
    if missing:
        found |= _open(missing)
    return found


def _existing(wanted: set[tuple[UUID, str]]) -> dict[tuple[UUID, str], Wallet]:
    # Holders times currencies, so perhaps a few more than asked for, but one plain query.
    wallets = Wallet.objects.filter(
        holder_id__in={holder_id for holder_id, _ in wanted},
        currency__in={currency for _, currency in wanted},
    )
    by_pair = {(wallet.holder_id, wallet.currency): wallet for wallet in wallets}
    return {pair: by_pair[pair] for pair in wanted & by_pair.keys()}


@transaction.atomic
def _open(missing: set[tuple[UUID, str]]) -> dict[tuple[UUID, str], Wallet]:
    for _, currency in missing:
        money.decimals(currency)
    holders = {holder_id for holder_id, _ in missing}
    if AccountHolder.objects.filter(id__in=holders).count() < len(holders):
        raise HolderNotFound
    # In one order, so that two openings of the same wallets never wait for each other in a ring.
    ours = [Wallet(holder_id=holder_id, currency=currency) for holder_id, currency in sorted(missing)]
    Wallet.objects.bulk_create(ours, ignore_conflicts=True)
    # Whoever was first has the wallet; READ COMMITTED sees it once our insert has waited for it.
    opened = _existing(missing)
    # Wallets that others opened have their accounts: both came in one transaction.
    our_ids = {wallet.id for wallet in ours}
    open_accounts(
        chart.spec(wallet.account(pocket), wallet.currency)
        for wallet in opened.values()
        if wallet.id in our_ids
        for pocket in Pocket
    )
    return opened
