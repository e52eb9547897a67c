"""Sellers: who they are is the wallet's, what we agreed with them is ours."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from payments.errors import SellerDiffers, SellerNotFound
from payments.models import SellerTerms
from wallet.models import AccountHolder, HolderKind
from wallet.services import open_holder

DEFAULT_COMMISSION_RATE = Decimal("0.10")


@transaction.atomic
def open_seller(
    *,
    seller_account: str,
    name: str,
    email: str,
    country: str,
    commission_rate: Decimal = DEFAULT_COMMISSION_RATE,
) -> tuple[AccountHolder, bool]:
    """Open a seller with its terms; the second value is whether it is new. The same content again changes nothing.

    Raises:
        HolderExists: the account exists with another name, email or country (409).
        SellerDiffers: the account exists with another commission (409).
    """
    holder = open_holder(
        kind=HolderKind.SELLER, reference=seller_account, name=name, email=email, country=country
    )
    terms, created = SellerTerms.objects.get_or_create(
        holder=holder, defaults={"commission_rate": commission_rate}
    )
    if terms.commission_rate != commission_rate:
        raise SellerDiffers
    holder.terms = terms
    return holder, created


def read_seller(seller_account: str) -> AccountHolder:
    """A seller with its terms.

    Raises:
        SellerNotFound: there is no such seller (404).
    """
    seller = _sellers().filter(reference=seller_account).first()
    if seller is None:
        raise SellerNotFound
    return seller


def list_sellers(*, after: str, limit: int) -> Sequence[AccountHolder]:
    """Up to `limit` sellers in the order of their accounts, from the one after `after`."""
    return list(_sellers().filter(reference__gt=after).order_by("reference")[:limit])


def _sellers() -> QuerySet[AccountHolder]:
    return AccountHolder.objects.select_related("terms").filter(kind=HolderKind.SELLER, terms__isnull=False)
