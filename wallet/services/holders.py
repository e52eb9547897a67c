"""Opening and finding account holders."""

from collections.abc import Iterable

from django.db import transaction

from wallet.encryption import keyed_digest
from wallet.errors import HolderExists, HolderNotFound, SellerNotFound
from wallet.models import AccountHolder, HolderKind


@transaction.atomic
def open_holder(*, kind: str, reference: str, name: str, email: str = "", country: str = "") -> AccountHolder:
    """The holder of this kind and reference, opened now unless the very same was opened before.

    Two callers at once get the same holder: the second waits on the unique index for the first.

    Raises:
        HolderExists: the reference is taken by a holder with another name, email or country (409).
    """
    AccountHolder.objects.bulk_create(
        [
            AccountHolder(
                kind=HolderKind(kind),
                reference=reference,
                name=name,
                email=email,
                email_digest=email_digest(email),
                country=country,
            )
        ],
        ignore_conflicts=True,
    )
    holder = AccountHolder.objects.get(kind=kind, reference=reference)
    if (holder.name, holder.email, holder.country) != (name, email, country):
        raise HolderExists
    return holder


def find_holder(*, kind: str, reference: str) -> AccountHolder:
    """The holder of this kind and reference.

    Raises:
        HolderNotFound: there is none (404); SellerNotFound when it should be a seller.
    """
    holder = AccountHolder.objects.filter(kind=kind, reference=reference).first()
    if holder is None:
        raise SellerNotFound if kind == HolderKind.SELLER else HolderNotFound
    return holder


def find_holders(*, kind: str, references: Iterable[str]) -> dict[str, AccountHolder]:
    """The holders of this kind by reference, in one query; who is not there is not in the answer."""
    found = AccountHolder.objects.filter(kind=kind, reference__in=set(references))
    return {holder.reference: holder for holder in found}


def email_digest(email: str) -> str:
    """What `AccountHolder.email_digest` holds for this address; empty for no address."""
    return keyed_digest(email.lower()) if email else ""
