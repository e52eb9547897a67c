"""A shop that cancels gets what it was promised: canceled, or told that it is not."""

import pytest

from payments import errors
from payments.models import OperationTry, PaymentAttempt, PaymentEvent, PaymentOrder, Shop
from payments.psp.base import Outcome
from payments.services.another_attempt import request_attempt
from payments.services.cancellations import cancel_checkout, cancel_order
from payments.services.checkouts import create_checkout
from payments.services.expiry import expire_checkout
from payments.states import OrderStatus, PendingReason
from tests.factories import NewCheckoutFactory
from tests.payments.arranging import begin, eur, orders_of, tell

pytestmark = pytest.mark.django_db

NOTHING = eur("0.00")


def being_paid(shop: Shop) -> PaymentAttempt:
    """A checkout whose buyer chose a card and is being asked something by its bank."""
    new = NewCheckoutFactory.create(method="", token="")
    create_checkout(shop=shop, new=new)
    pay(shop, new.checkout_id)
    attempt = PaymentAttempt.objects.select_related("event").get(event__checkout_id=new.checkout_id)
    begin(attempt)
    tell(attempt, Outcome.REQUIRES_ACTION, captured=NOTHING)
    return attempt


def pay(shop: Shop, checkout_id: str, key: str = "key-1") -> None:
    """The buyer chooses a card."""
    request_attempt(shop=shop, checkout_id=checkout_id, method="card", token="tok_visa", idempotency_key=key)


def the_order(attempt: PaymentAttempt) -> PaymentOrder:
    """The one order of the attempt, as it is now."""
    (order,) = orders_of(attempt)
    return order


@pytest.mark.parametrize("outcome", [Outcome.CANCELED, Outcome.DECLINED, Outcome.EXPIRED])
def test_an_order_that_the_shop_canceled_is_not_given_back_to_its_buyer(shop: Shop, outcome: Outcome) -> None:
    attempt = being_paid(shop)
    cancel_order(shop=shop, payment_order_id=the_order(attempt).payment_order_id)
    begin(attempt)
    tell(attempt, outcome, captured=NOTHING)
    order = the_order(attempt)
    assert order.status == OrderStatus.FAILED
    if outcome == Outcome.CANCELED:
        assert order.failure_code == "canceled"
    with pytest.raises(errors.CheckoutClosed):
        pay(shop, attempt.event.checkout_id, key="key-2")


def test_an_attempt_that_the_buyer_left_gives_the_order_back(shop: Shop) -> None:
    attempt = being_paid(shop)
    with pytest.raises(errors.AttemptOpen):
        pay(shop, attempt.event.checkout_id, key="key-2")
    begin(attempt)
    tell(attempt, Outcome.CANCELED, captured=NOTHING)
    order = the_order(attempt)
    assert (order.status, order.pending_reason) == (OrderStatus.EXECUTING, PendingReason.AWAITING_BUYER)
    assert order.last_failure_code == "replaced"


def test_a_shop_that_cancels_while_the_buyer_changes_the_method_is_not_ignored(shop: Shop) -> None:
    attempt = being_paid(shop)
    with pytest.raises(errors.AttemptOpen):
        pay(shop, attempt.event.checkout_id, key="key-2")
    name = the_order(attempt).payment_order_id
    with pytest.raises(errors.CallInProgress):
        cancel_order(shop=shop, payment_order_id=name)
    begin(attempt)
    tell(attempt, Outcome.CANCELED, captured=NOTHING)
    cancel_order(shop=shop, payment_order_id=name)
    order = the_order(attempt)
    assert (order.status, order.failure_code) == (OrderStatus.FAILED, "canceled")


def test_canceling_twice_asks_the_psp_once(shop: Shop) -> None:
    attempt = being_paid(shop)
    for _ in range(2):
        cancel_order(shop=shop, payment_order_id=the_order(attempt).payment_order_id)
        cancel_checkout(shop=shop, checkout_id=attempt.event.checkout_id)
    assert OperationTry.objects.filter(operation="cancel").count() == 1


def test_an_order_that_expires_while_the_buyer_changes_the_method_says_so(shop: Shop) -> None:
    attempt = being_paid(shop)
    with pytest.raises(errors.AttemptOpen):
        pay(shop, attempt.event.checkout_id, key="key-2")
    PaymentEvent.objects.update(expiry_due_at=attempt.created_at)
    expire_checkout(attempt.event_id)
    begin(attempt)
    tell(attempt, Outcome.CANCELED, captured=NOTHING)
    order = the_order(attempt)
    assert (order.status, order.failure_code) == (OrderStatus.FAILED, "expired")
