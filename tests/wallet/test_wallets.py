"""Opening wallets, many at once, and what the database refuses about them."""

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from ledger.errors import UnknownCurrency
from ledger.ids import uuid7
from ledger.services import balances
from tests.wallet.building import seller, wallet
from wallet.errors import HolderNotFound
from wallet.models import Pocket, Wallet
from wallet.services import ensure_wallets

pytestmark = pytest.mark.django_db


def test_a_wallet_is_opened_with_its_three_accounts() -> None:
    holder = seller()
    (found,) = ensure_wallets([(holder.id, "KES")]).values()
    assert (found.holder_id, found.currency) == (holder.id, "KES")
    accounts = [f"wallet_{pocket}:{found.id}" for pocket in ("pending", "available", "reserved")]
    assert [found.pending_account, found.available_account, found.reserved_account] == accounts
    assert [found.account(pocket) for pocket in Pocket] == accounts
    assert {str(held.amount) for held in balances(accounts).values()} == {"0.00"}


def test_it_is_opened_once() -> None:
    holder = seller()
    first = ensure_wallets([(holder.id, "EUR"), (holder.id, "EUR")])
    assert ensure_wallets([(holder.id, "EUR")]) == first
    assert Wallet.objects.count() == 1


def test_only_the_pairs_asked_for_are_opened() -> None:
    one, two = seller("one"), seller("two")
    pairs = [(one.id, "EUR"), (two.id, "USD")]
    assert set(ensure_wallets(pairs)) == set(pairs)
    assert Wallet.objects.count() == 2
    ensure_wallets([(one.id, "EUR"), (one.id, "USD"), (two.id, "EUR"), (two.id, "USD")])
    assert set(ensure_wallets(pairs)) == set(pairs)
    assert Wallet.objects.count() == 4


def test_existing_wallets_take_one_query_however_many(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    pairs = [(seller(f"s-{number}").id, currency) for number in range(10) for currency in ("EUR", "JPY")]
    opened = ensure_wallets(pairs)
    with django_assert_num_queries(1):
        assert ensure_wallets(iter(pairs)) == opened


def test_opening_many_takes_few_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    pairs = [(seller(f"s-{number}").id, "EUR") for number in range(50)]
    with django_assert_num_queries(8):  # Look, savepoint, holders, wallets, look, accounts, look, release.
        assert len(ensure_wallets(pairs)) == 50


def test_nothing_is_asked_for_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert ensure_wallets([]) == {}


def test_an_unknown_holder_opens_nothing() -> None:
    holder = seller()
    with pytest.raises(HolderNotFound):
        ensure_wallets([(holder.id, "EUR"), (uuid7(), "EUR")])
    assert not Wallet.objects.exists()


@pytest.mark.parametrize("currency", ["XXX", "eur", "EURO", "", "XAU"])
def test_an_unknown_currency_opens_nothing(currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        ensure_wallets([(seller().id, currency)])
    assert not Wallet.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallet_wallet SET currency = 'USD'",
        "UPDATE wallet_wallet SET id = '00000000-0000-7000-8000-000000000000'",
        "UPDATE wallet_wallet SET created_at = now()",
        "DELETE FROM wallet_wallet",
        "TRUNCATE wallet_wallet CASCADE",
        "INSERT INTO wallet_wallet SELECT gen_random_uuid(), currency, created_at, holder_id FROM wallet_wallet",
        "INSERT INTO wallet_wallet SELECT gen_random_uuid(), 'eur', created_at, holder_id FROM wallet_wallet",
    ],
)
def test_the_database_keeps_wallets_as_they_were_opened(statement: str) -> None:
    wallet()
    connection.check_constraints()  # A table with checks outstanding cannot be truncated in any case.
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
