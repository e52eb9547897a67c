"""Wallets, lots and ledger say the same; and when they do not, it is found."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moneyed import Money
from pytest_django import DjangoAssertNumQueries

from ledger import chart, clock
from ledger.ids import uuid7
from ledger.services import Entry, Leg, open_accounts, post
from tests.wallet.building import credit, new_lot, seller, wallet
from wallet.models import Lot
from wallet.services import WalletBalance, open_lots, violations, wallets_of

pytestmark = pytest.mark.django_db


def found() -> list[tuple[int, list[str]]]:
    """Which invariants are broken, and by which rows."""
    return [(violation.invariant, violation.rows) for violation in violations()]


def test_a_holder_without_wallets_has_none() -> None:
    assert wallets_of(seller().id) == []


def test_balances_come_from_the_ledger_by_currency(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    holder = seller()
    credit(wallet(holder, "USD"), ["1.00", "2.50"])
    euro = wallet(holder, "EUR")
    credit(euro, ["90.00"])
    credit(wallet(seller("other"), "EUR"), ["1000.00"])
    post(
        Entry(
            reference="test:release",
            kind="release",
            legs=(
                Leg(euro.pending_account, Money("90.00", "EUR")),
                Leg(euro.available_account, Money("-50.00", "EUR")),
                Leg(euro.reserved_account, Money("-40.00", "EUR")),
            ),
            occurred_at=clock.now(),
        )
    )
    with django_assert_num_queries(2):
        balances = wallets_of(holder.id)
    assert balances == [
        WalletBalance("EUR", Money("0.00", "EUR"), Money("50.00", "EUR"), Money("40.00", "EUR")),
        WalletBalance("USD", Money("3.50", "USD"), Money("0.00", "USD"), Money("0.00", "USD")),
    ]


def test_a_forced_fact_may_take_a_wallet_below_zero() -> None:
    holder = seller()
    euro = wallet(holder)
    post(
        Entry(
            reference="test:refund",
            kind="refund",
            legs=(
                Leg(euro.available_account, Money("5.00", "EUR")),
                Leg(chart.code("refunds_payable", "EUR"), Money("-5.00", "EUR")),
            ),
            occurred_at=clock.now(),
            forced=True,
        )
    )
    assert wallets_of(holder.id)[0].available == Money("-5.00", "EUR")


def test_nothing_is_broken_at_first() -> None:
    assert found() == []
    credit(wallet(), ["90.00", "0.01"])
    wallet(seller("empty"), "JPY")
    assert found() == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    credits=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3)]),
            st.lists(st.integers(1, 10**9), min_size=1, max_size=4),
        ),
        max_size=8,
    )
)
def test_lots_always_sum_to_the_wallets_accounts(
    credits: list[tuple[str, tuple[str, int], list[int]]],
) -> None:
    for name, (currency, places), units in credits:
        credit(
            wallet(seller(name), currency), [str(Money(unit, "EUR").amount.scaleb(-places)) for unit in units]
        )
    assert found() == []


def test_a_lot_without_its_entry_is_found() -> None:
    euro = wallet()
    open_lots([new_lot(euro, Money("1.00", "EUR"))])
    assert found() == [(2, [f"ledger_account:{euro.pending_account}"])]


def test_an_entry_without_its_lot_is_found() -> None:
    euro = wallet()
    post(
        Entry(
            reference="test:1",
            kind="capture",
            legs=(
                Leg(chart.code("psp_receivable", "EUR", psp="sandbox"), Money("1.00", "EUR")),
                Leg(euro.available_account, Money("-1.00", "EUR")),
            ),
            occurred_at=clock.now(),
        )
    )
    assert found() == [(2, [f"ledger_account:{euro.available_account}"])]


def test_a_lot_moved_without_the_ledger_is_found() -> None:
    euro = wallet()
    credit(euro, ["90.00"])
    Lot.objects.update(pending=Money("50.00", "EUR"), reserved=Money("40.00", "EUR"))
    assert found() == [
        (2, [f"ledger_account:{euro.pending_account}", f"ledger_account:{euro.reserved_account}"])
    ]


def test_an_account_without_a_wallet_is_found() -> None:
    code = chart.wallet_code("wallet_pending", uuid7())
    open_accounts([chart.spec(code, "EUR")])
    assert found() == [(2, [f"ledger_account:{code}"])]


def test_past_the_guards_other_faults_are_found() -> None:
    euro, yen = wallet(), wallet(currency="JPY")
    (lot,) = credit(euro, ["90.00"])
    (fine,) = credit(yen, ["5"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE wallet_lot SET currency = 'USD' WHERE id = %s", [lot.id])
        cursor.execute("UPDATE wallet_lot SET original = 5.5 WHERE id = %s", [fine.id])
    assert found() == [(14, [f"wallet_lot:{lot.id}"]), (14, [f"wallet_lot:{fine.id}"])]


def test_a_missing_guard_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE wallet_lot DROP CONSTRAINT lot_in_its_wallets_currency")
        cursor.execute("ALTER TABLE wallet_wallet DISABLE TRIGGER ALL")
    ((invariant, rows),) = found()
    assert invariant == 2
    assert "wallet_lot:lot_in_its_wallets_currency" in rows
    assert len([row for row in rows if row.startswith("wallet_wallet:pgtrigger_")]) == 3
