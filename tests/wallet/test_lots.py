"""Lots: the source of every credit, and what the database refuses about them."""

import pytest
from django.db import IntegrityError, connection, transaction
from moneyed import Money
from pytest_django import DjangoAssertNumQueries

from ledger import clock
from ledger.errors import MoneyError
from ledger.ids import uuid7
from tests.wallet.building import credit, new_lot, seller, wallet
from wallet.errors import LotExists
from wallet.models import Lot
from wallet.services import open_lots

pytestmark = pytest.mark.django_db


def test_a_credit_is_all_pending_at_first() -> None:
    (lot,) = credit(wallet(), ["90.00"])
    stored = Lot.objects.get()
    assert stored == lot
    assert stored.original == stored.pending == Money("90.00", "EUR")
    assert stored.available == stored.reserved == Money("0.00", "EUR")
    assert stored.currency == "EUR"
    assert (stored.delivered_at, stored.settled_at, stored.available_at) == (None, None, None)


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "105"), ("KWD", "1.234"), ("CLF", "1.2345")])
def test_every_currency_keeps_its_decimals(currency: str, amount: str) -> None:
    credit(wallet(currency=currency), [amount])
    assert Lot.objects.get().original == Money(amount, currency)


def test_lots_come_back_in_the_order_they_were_named() -> None:
    to, source = wallet(), uuid7()
    amounts = [str(number) for number in range(1, 30)]
    lots = credit(to, amounts, source)
    assert [str(lot.original.amount) for lot in lots] == [f"{amount}.00" for amount in amounts]
    assert [lot.sequence for lot in lots] == list(range(29))


def test_many_lots_take_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    to = wallet()
    new = [new_lot(to, Money("1.00", "EUR")) for _ in range(50)]
    with django_assert_num_queries(2):
        open_lots(new)
    with django_assert_num_queries(0):
        assert open_lots([]) == []


def test_the_same_source_gives_one_lot() -> None:
    to, source = wallet(), uuid7()
    (first,) = credit(to, ["5.00"], source)
    again, other = open_lots([new_lot(to, Money("5.00", "EUR"), source), new_lot(to, Money("2.00", "EUR"))])
    assert again == first
    assert Lot.objects.count() == 2
    assert other.original == Money("2.00", "EUR")


def test_another_amount_from_the_same_source_is_refused() -> None:
    to, source = wallet(), uuid7()
    credit(to, ["5.00"], source)
    with pytest.raises(LotExists):
        open_lots([new_lot(to, Money("5.01", "EUR"), source)])


def test_a_source_may_credit_two_wallets_and_twice_by_sequence() -> None:
    source = uuid7()
    for to in (wallet(seller("one")), wallet(seller("two"))):
        credit(to, ["1.00", "2.00"], source)
    assert Lot.objects.filter(source_id=source).count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_lot_outside_a_transaction_is_a_bug() -> None:
    to = wallet()
    with pytest.raises(AssertionError):
        open_lots([new_lot(to, Money("1.00", "EUR"))])
    assert not Lot.objects.exists()


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_lot_is_a_credit(amount: str) -> None:
    with pytest.raises(AssertionError):
        open_lots([new_lot(wallet(), Money(amount, "EUR"))])


@pytest.mark.parametrize("amount", [Money("1.001", "EUR"), Money("10.5", "JPY"), Money("1e20", "EUR")])
def test_an_amount_fits_its_currency(amount: Money) -> None:
    with pytest.raises(MoneyError):
        open_lots([new_lot(wallet(), amount)])


def test_a_lot_is_in_its_wallets_currency() -> None:
    to = wallet()
    with pytest.raises(IntegrityError, match="lot_in_its_wallets_currency"), transaction.atomic():
        open_lots([new_lot(to, Money("1.00", "USD"))])


def test_a_lot_can_be_moved_through_its_pockets() -> None:
    (lot,) = credit(wallet(), ["90.00"])
    lot.pending, lot.available, lot.available_at = Money(0, "EUR"), Money("90.00", "EUR"), clock.now()
    lot.save(update_fields=["pending", "available", "available_at"])
    lot.refresh_from_db()
    assert lot.available == Money("90.00", "EUR")


@pytest.mark.parametrize(
    "change",
    [
        "original = 91",
        "currency = 'USD'",
        "source_id = gen_random_uuid()",
        "source_reference = 'other'",
        "source_kind = 'gift'",
        "sequence = 1",
        "created_at = now()",
        "wallet_id = gen_random_uuid()",
        "pending = -1",
        "reserved = -1",
        "pending = 90.0001",
        "available = 0.01",
        "pending = 0, available = 45, reserved = 45.01",
    ],
)
def test_the_database_refuses_what_a_lot_cannot_become(change: str) -> None:
    credit(wallet(), ["90.00"])
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE wallet_lot SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "pending = 0, available = 90",
        "pending = 0, available = 45, reserved = 45",
        "pending = 0",
        "pending = 0, available = -90",
        "pending = 0, available = -90, reserved = 90",
        "delivered_at = now(), settled_at = now()",
    ],
)
def test_the_database_takes_what_a_true_fact_can_make_of_a_lot(change: str) -> None:
    credit(wallet(), ["90.00"])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE wallet_lot SET {change}")
    assert Lot.objects.count() == 1


@pytest.mark.parametrize("statement", ["DELETE FROM wallet_lot", "TRUNCATE wallet_lot"])
def test_lots_are_never_deleted(statement: str) -> None:
    credit(wallet(), ["90.00"])
    with (
        pytest.raises(IntegrityError, match="never deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
