"""Speaking to the posting kernel in the database (`ledger/migrations/sql/0003_post.sql`)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import OperationalError, connection

from ledger import chart, clock
from ledger.errors import CurrencyMismatch, UnknownAccount
from ledger.services.accounts import open_accounts
from ledger.services.entries import SoundEntry


class Answer(NamedTuple):
    """What the kernel says of one entry."""

    entry_id: int | None
    outcome: str
    """posted, replayed, or the code of a refusal."""
    reason: str | None


_CALL = "SELECT * FROM ledger_post(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_COME_AGAIN = {"40001", "40P01"}
"""Serialization failure, deadlock: nothing was done, and the next try may pass."""
_TRIES = 5


def send(entries: Sequence[SoundEntry]) -> list[Answer]:
    """Post in one round trip; one answer per entry, in order.

    Outside a transaction that round trip is one, and is repeated when another caller is in the way. Accounts that
    are unknown to the books but not to the chart are opened, and the entries sent again.
    """
    for _ in range(_TRIES - 1):
        try:
            return _send(entries)
        except OperationalError as error:
            # Inside a transaction only the caller can begin again.
            if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", "") not in _COME_AGAIN:
                raise
    return _send(entries)


def _send(entries: Sequence[SoundEntry]) -> list[Answer]:
    arguments = _arguments(entries)
    answers = _call([*arguments, True])
    if not answers:
        # An account is unknown and nothing is posted: the chart opens what it can, the kernel refuses the rest.
        _open_platform_accounts(entries)
        answers = _call([*arguments, False])
    return answers


def _call(arguments: list[str | bool]) -> list[Answer]:
    with connection.cursor() as cursor:
        cursor.execute(_CALL, arguments)
        ids, outcomes, reasons = cursor.fetchone()
    return list(map(Answer, ids, outcomes, reasons)) if ids is not None else []


def _open_platform_accounts(entries: Sequence[SoundEntry]) -> None:
    specs = []
    for code, currency in {(code, currency) for sound in entries for code, currency, _ in sound.legs}:
        try:
            if not chart.kind_of(code).opened_explicitly:
                specs.append(chart.spec(code, currency))
        except (UnknownAccount, CurrencyMismatch):
            continue  # The kernel refuses the entry that names it.
    open_accounts(specs)


def _arguments(entries: Sequence[SoundEntry]) -> list[str | bool]:
    """The kernel's arrays, as array literals: psycopg takes four times as long to make them from lists."""
    accounts: dict[tuple[str, str], int] = {}
    leg_entries, leg_accounts, amounts = [], [], []
    for number, sound in enumerate(entries, start=1):
        leg_entries += [str(number)] * len(sound.legs)
        for code, currency, amount in sound.legs:
            leg_accounts.append(str(accounts.setdefault((code, currency), len(accounts) + 1)))
            amounts.append(amount)
    return [
        _array(_escaped(sound.entry.reference) for sound in entries),
        _array(sound.entry.kind for sound in entries),
        _array(str(sound.fingerprint) for sound in entries),
        _array(sound.entry.occurred_at.isoformat() for sound in entries),
        _array(_escaped(sound.description) for sound in entries),
        _array("t" if sound.entry.forced else "f" for sound in entries),
        _array(str(len(sound.legs)) for sound in entries),
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
