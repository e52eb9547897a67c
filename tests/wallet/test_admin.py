"""Holders, wallets and lots in the back office: read, never written."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from ledger.ids import uuid7
from tests.wallet.building import credit, seller, wallet
from wallet.models import AccountHolder, Lot, Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    """A signed-in superuser."""
    client.force_login(User.objects.create_superuser("staff"))
    return client


def page(staff: Client, name: str, *arguments: object, **query: str) -> str:
    """The text of a page of the admin."""
    response = staff.get(reverse(f"admin:wallet_{name}", args=arguments), query)
    assert response.status_code == 200
    return response.content.decode()


def test_wallets_are_listed_with_their_balances(staff: Client) -> None:
    holder = seller()
    credit(wallet(holder, "EUR"), ["1234567.50"])
    credit(wallet(holder, "JPY"), ["1500"])
    text = page(staff, "wallet_changelist")
    assert "1,234,567.50 EUR" in text
    assert "1,500 JPY" in text
    assert "Soko Ltd" in text


def test_a_longer_list_takes_no_more_queries(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        wallet(seller(f"s-{number}"))
    with django_assert_max_num_queries(12):
        page(staff, "wallet_changelist")


def test_one_wallet_shows_its_accounts(staff: Client) -> None:
    euro = wallet()
    credit(euro, ["90.00"])
    text = page(staff, "wallet_change", euro.id)
    assert "90.00 EUR" in text
    assert euro.available_account in text


def test_lots_are_listed_with_their_source(staff: Client) -> None:
    (lot,) = credit(wallet(), ["90.00"])
    assert "order-1" in page(staff, "lot_changelist")
    assert str(lot.source_id) in page(staff, "lot_change", lot.id)
    assert "90.00 EUR" in page(staff, "lot_changelist", q="seller-1")


def test_a_holder_is_found_by_reference_name_and_whole_address(staff: Client) -> None:
    holder = seller()
    seller("other-7", name="Duka", email="duka@example.org")
    for query in ("seller-1", "soko", "SOKO@example.org"):
        text = page(staff, "accountholder_changelist", q=query)
        assert "Soko Ltd" in text
        assert "Duka" not in text
    assert "Soko Ltd" not in page(staff, "accountholder_changelist", q="soko@example")
    credit(wallet(holder), ["90.00"])
    text = page(staff, "accountholder_change", holder.id)
    assert "soko@example.org" in text
    assert "EUR: 90.00 EUR pending, 0.00 EUR available" in text


@pytest.mark.parametrize("model", [AccountHolder, Wallet, Lot])
def test_nothing_can_be_written(staff: Client, model: type[AccountHolder | Wallet | Lot]) -> None:
    (lot,) = credit(wallet(), ["90.00"])
    row = model.objects.get()
    name = model._meta.model_name
    for url in (
        reverse(f"admin:wallet_{name}_add"),
        reverse(f"admin:wallet_{name}_change", args=[row.pk]),
        reverse(f"admin:wallet_{name}_delete", args=[row.pk]),
    ):
        assert staff.post(url, {"currency": "USD", "post": "yes"}).status_code == 403
    assert model.objects.get().pk == row.pk
    assert lot.currency == "EUR"


def test_a_page_of_nothing_is_no_error(staff: Client) -> None:
    for name in ("accountholder", "wallet", "lot"):
        page(staff, f"{name}_changelist", q="nothing has this name")
        assert staff.get(reverse(f"admin:wallet_{name}_change", args=[uuid7()])).status_code == 302
