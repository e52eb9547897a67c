"""What is posted: entries and their legs, and all that can be said of one without looking into the books."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

from moneyed import Money

from ledger import money
from ledger.errors import InvalidEntry, LedgerError, Unbalanced, UnknownAccount


class Leg(NamedTuple):
    """One posting to be: debit above zero, credit below."""

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened, to be posted once.

    `reference` names it for good: the same kind and legs under it return the first entry, others are refused.
    `forced` is for true facts, which may take accounts below their floors and reach frozen ones.
    """

    reference: str
    kind: str
    legs: tuple[Leg, ...]
    occurred_at: datetime
    description: str = ""
    """For people. Cut to 500 characters; what cannot be printed becomes a question mark."""
    forced: bool = False


@dataclass(slots=True)
class Posted:
    """What became of an entry: its id, and whether it was there before; or why it was refused."""

    reference: str
    entry_id: int | None
    replayed: bool = False
    refusal: LedgerError | None = None


class SoundEntry(NamedTuple):
    """An entry that is right in itself, in the terms of the kernel."""

    at: int
    """Its place among the entries that were given."""
    entry: Entry
    description: str
    fingerprint: int
    legs: list[tuple[str, str, str]]
    """Code, currency, amount with the currency's decimals."""


_REFERENCE = re.compile(r"[!-~]{1,200}", re.ASCII)
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_:.-]{1,120}", re.ASCII)
_MAX_LEGS = 32_767
_MAX_DESCRIPTION = 500
_NOTHING = Decimal(0)


def check_entry(at: int, entry: Entry) -> SoundEntry:
    """The entry in the kernel's terms.

    Raises:
        InvalidEntry, Unbalanced, UnknownAccount, MoneyError: see there.
    """
    reference = entry.reference
    if _REFERENCE.fullmatch(reference) is None:
        raise InvalidEntry("a reference is 1 to 200 printable ASCII characters without spaces")
    if _KIND.fullmatch(entry.kind) is None:
        raise InvalidEntry(f"{reference}: a kind is one lower-case word")
    if entry.occurred_at.tzinfo is None:
        raise InvalidEntry(f"{reference}: occurred_at has no time zone")
    if not 2 <= len(entry.legs) <= _MAX_LEGS:
        raise InvalidEntry(f"{reference}: an entry has 2 to {_MAX_LEGS} legs")
    sums: dict[str, Decimal] = {}
    legs = []
    for code, amount in entry.legs:
        currency = amount.currency.code
        exact = money.checked_amount(amount.amount, currency)
        if not exact:
            raise InvalidEntry(f"{reference}: the leg on {code} is zero")
        if _CODE.fullmatch(code) is None:
            raise UnknownAccount(f"{reference}: {code!r}")
        sums[currency] = sums.get(currency, _NOTHING) + exact
        legs.append((code, currency, str(exact)))
    if any(sums.values()):
        off = ", ".join(f"{rest} {currency}" for currency, rest in sums.items() if rest)
        raise Unbalanced(f"{reference}: off by {off}")
    return SoundEntry(at, entry, _printable(entry.description), _fingerprint(entry.kind, legs), legs)


def _printable(description: str) -> str:
    # A true fact is never refused for the words that describe it.
    if not description.isprintable():
        description = "".join(char if char.isprintable() else "?" for char in description)
    return description[:_MAX_DESCRIPTION]


def _fingerprint(kind: str, legs: Iterable[tuple[str, str, str]]) -> int:
    """What must be equal for two entries to be the same; time and description may differ between tries."""
    content = "\n".join([kind, *sorted(" ".join(leg) for leg in legs)])
    return int.from_bytes(blake2b(content.encode(), digest_size=8).digest(), signed=True)
