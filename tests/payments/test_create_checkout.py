"""A checkout is stored once, however often and in whatever way it is asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from payments import errors
from payments.bell import PSP_CALLS
from payments.models import (
    IdempotencyKey,
    OperationTry,
    OutboxEvent,
    PaymentAttempt,
    PaymentEvent,
    PaymentOrder,
    SellerTerms,
    Shop,
)
from payments.services.checkouts import NewCheckout, create_checkout
from payments.states import AttemptStatus, OrderStatus, TryStatus
from tests.factories import NewCheckoutFactory, NewOrderFactory, SellerFactory, ShopFactory, order_for
from tests.payments.arranging import begin, eur, tell
from wallet.models import AccountHolder, HolderKind
from wallet.services import open_holder

pytestmark = pytest.mark.django_db


def stored() -> dict[str, int]:
    """How many rows of each kind there are."""
    tables = (PaymentEvent, PaymentOrder, PaymentAttempt, OperationTry, OutboxEvent, IdempotencyKey)
    return {table.__name__: table.objects.count() for table in tables}


NOTHING = dict.fromkeys(
    ("PaymentEvent", "PaymentOrder", "PaymentAttempt", "OperationTry", "OutboxEvent", "IdempotencyKey"), 0
)


def test_a_new_checkout_waits_to_be_sent(shop: Shop) -> None:
    new = NewCheckoutFactory.create(orders=[order_for(eur("40.00")), order_for(eur("15.50"))])
    answer = create_checkout(shop=shop, new=new)
    assert (answer.status_code, answer.replayed) == (201, False)
    assert answer.body["checkout_status"] == "pending"
    assert [order["amount"] for order in answer.body["payment_orders"]] == ["40.00", "15.50"]
    assert {order.status for order in PaymentOrder.objects.all()} == {OrderStatus.NOT_STARTED}
    attempt = PaymentAttempt.objects.get()
    assert (attempt.status, attempt.amount) == (AttemptStatus.CREATED, eur("55.50"))
    assert OperationTry.objects.get().status == TryStatus.CREATED
    news = OutboxEvent.objects.get().payload
    assert news == {name: value for name, value in answer.body.items() if name != "buyer_info"}


def test_the_bell_is_rung_after_the_commit_and_not_before(
    shop: Shop,
    rings: list[str],
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[list[Any]]],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        create_checkout(shop=shop, new=NewCheckoutFactory.create())
        assert rings == []
    assert rings == [PSP_CALLS]


def test_the_same_key_replays_the_first_answer_even_when_the_world_has_moved_on(shop: Shop) -> None:
    new = NewCheckoutFactory.create()
    first = create_checkout(shop=shop, new=new, idempotency_key="key-1")
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt)
    again = create_checkout(shop=shop, new=new, idempotency_key="key-1")
    assert (again.status_code, again.body, again.replayed) == (201, first.body, True)
    assert PaymentEvent.objects.count() == 1


def test_the_same_checkout_without_its_key_answers_the_latest_status(shop: Shop) -> None:
    new = NewCheckoutFactory.create()
    create_checkout(shop=shop, new=new, idempotency_key="key-1")
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt)
    for key in ("", "key-2"):
        again = create_checkout(shop=shop, new=new, idempotency_key=key)
        assert (again.status_code, again.replayed) == (200, False)
        assert again.body["checkout_status"] == "paid"
    assert stored() == dict.fromkeys(NOTHING, 1) | {"OutboxEvent": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"token": "tok_mastercard"},
        {"buyer_info": {"buyer_id": "somebody-else"}},
        {"return_url": "https://shop.example.org/thanks"},
        {"charge": "per_order"},
        {"manual_capture": True},
        {"method": "", "token": ""},
        {
            "orders": [
                NewOrderFactory.build(payment_order_id="o-1", seller_account="s-1", amount=eur("10.01"))
            ]
        },
        {
            "orders": [
                NewOrderFactory.build(payment_order_id="o-1", seller_account="s-2", amount=eur("10.00"))
            ]
        },
        {
            "orders": [
                NewOrderFactory.build(payment_order_id="o-2", seller_account="s-1", amount=eur("10.00"))
            ]
        },
    ],
    ids=lambda change: "+".join(change),
)
def test_other_content_under_the_same_checkout_or_key_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    for reference in ("s-1", "s-2"):
        SellerFactory.create(seller_account=reference)
    order = NewOrderFactory.create(payment_order_id="o-1", seller_account="s-1", amount=eur("10.00"))
    new = NewCheckoutFactory.create(orders=[order])
    create_checkout(shop=shop, new=new, idempotency_key="key-1")
    before = stored()
    other: NewCheckout = replace(new, **change)
    with pytest.raises(errors.CheckoutDiffers) as refused:
        create_checkout(shop=shop, new=other)
    assert refused.value.field == "checkout_id"
    with pytest.raises(errors.IdempotencyKeyReused):
        create_checkout(shop=shop, new=other, idempotency_key="key-1")
    assert stored() == before


def test_a_key_that_was_used_for_another_checkout_is_refused(shop: Shop) -> None:
    create_checkout(shop=shop, new=NewCheckoutFactory.create(), idempotency_key="key-1")
    before = stored()
    with pytest.raises(errors.IdempotencyKeyReused):
        create_checkout(shop=shop, new=NewCheckoutFactory.create(), idempotency_key="key-1")
    assert stored() == before


def test_an_order_id_of_another_checkout_is_refused_and_named(shop: Shop) -> None:
    first = NewOrderFactory.create()
    create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=[first]))
    before = stored()
    taken = order_for(eur("1.00"), payment_order_id=first.payment_order_id)
    with pytest.raises(errors.OrderExists) as refused:
        create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=[NewOrderFactory.create(), taken]))
    assert refused.value.field == "payment_orders[1].payment_order_id"
    assert stored() == before


def test_two_shops_may_use_the_same_ids_and_keys() -> None:
    new = NewCheckoutFactory.create()
    for _ in range(2):
        answer = create_checkout(shop=ShopFactory.create(), new=new, idempotency_key="key-1")
        assert (answer.status_code, answer.replayed) == (201, False)


def _never_opened() -> str:
    return "seller-nobody"


def _a_buyer() -> str:
    open_holder(kind=HolderKind.BUYER, reference="buyer-1", name="Amina Yusuf")
    return "buyer-1"


def _without_terms() -> str:
    open_holder(kind=HolderKind.SELLER, reference="seller-without-terms", name="Soko")
    return "seller-without-terms"


@pytest.mark.parametrize("seller", [_never_opened, _a_buyer, _without_terms])
def test_somebody_who_is_no_seller_is_refused_and_named(shop: Shop, seller: Callable[[], str]) -> None:
    orders = [NewOrderFactory.create(), NewOrderFactory.create(seller_account=seller())]
    with pytest.raises(errors.UnknownSeller) as refused:
        create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=orders), idempotency_key="key-1")
    assert refused.value.field == "payment_orders[1].seller_account"
    assert stored() == NOTHING


def test_a_frozen_seller_is_refused_but_what_was_accepted_before_is_still_told(shop: Shop) -> None:
    new = NewCheckoutFactory.create()
    create_checkout(shop=shop, new=new)
    AccountHolder.objects.update(frozen=True)
    assert create_checkout(shop=shop, new=new).status_code == 200
    before = stored()
    later = NewCheckoutFactory.create(
        orders=[NewOrderFactory.create(seller_account=new.orders[0].seller_account)]
    )
    with pytest.raises(errors.SellerFrozen) as refused:
        create_checkout(shop=shop, new=later)
    assert refused.value.field == "payment_orders[0].seller_account"
    assert stored() == before


def test_an_order_keeps_the_commission_of_its_day(shop: Shop) -> None:
    seller = SellerFactory.create(commission_rate=Decimal("0.10"))
    for rate in ("0.10", "0.25"):
        SellerTerms.objects.filter(holder=seller).update(commission_rate=Decimal(rate))
        create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=[order_for(eur("10.00"), seller)]))
    rates = PaymentOrder.objects.order_by("created_at", "id").values_list("commission_rate", flat=True)
    assert list(rates) == [Decimal("0.10"), Decimal("0.25")]


def test_who_buys_and_with_what_cannot_be_read_from_the_tables(shop: Shop) -> None:
    new = NewCheckoutFactory.create(buyer_info={"email": "amina@example.org"}, token="pm_secret_of_amina")
    create_checkout(shop=shop, new=new)
    with connection.cursor() as cursor:
        cursor.execute("SELECT e::text || a::text FROM payments_paymentevent e, payments_paymentattempt a")
        (row,) = cursor.fetchone()
    assert "amina" not in row
    assert PaymentEvent.objects.get().buyer_info == {"email": "amina@example.org"}
    assert PaymentAttempt.objects.get().token == "pm_secret_of_amina"
