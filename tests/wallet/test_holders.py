"""Opening and finding account holders."""

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from tests.wallet.building import seller
from wallet.errors import HolderExists, HolderNotFound, SellerNotFound
from wallet.models import AccountHolder, HolderKind
from wallet.services import find_holder, find_holders, open_holder

pytestmark = pytest.mark.django_db


def test_the_same_content_again_is_the_same_holder() -> None:
    first = seller()
    assert seller() == first
    assert AccountHolder.objects.count() == 1
    assert first.kyc_status == "not_started"
    assert not first.frozen


@pytest.mark.parametrize("changes", [{"name": "Other"}, {"email": ""}, {"country": "TZ"}])
def test_other_content_under_the_reference_is_refused(changes: dict[str, str]) -> None:
    first = seller()
    with pytest.raises(HolderExists):
        seller(**changes)
    assert AccountHolder.objects.get() == first


def test_a_reference_is_unique_per_kind_only() -> None:
    as_seller = seller("x-1")
    as_buyer = open_holder(kind=HolderKind.BUYER, reference="x-1", name="Somebody")
    assert as_seller != as_buyer
    assert find_holder(kind="buyer", reference="x-1") == as_buyer


def test_an_unknown_kind_is_a_bug() -> None:
    with pytest.raises(ValueError, match="pirate"):
        open_holder(kind="pirate", reference="x", name="x")


def test_who_is_not_there_is_not_found() -> None:
    with pytest.raises(SellerNotFound):
        find_holder(kind=HolderKind.SELLER, reference="nobody")
    with pytest.raises(HolderNotFound) as refused:
        find_holder(kind=HolderKind.BUYER, reference="nobody")
    assert refused.value.code == "holder_not_found"


def test_many_are_found_in_one_query(django_assert_num_queries: pytest.FixtureRequest) -> None:
    one, two = seller("one"), seller("two")
    with django_assert_num_queries(1):  # type: ignore[operator]
        found = find_holders(kind=HolderKind.SELLER, references=["one", "two", "three", "one"])
    assert found == {"one": one, "two": two}


def test_the_address_is_encrypted_and_found_by_digest_in_any_case() -> None:
    holder = seller(email="Soko@Example.org")
    other = seller("seller-2", email="soko@example.ORG")
    assert holder.email == "Soko@Example.org"
    assert holder.email_digest == other.email_digest != ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT holder::text FROM wallet_accountholder holder")
        assert "example" not in str(cursor.fetchall()).lower()


def test_no_address_has_no_digest() -> None:
    assert seller(email="").email_digest == ""


@pytest.mark.parametrize(
    "change",
    [
        "reference = 'other'",
        "kind = 'buyer'",
        "created_at = now()",
        "id = '00000000-0000-7000-8000-000000000000'",
        "kind = 'pirate'",
        "kyc_status = 'perhaps'",
        "country = 'de'",
        "country = 'DEU'",
    ],
)
def test_the_database_refuses_what_a_holder_cannot_become(change: str) -> None:
    seller()
    with (
        pytest.raises((IntegrityError, DataError)),
        transaction.atomic(),
    ):
        _sql(f"UPDATE wallet_accountholder SET {change}")


@pytest.mark.parametrize(
    "statement", ["DELETE FROM wallet_accountholder", "TRUNCATE wallet_accountholder CASCADE"]
)
def test_holders_are_never_deleted(statement: str) -> None:
    seller()
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        _sql(statement)


def test_a_person_can_be_forgotten() -> None:
    holder = seller()
    holder.name, holder.email, holder.email_digest = "", "", ""
    holder.save()
    holder.refresh_from_db()
    assert (holder.name, holder.email) == ("", "")


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
