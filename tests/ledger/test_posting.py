"""Posting: what is accepted, what is refused, and what a repetition returns."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from moneyed import Money

from ledger import chart
from ledger.errors import (
    AccountFrozen,
    BelowFloor,
    CurrencyMismatch,
    DuplicateReference,
    InvalidEntry,
    LedgerError,
    MoneyError,
    Unbalanced,
    UnknownAccount,
    UnknownEntry,
)
from ledger.ids import uuid7
from ledger.models import Account, JournalEntry, Posting
from ledger.services import (
    Entry,
    Leg,
    Posted,
    balance,
    freeze,
    post,
    post_many,
    reverse,
    unfreeze,
    violations,
)
from tests.ledger.building import (
    COMMISSION,
    NOON,
    RECEIVABLE,
    REFUNDS,
    entry,
    eur,
    funded,
    sale,
    taking,
    wallet,
)

pytestmark = pytest.mark.django_db


def row_of(posted: Posted) -> JournalEntry:
    """The entry in the books."""
    assert posted.entry_id is not None
    return JournalEntry.objects.get(pk=posted.entry_id)


def test_a_posted_entry_stands_in_the_books_with_its_postings() -> None:
    seller = wallet()
    posted = post(entry((RECEIVABLE, 100), (seller, -90), (COMMISSION, -10), reference="capture:1"))
    row = row_of(posted)
    assert (row.reference, row.kind, row.occurred_at, row.accounting_date) == (
        "capture:1",
        "capture",
        NOON,
        NOON.date(),
    )
    assert list(
        Posting.objects.filter(entry=row)
        .order_by("line")
        .values_list("line", "account__code", "amount", "balance_after")
    ) == [
        (1, RECEIVABLE, Decimal(100), None),
        (2, seller, Decimal(-90), Decimal(-90)),
        (3, COMMISSION, Decimal(-10), None),
    ]
    assert (balance(RECEIVABLE), balance(seller), balance(COMMISSION)) == (eur(100), eur(90), eur(10))


def test_posting_is_one_round_trip_however_many_the_entries() -> None:
    seller = funded(1)
    with CaptureQueriesContext(connection) as queries:
        post_many([sale(seller, 1) for _ in range(50)])
    assert len(queries) == 1


def test_the_accounting_date_is_the_day_in_utc() -> None:
    late = datetime.fromisoformat("2026-11-20T23:30:00-05:00")
    posted = post(replace(sale(wallet(), 1), occurred_at=late))
    assert str(row_of(posted).accounting_date) == "2026-11-21"


def test_exact_accounts_carry_their_running_balance_in_the_order_of_posting() -> None:
    seller = wallet()
    post_many([sale(seller, 10), taking(seller, 4), sale(seller, 1)])
    post(taking(seller, 7))
    running = Posting.objects.filter(account__code=seller).order_by("entry_id", "line")
    assert list(running.values_list("balance_after", flat=True)) == [-10, -6, -7, 0]


def test_an_entry_may_have_two_legs_on_one_account() -> None:
    seller = wallet()
    post(entry((RECEIVABLE, 10), (seller, -4), (seller, -6)))
    assert balance(seller) == eur(10)
    assert list(violations()) == []


def test_an_entry_in_two_currencies_balances_in_each() -> None:
    usd = "psp_receivable:sandbox:USD"
    post(
        Entry(
            reference="fx:1",
            kind="exchange",
            occurred_at=NOON,
            legs=(
                Leg(RECEIVABLE, eur(10)),
                Leg("fx_exchange:EUR", eur(-10)),
                Leg(usd, Money("-11.50", "USD")),
                Leg("fx_exchange:USD", Money("11.50", "USD")),
            ),
        )
    )
    assert balance(usd) == Money("-11.50", "USD")


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1500"), ("KWD", "1.005"), ("CLF", "0.0001")])
def test_every_number_of_decimals_is_kept(currency: str, amount: str) -> None:
    money = Money(Decimal(amount), currency)
    legs = (Leg(f"suspense:{currency}", -money), Leg(f"bank:main:{currency}", money))
    post(Entry(reference="deposit:1", kind="deposit", occurred_at=NOON, legs=legs))
    assert balance(f"suspense:{currency}") == money


def test_the_largest_amounts_fit_and_so_do_their_sums() -> None:
    seller = wallet()
    largest = "999999999999999.99"
    post_many([sale(seller, largest), sale(seller, largest)])
    assert balance(seller) == eur("1999999999999999.98")
    assert list(violations()) == []


# Once only.


def test_the_same_entry_again_returns_the_first_and_posts_nothing() -> None:
    seller = wallet()
    first = post(sale(seller, 10, reference="capture:1"))
    again = post(sale(seller, "10.00", reference="capture:1"))
    assert (again.entry_id, first.replayed, again.replayed) == (first.entry_id, False, True)
    assert balance(seller) == eur(10)


def test_time_description_and_order_of_legs_do_not_make_another_entry() -> None:
    seller = wallet()
    first = sale(seller, 10, reference="capture:1")
    post(first)
    later = replace(
        first, occurred_at=NOON.replace(hour=13), description="again", legs=tuple(reversed(first.legs))
    )
    assert post(later).replayed


@pytest.mark.parametrize("change", ["amount", "account", "kind"])
def test_another_entry_under_a_taken_reference_is_refused(change: str) -> None:
    seller = wallet()
    first = sale(seller, 10, reference="capture:1")
    posted = post(first)
    other = {
        "amount": sale(seller, 11, reference="capture:1"),
        "account": sale(wallet(), 10, reference="capture:1"),
        "kind": replace(first, kind="deposit"),
    }[change]
    with pytest.raises(DuplicateReference, match=f"taken by entry {posted.entry_id}"):
        post(other)
    assert balance(seller) == eur(10)


def test_repetitions_within_one_batch_are_found() -> None:
    seller = wallet()
    first, again, other, last = post_many(
        [
            sale(seller, 10, reference="a"),
            sale(seller, 10, reference="a"),
            sale(seller, 11, reference="a"),
            sale(seller, 1, reference="b"),
        ]
    )
    assert again.replayed
    assert again.entry_id == first.entry_id
    assert isinstance(other.refusal, DuplicateReference)
    assert last.entry_id is not None
    assert balance(seller) == eur(11)


def test_a_refused_reference_is_free_for_the_next_entry_of_the_batch() -> None:
    seller = wallet()
    refused, funding, posted, replayed = post_many(
        [
            taking(seller, 5, reference="refund:1"),
            sale(seller, 5),
            taking(seller, 5, reference="refund:1"),
            taking(seller, 5, reference="refund:1"),
        ]
    )
    assert isinstance(refused.refusal, BelowFloor)
    assert funding.entry_id is not None
    assert posted.entry_id is not None
    assert (replayed.replayed, replayed.entry_id) == (True, posted.entry_id)
    assert balance(seller) == eur(0)


def test_a_replay_is_answered_although_the_account_is_frozen_or_empty_by_now() -> None:
    seller = funded(10)
    post(taking(seller, 10, reference="refund:1"))
    freeze(seller)
    assert post(taking(seller, 10, reference="refund:1")).replayed


# Refusals.


def refusal_of(refused: Entry) -> LedgerError:
    """The refusal of an entry, which must leave nothing behind."""
    before = (JournalEntry.objects.count(), Posting.objects.count())
    (posted,) = post_many([refused])
    assert posted.entry_id is None
    assert posted.refusal is not None
    assert (JournalEntry.objects.count(), Posting.objects.count()) == before
    with pytest.raises(type(posted.refusal)):
        post(refused)
    return posted.refusal


def test_an_unbalanced_entry_is_refused() -> None:
    refusal = refusal_of(entry((RECEIVABLE, 10), (COMMISSION, -9)))
    assert isinstance(refusal, Unbalanced)
    assert "1.00 EUR" in str(refusal)


def test_an_entry_must_balance_in_each_currency_and_not_in_their_sum() -> None:
    legs = (Leg(RECEIVABLE, eur(10)), Leg("suspense:USD", Money(-10, "USD")))
    assert isinstance(refusal_of(Entry(reference="x", kind="x", legs=legs, occurred_at=NOON)), Unbalanced)


def test_taking_more_than_there_is_is_refused() -> None:
    seller = funded(10)
    refusal = refusal_of(taking(seller, "10.01"))
    assert isinstance(refusal, BelowFloor)
    assert seller in str(refusal)
    assert balance(seller) == eur(10)


def test_a_forced_entry_may_pass_the_floor_and_what_gives_is_welcome_below_it() -> None:
    seller = funded(10)
    post(taking(seller, 30, forced=True))
    assert balance(seller) == eur(-20)
    post(sale(seller, 5))
    assert balance(seller) == eur(-15)
    assert isinstance(refusal_of(taking(seller, 1)), BelowFloor)
    assert list(violations()) == []


def test_the_floor_binds_the_entry_and_not_each_of_its_legs() -> None:
    seller = wallet()
    post(entry((seller, 5), (seller, -5), (RECEIVABLE, 1), (COMMISSION, -1)))
    post(entry((seller, 5), (RECEIVABLE, 3), (seller, -8)))
    assert balance(seller) == eur(3)
    assert isinstance(refusal_of(entry((seller, 5), (REFUNDS, -4), (seller, -1))), BelowFloor)


def test_a_frozen_account_takes_no_entries_until_it_is_unfrozen() -> None:
    seller = funded(10)
    freeze(seller)
    assert isinstance(refusal_of(sale(seller, 1)), AccountFrozen)
    freeze(RECEIVABLE)
    unfreeze(seller)
    assert isinstance(refusal_of(sale(seller, 1)), AccountFrozen)
    unfreeze(RECEIVABLE)
    post(sale(seller, 1))


def test_a_true_fact_is_posted_to_a_frozen_account_as_well() -> None:
    seller = funded(10)
    freeze(seller)
    post(replace(sale(seller, 1), forced=True))
    assert balance(seller) == eur(11)


def test_a_leg_in_another_currency_than_its_account_is_refused() -> None:
    seller = wallet(currency="USD")
    assert isinstance(refusal_of(sale(seller, 1)), CurrencyMismatch)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "no_such_account:EUR",
        "suspense",
        "x" * 121,
        "suspense:EUR'",
        '"',
        "NULL",
        "suspense:EUR\x00",
        "süspense",
    ],
)
def test_an_account_that_the_chart_does_not_have_is_refused(code: str) -> None:
    assert isinstance(refusal_of(entry((code, 1), (COMMISSION, -1))), UnknownAccount)


def test_a_wallet_account_is_never_opened_on_the_way() -> None:
    code = chart.wallet_code("wallet_pending", uuid7())
    assert isinstance(refusal_of(sale(code, 1)), UnknownAccount)
    assert not Account.objects.filter(code=code).exists()


def test_a_code_of_another_currency_is_not_opened_on_the_way() -> None:
    legs = (Leg("suspense:USD", eur(1)), Leg(COMMISSION, eur(-1)))
    refused = Entry(reference="x", kind="x", legs=legs, occurred_at=NOON)
    assert isinstance(refusal_of(refused), UnknownAccount)


@pytest.mark.parametrize(
    "changes",
    [
        {"legs": ()},
        {"legs": (Leg(RECEIVABLE, eur(1)),)},
        {"legs": (Leg(RECEIVABLE, eur(0)), Leg(COMMISSION, eur(0)))},
        {"legs": (Leg(RECEIVABLE, eur(1)), Leg(COMMISSION, eur(-1)), Leg(REFUNDS, eur(0)))},
        {"reference": ""},
        {"reference": "with space"},
        {"reference": "x" * 201},
        {"reference": "naïve"},
        {"reference": "nul\x00"},
        {"kind": ""},
        {"kind": "Capture"},
        {"kind": "x" * 41},
        {"occurred_at": datetime(2026, 11, 20)},  # noqa: DTZ001
    ],
)
def test_a_malformed_entry_is_refused(changes: dict[str, object]) -> None:
    whole = entry((RECEIVABLE, 1), (COMMISSION, -1))
    assert isinstance(refusal_of(replace(whole, **changes)), InvalidEntry)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "amount",
    [Money("1.001", "EUR"), Money("1E15", "EUR"), Money("NaN", "EUR"), Money(1, "XTS"), Money("0.5", "JPY")],
)
def test_money_that_is_none_is_refused(amount: Money) -> None:
    legs = (Leg("suspense:EUR", amount), Leg("suspense:EUR", -amount))
    assert isinstance(refusal_of(Entry("x", "x", legs, NOON)), MoneyError)


def test_a_refused_entry_stops_none_of_the_others() -> None:
    seller, frozen = funded(10), funded(10)
    freeze(frozen)
    results = post_many(
        [
            sale(seller, 1),
            entry((RECEIVABLE, 1), (COMMISSION, -2)),
            sale(frozen, 1),
            taking(seller, 100),
            taking(seller, 11),
            taking(seller, "0.01"),
            sale(chart.wallet_code("wallet_pending", uuid7()), 1),
            sale(seller, 2),
        ]
    )
    codes = [result.refusal.code if result.refusal else None for result in results]
    assert codes == [
        None,
        "unbalanced",
        "account_frozen",
        "below_floor",
        None,
        "below_floor",
        "unknown_account",
        None,
    ]
    assert balance(seller) == eur(2)
    assert list(violations()) == []


def test_no_entries_are_no_work() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert post_many([]) == []
    assert len(queries) == 0


def test_the_words_of_a_description_never_refuse_a_fact() -> None:
    hostile = "a\x00b\nc\ud800d\"e\\f'g{h},NULL ü" + "x" * 600
    posted = post(replace(sale(wallet(), 1), description=hostile))
    kept = row_of(posted).description
    assert kept == ("a?b?c?d\"e\\f'g{h},NULL ü" + "x" * 600)[:500]


@pytest.mark.parametrize("reference", ['"', "\\", "{}", "NULL", "null", "a,b", "'", "%s", "--", "$1", '\\"'])
def test_references_of_any_printable_characters_are_kept_as_they_are(reference: str) -> None:
    posted = post(sale(wallet(), 1, reference=reference))
    assert row_of(posted).reference == reference
    assert post_many([sale(wallet(), 1), sale(wallet(), 1, reference=reference)])[1].refusal is not None


def test_a_kind_may_be_any_word_even_null() -> None:
    posted = post(replace(sale(wallet(), 1), kind="null"))
    assert row_of(posted).kind == "null"


# Part of the caller's transaction.


def test_what_the_caller_rolls_back_was_never_posted() -> None:
    seller = funded(10)

    class Stop(Exception):
        pass

    with pytest.raises(Stop), transaction.atomic():
        post(taking(seller, 4, reference="refund:1"))
        assert balance(seller) == eur(6)
        raise Stop
    assert balance(seller) == eur(10)
    assert not post(taking(seller, 4, reference="refund:1")).replayed
    assert list(violations()) == []


def test_several_posts_in_one_transaction_see_each_other() -> None:
    seller = wallet()
    with transaction.atomic():
        post(sale(seller, 10))
        post(taking(seller, 10))
        with pytest.raises(BelowFloor):
            post(taking(seller, 1))
    assert balance(seller) == eur(0)


# Reversal.


def test_a_reversal_is_another_entry_with_the_opposite_postings() -> None:
    seller = wallet()
    posted = post(entry((RECEIVABLE, 100), (seller, -90), (COMMISSION, -10), reference="capture:1"))
    assert posted.entry_id is not None
    undone = reverse(posted.entry_id, "reversal:capture:1")
    assert (balance(RECEIVABLE), balance(seller), balance(COMMISSION)) == (eur(0), eur(0), eur(0))
    row = row_of(undone)
    assert (row.kind, row.description) == ("reversal", "Reversal of capture:1")
    assert reverse(posted.entry_id, "reversal:capture:1").replayed


def test_what_has_been_spent_is_reversed_only_by_force() -> None:
    seller = wallet()
    posted = post(sale(seller, 10))
    assert posted.entry_id is not None
    post(taking(seller, 10))
    with pytest.raises(BelowFloor):
        reverse(posted.entry_id, "reversal:1")
    reverse(posted.entry_id, "reversal:1", forced=True)
    assert balance(seller) == eur(-10)


def test_an_entry_that_is_not_there_cannot_be_reversed() -> None:
    with pytest.raises(UnknownEntry):
        reverse(-1, "reversal:1")
