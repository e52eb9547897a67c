"""Posting: the one way by which anything enters the books."""

from collections.abc import Sequence
from datetime import datetime

from moneyed import Money

from ledger import clock
from ledger.errors import (
    AccountFrozen,
    BelowFloor,
    CurrencyMismatch,
    DuplicateReference,
    LedgerError,
    UnknownAccount,
    UnknownEntry,
)
from ledger.models import JournalEntry, Posting
from ledger.services import kernel
from ledger.services.entries import Entry, Leg, Posted, SoundEntry, check_entry

_REFUSALS: dict[str, type[LedgerError]] = {
    refusal.code: refusal
    for refusal in (AccountFrozen, BelowFloor, CurrencyMismatch, DuplicateReference, UnknownAccount)
}


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

    One round trip: inside the caller's transaction, or as a transaction of its own. Platform accounts of the
    chart are opened on the way; wallet accounts are not.

    Raises:
        OperationalError: inside a caller's transaction, a serialization failure: another one is posting one of
            the references with other accounts. Run the transaction again.
    """
    results: list[Posted | None] = [None] * len(entries)
    sound: list[SoundEntry] = []
    for at, entry in enumerate(entries):
        try:
            sound.append(check_entry(at, entry))
        except LedgerError as refusal:
            results[at] = Posted(entry.reference, None, refusal=refusal)
    if sound:
        for checked, answer in zip(sound, kernel.send(sound), strict=True):
            results[checked.at] = _posted(checked.entry.reference, answer)
    return [result for result in results if result is not None]


def _posted(reference: str, answer: kernel.Answer) -> Posted:
    if answer.outcome in _REFUSALS:
        refusal = _REFUSALS[answer.outcome](f"{reference}: {answer.reason}")
        return Posted(reference, None, refusal=refusal)
    return Posted(reference, answer.entry_id, replayed=answer.outcome == "replayed")


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
