"""Posting: the one way by which anything enters the books.

`post_many` sends any number of entries to the kernel in the database (`ledger/migrations/sql/0003_post.sql`)
in one round trip. Outside a transaction that round trip is its own transaction; inside one it is part of it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

from django.db import OperationalError, connection
from moneyed import Money

from ledger import chart, clock, money
from ledger.errors import (
    AccountFrozen,
    BelowFloor,
    CurrencyMismatch,
    DuplicateReference,
    InvalidEntry,
    LedgerError,
    Unbalanced,
    UnknownAccount,
    UnknownEntry,
)
from ledger.models import JournalEntry, Posting
from ledger.services.accounts import open_accounts


class Leg(NamedTuple):
    """One posting to be: debit above zero, credit below."""

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened, to be posted once.

    `reference` names it for good: the same kind and legs under it return the first entry, others are refused.
    `forced` is for true facts, which may take accounts below their floors.
    """

    reference: str
    kind: str
    legs: tuple[Leg, ...]
    occurred_at: datetime
    description: str = ""
    forced: bool = False


@dataclass(slots=True)
class Posted:
    """What became of an entry: its id, and whether it was there before; or why it was refused."""

    reference: str
    entry_id: int | None
    replayed: bool = False
    refusal: LedgerError | None = None


class _Checked(NamedTuple):
    """An entry that is sound in itself, in the kernel's terms."""

    at: int
    entry: Entry
    fingerprint: str
    legs: list[tuple[str, str, str]]
    """Code, currency, amount with the currency's decimals."""


_Answer = tuple[int | None, str, str | None]
"""What the kernel says of an entry: its id; posted, replayed or the code of a refusal; the reason."""

_REFERENCE = re.compile(r"[!-~]{1,200}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_:.-]{1,120}", re.ASCII)
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_MAX_LEGS = 32_767
_MAX_DESCRIPTION = 500
_SERIALIZATION_FAILURE = "40001"
_ATTEMPTS = 5
_NOTHING = Decimal(0)

_REFUSALS: dict[str, type[LedgerError]] = {
    refusal.code: refusal
    for refusal in (AccountFrozen, BelowFloor, CurrencyMismatch, DuplicateReference, UnknownAccount)
}

_CALL = (
    "SELECT * FROM ledger_post("
    "%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::boolean[], %s::int[],"
    " %s::text[], %s::text[], %s::int[], %s::int[], %s::numeric[], %s::timestamptz, %s)"
)


def post(entry: Entry) -> Posted:
    """Post one entry. Raises its refusal (see `post_many`)."""
    posted = post_many([entry])[0]
    if posted.refusal is not None:
        raise posted.refusal
    return posted


def post_many(entries: Sequence[Entry]) -> list[Posted]:
    """Post entries in order, each as if alone: the result of each says its id, or why it was refused.

    A refused entry leaves nothing behind and does not stop the others. Refusals: InvalidEntry, MoneyError,
    Unbalanced, UnknownAccount, CurrencyMismatch, AccountFrozen, BelowFloor, DuplicateReference.

    Platform accounts of the chart are opened on the way; wallet accounts are not.

    Raises:
        OperationalError: inside a caller's transaction, a serialization failure: another one is posting one of
            the references with other accounts. Run the transaction again.
    """
    results: list[Posted | None] = [None] * len(entries)
    checked: list[_Checked] = []
    for at, entry in enumerate(entries):
        try:
            checked.append(_check(at, entry))
        except LedgerError as refusal:
            results[at] = Posted(entry.reference, None, refusal=refusal)
    if checked:
        for sound, (entry_id, outcome, detail) in zip(checked, _post_in_database(checked), strict=True):
            reference = sound.entry.reference
            if outcome in _REFUSALS:
                refusal = _REFUSALS[outcome](f"{reference}: {detail}")
                results[sound.at] = Posted(reference, None, refusal=refusal)
            else:
                results[sound.at] = Posted(reference, entry_id, replayed=outcome == "replayed")
    return [result for result in results if result is not None]


def reverse(
    entry_id: int, reference: str, *, occurred_at: datetime | None = None, forced: bool = False
) -> Posted:
    """Post the opposite of an entry, as a new one. What happened stays in the books, and so does its undoing.

    Raises:
        UnknownEntry: no such entry.
        Any refusal of `post`; BelowFloor when what was given has been spent and `forced` is not set.
    """
    original = JournalEntry.objects.filter(pk=entry_id).first()
    if original is None:
        raise UnknownEntry(f"no entry {entry_id}")
    postings = Posting.objects.filter(entry_id=entry_id).select_related("account").order_by("line")
    return post(
        Entry(
            reference=reference,
            kind="reversal",
            legs=tuple(
                Leg(posting.account.code, Money(-posting.amount, posting.account.currency))
                for posting in postings
            ),
            occurred_at=occurred_at or clock.now(),
            description=f"Reversal of {original.reference}",
            forced=forced,
        )
    )


def _check(at: int, entry: Entry) -> _Checked:
    """All that can be said of an entry without looking into the books."""
    if _REFERENCE.fullmatch(entry.reference) is None:
        raise InvalidEntry("a reference is 1 to 200 printable ASCII characters without spaces")
    if _KIND.fullmatch(entry.kind) is None:
        raise InvalidEntry(f"{entry.reference}: a kind is one lower-case word")
    if entry.occurred_at.tzinfo is None:
        raise InvalidEntry(f"{entry.reference}: occurred_at has no time zone")
    if entry.description and (
        len(entry.description) > _MAX_DESCRIPTION or not entry.description.isprintable()
    ):
        raise InvalidEntry(
            f"{entry.reference}: a description is at most {_MAX_DESCRIPTION} printable characters"
        )
    if not 2 <= len(entry.legs) <= _MAX_LEGS:
        raise InvalidEntry(f"{entry.reference}: an entry has 2 to {_MAX_LEGS} legs")
    sums: dict[str, Decimal] = {}
    legs = []
    for code, amount in entry.legs:
        currency = amount.currency.code
        exact = money.checked_amount(amount.amount, currency)
        if not exact:
            raise InvalidEntry(f"{entry.reference}: the leg on {code} is zero")
        if _CODE.fullmatch(code) is None:
            raise UnknownAccount(f"{entry.reference}: {code!r}")
        sums[currency] = sums.get(currency, _NOTHING) + exact
        legs.append((code, currency, str(exact)))
    if any(sums.values()):
        raise Unbalanced(
            f"{entry.reference}: {', '.join(f'{rest} {code}' for code, rest in sums.items() if rest)}"
        )
    return _Checked(at, entry, _fingerprint(entry.kind, legs), legs)


def _fingerprint(kind: str, legs: Iterable[tuple[str, str, str]]) -> str:
    """What must be equal for two entries to be the same; time and description may differ between tries."""
    content = "\n".join([kind, *sorted(" ".join(leg) for leg in legs)])
    return blake2b(content.encode(), digest_size=16).hexdigest()


def _post_in_database(checked: list[_Checked]) -> list[_Answer]:
    """One row per entry. Outside a transaction, comes again when another one takes one of the references."""
    if connection.in_atomic_block:
        return _call(checked)
    for attempt in range(_ATTEMPTS):
        try:
            return _call(checked)
        except OperationalError as error:
            if attempt + 1 == _ATTEMPTS or getattr(error.__cause__, "sqlstate", "") != _SERIALIZATION_FAILURE:
                raise
    raise AssertionError("unreachable")


def _call(checked: list[_Checked]) -> list[_Answer]:
    arguments = _arguments(checked)
    rows = _run([*arguments, True])
    if not rows:
        # Some account is unknown and nothing is posted: the chart opens what it can, the rest is refused.
        _open_platform_accounts(checked)
        rows = _run([*arguments, False])
    return rows


def _run(arguments: list[object]) -> list[_Answer]:
    with connection.cursor() as cursor:
        cursor.execute(_CALL, arguments)
        ids, outcomes, reasons = cursor.fetchone()
    return list(zip(ids, outcomes, reasons, strict=True)) if ids is not None else []


def _open_platform_accounts(checked: list[_Checked]) -> None:
    specs = []
    for code, currency in {(code, currency) for sound in checked for code, currency, _ in sound.legs}:
        try:
            if not chart.kind_of(code).opened_explicitly:
                specs.append(chart.spec(code, currency))
        except (UnknownAccount, CurrencyMismatch):
            continue  # The kernel refuses the entry that names it.
    open_accounts(specs)


def _arguments(checked: list[_Checked]) -> list[object]:
    """The kernel's arrays, as array literals: psycopg takes four times as long to make them from lists."""
    accounts: dict[tuple[str, str], int] = {}
    leg_entries, leg_accounts, amounts = [], [], []
    for number, sound in enumerate(checked, start=1):
        leg_entries += [str(number)] * len(sound.legs)
        for code, currency, amount in sound.legs:
            leg_accounts.append(str(accounts.setdefault((code, currency), len(accounts) + 1)))
            amounts.append(amount)
    return [
        _array(_escaped(sound.entry.reference) for sound in checked),
        _array(sound.entry.kind for sound in checked),
        _array(sound.fingerprint for sound in checked),
        _array(sound.entry.occurred_at.isoformat() for sound in checked),
        _array(_escaped(sound.entry.description) for sound in checked),
        _array("t" if sound.entry.forced else "f" for sound in checked),
        _array(str(len(sound.legs)) for sound in checked),
        _array(code for code, _ in accounts),
        _array(currency for _, currency in accounts),
        _array(leg_entries),
        _array(leg_accounts),
        _array(amounts),
        clock.now().isoformat(),
    ]


def _array(elements: Iterable[str]) -> str:
    """All in quotes, or the word null would be no word."""
    return '{"' + '","'.join(elements) + '"}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
