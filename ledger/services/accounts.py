"""Opening and freezing accounts."""

from collections.abc import Iterable

from ledger import clock
from ledger.chart import AccountSpec
from ledger.errors import AccountConflict, UnknownAccount
from ledger.models import Account


def open_accounts(specs: Iterable[AccountSpec]) -> dict[str, int]:
    """Make sure that these accounts exist; safe to repeat and to race. Returns the id of each, by code.

    Raises:
        AccountConflict: one exists and is something else.
    """
    wanted = {spec.code: spec for spec in specs}
    now = clock.now()
    # In order of codes, so that two openings of the same accounts never wait for each other in a ring.
    Account.objects.bulk_create(
        (
            Account(
                code=spec.code,
                currency=spec.currency,
                type=spec.type.value,
                policy=spec.policy.value,
                normal_side=spec.normal_side.value,
                floor=spec.floor,
                opened_at=now,
            )
            for _, spec in sorted(wanted.items())
        ),
        ignore_conflicts=True,
    )
    ids: dict[str, int] = {}
    for account in Account.objects.filter(code__in=wanted):
        spec = wanted[account.code]
        found = (account.currency, account.type, account.policy, account.normal_side, account.floor)
        if found != (spec.currency, spec.type, spec.policy, spec.normal_side, spec.floor):
            raise AccountConflict(f"{account.code} exists and is not what was asked for")
        ids[account.code] = account.id
    return ids


def freeze(code: str) -> None:
    """From now on the account takes no entries but forced ones; those that hold its lock are let through.

    Raises:
        UnknownAccount: there is none of this code.
    """
    _set_frozen(code=code, frozen=True)


def unfreeze(code: str) -> None:
    """The account takes entries again.

    Raises:
        UnknownAccount: there is none of this code.
    """
    _set_frozen(code=code, frozen=False)


def _set_frozen(*, code: str, frozen: bool) -> None:
    if not Account.objects.filter(code=code).update(frozen=frozen):
        raise UnknownAccount(f"no account {code!r}")
