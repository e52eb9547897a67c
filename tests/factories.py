"""What tests arrange with: shops, sellers, checkouts as shops describe them, reports as PSPs give them.

Rows come from the real services wherever there is one. What a service would not make, no factory makes.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory
from moneyed import Money

from ledger import money
from payments.models import PaymentAttempt, Shop
from payments.psp.base import Outcome, Report
from payments.services.checkouts import NewCheckout, NewOrder
from payments.services.sellers import open_seller
from payments.services.shops import SHOP_SCOPES, issue_api_key
from wallet.models import AccountHolder


class ShopFactory(DjangoModelFactory[Shop]):
    """A shop without keys."""

    class Meta:
        model = Shop

    slug = factory.Sequence(lambda n: f"shop-{n}")
    name = factory.LazyAttribute(lambda shop: shop.slug.title())


class SellerFactory(factory.Factory[AccountHolder]):
    """A seller with its terms; ten percent of each sale is ours unless the test says otherwise."""

    class Meta:
        model = AccountHolder

    seller_account = factory.Sequence(lambda n: f"seller-{n}")
    name = factory.LazyAttribute(lambda seller: seller.seller_account.title())
    email = factory.LazyAttribute(lambda seller: f"{seller.seller_account}@example.org")
    country = "KE"
    commission_rate = Decimal("0.10")

    @classmethod
    def _create(cls, model_class: type[AccountHolder], *args: Any, **kwargs: Any) -> AccountHolder:
        return open_seller(**kwargs)[0]


class NewOrderFactory(factory.Factory[NewOrder]):
    """An order as a shop describes it, for a seller of its own unless one is named."""

    class Meta:
        model = NewOrder

    payment_order_id = factory.Sequence(lambda n: f"order-{n}")
    seller_account = factory.LazyFunction(lambda: SellerFactory.create().reference)
    amount = factory.LazyFunction(lambda: money.parse_amount("10.00", "EUR"))


class NewCheckoutFactory(factory.Factory[NewCheckout]):
    """A checkout as a shop describes it: one order, paid by a card that may be charged once."""

    class Meta:
        model = NewCheckout

    checkout_id = factory.Sequence(lambda n: f"cart-{n}")
    buyer_info = factory.LazyAttribute(lambda checkout: {"buyer_id": f"buyer-of-{checkout.checkout_id}"})
    method = "card"
    token = "tok_visa"
    orders = factory.LazyFunction(lambda: [NewOrderFactory.create()])


class ReportFactory(factory.Factory[Report]):
    """What a PSP says about `attempt`: that it succeeded, unless the test says otherwise. Each is news."""

    class Meta:
        model = Report

    class Params:
        attempt: Any = None

    outcome = Outcome.SUCCEEDED
    dedup_key = factory.Sequence(lambda n: f"evt-{n}")
    reference = factory.LazyAttribute(lambda report: str(report.attempt.id))
    psp_reference = factory.LazyAttribute(lambda report: f"pay_{report.attempt.id}")
    amount = factory.LazyAttribute(lambda report: report.attempt.amount)


def order_for(amount: Money, seller: AccountHolder | None = None, **changes: Any) -> NewOrder:
    """An order over `amount`, for `seller` or a new one."""
    if seller is not None:
        changes["seller_account"] = seller.reference
    return NewOrderFactory.create(amount=amount, **changes)


def api_key(shop: Shop | None, scopes: Sequence[str] = SHOP_SCOPES, **changes: Any) -> str:
    """The secret of a new API key."""
    return issue_api_key(shop=shop, label="test", scopes=scopes, **changes)[1]


def report_about(attempt: PaymentAttempt, outcome: Outcome = Outcome.SUCCEEDED, **changes: Any) -> Report:
    """A report about this attempt."""
    return ReportFactory.create(attempt=attempt, outcome=outcome, **changes)
