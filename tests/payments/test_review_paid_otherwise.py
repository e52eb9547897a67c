"""A late success pays an order while another attempt for it is under way: that one is called off."""

from collections.abc import Iterator

import pytest
from time_machine import Traveller

from payments.models import (
    Discrepancy,
    DiscrepancyKind,
    Operation,
    OperationTry,
    PaymentAttempt,
    RiskAction,
    RiskCheck,
    RiskKind,
    Shop,
)
from payments.psp.base import Outcome
from payments.services import calls
from payments.services.another_attempt import request_attempt
from payments.services.cancellations import cancel_order
from payments.services.captures import CaptureWish, request_capture
from payments.services.checkouts import create_checkout
from payments.states import AttemptStatus, OrderStatus, TryStatus
from paymentsite.invariants import questions
from tests.factories import NewCheckoutFactory, ShopFactory
from tests.payments.arranging import begin, bring_to, claim_of, eur, orders_of, tell
from tests.payments.risk_arranging import only_rule

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def invariants(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever happened, the books and rows must be in order."""
    if "hands" in request.fixturenames:
        request.getfixturevalue("hands")  # Its time counts here as well.
    yield
    assert list(questions()) == []


def another(shop: Shop, checkout_id: str, token: str) -> PaymentAttempt:
    """The buyer tries this token."""
    before = list(PaymentAttempt.objects.values_list("id", flat=True))
    request_attempt(
        shop=shop, checkout_id=checkout_id, method="card", token=token, idempotency_key=f"key-{token}"
    )
    return PaymentAttempt.objects.select_related("event__shop").exclude(id__in=before).get()


def declined_and_second(shop: Shop | None = None, **changes: object) -> tuple[PaymentAttempt, PaymentAttempt]:
    """A first attempt that was declined, and a second one that no worker has begun."""
    shop = shop or ShopFactory.create()
    new = NewCheckoutFactory.create(method="", token="", **changes)
    create_checkout(shop=shop, new=new)
    first = another(shop, new.checkout_id, "tok_first")
    begin(first)
    tell(first, Outcome.DECLINED, decline_code="do_not_honor", captured=eur("0.00"))
    return first, another(shop, new.checkout_id, "tok_second")


def test_a_charge_that_nobody_needs_any_more_is_not_sent() -> None:
    first, second = declined_and_second()
    claim = claim_of(second)
    tell(first)
    assert orders_of(first)[0].status == OrderStatus.SUCCESS
    assert calls.begin(claim) is None
    second.refresh_from_db()
    assert second.status == AttemptStatus.CANCELED
    assert OperationTry.objects.get(attempt=second).status == TryStatus.ANSWERED


def test_a_charge_that_did_not_reach_the_psp_is_not_sent_again(hands: Traveller) -> None:
    first, second = declined_and_second()
    call = begin(second)
    calls.record_not_reached(
        call.claim, error_class="not_reached", detail="refused", retry_after_seconds=None
    )
    tell(first)
    hands.shift(5)
    assert calls.begin(claim_of(second)) is None
    second.refresh_from_db()
    assert second.status == AttemptStatus.CANCELED


def test_a_charge_in_doubt_is_asked_about_and_not_sent_again(hands: Traveller) -> None:
    first, second = declined_and_second()
    calls.record_doubt(begin(second).claim, error_class="uncertain", detail="time-out")
    tell(first)
    hands.shift(10)
    call = begin(second)
    assert call.is_query
    assert calls.after_query(call.claim, found=False) is None
    row = OperationTry.objects.get(attempt=second)
    assert (row.status, row.sends) == (TryStatus.UNKNOWN, 1)
    assert row.next_try_at is not None


def test_a_buyer_who_is_still_being_asked_is_asked_no_more(hands: Traveller) -> None:
    first, second = declined_and_second()
    begin(second)
    tell(second, Outcome.REQUIRES_ACTION, captured=eur("0.00"))
    tell(first)
    assert calls.begin(claim_of(second)) is None, "due at once, to be called off"
    assert begin(second).operation == Operation.CANCEL
    tell(second, Outcome.CANCELED, captured=eur("0.00"))
    assert orders_of(first)[0].status == OrderStatus.SUCCESS


def test_money_that_is_only_reserved_is_not_captured_but_let_go(hands: Traveller) -> None:
    first, second = declined_and_second(manual_capture=True)
    begin(second)
    tell(second, Outcome.AUTHORIZED, captured=eur("0.00"))
    (order,) = orders_of(second)
    request_capture(shop=second.event.shop, wishes=[CaptureWish(order.payment_order_id)])
    tell(first)
    assert calls.begin(claim_of(second)) is None
    second.refresh_from_db()
    assert second.status == AttemptStatus.AUTHORIZED
    assert begin(second).operation == Operation.CANCEL


def test_a_payment_object_that_was_made_is_not_confirmed() -> None:
    first, second = declined_and_second()
    begin(second)
    tell(second, Outcome.REQUIRES_CONFIRMATION, captured=eur("0.00"))
    tell(first)
    assert calls.begin(claim_of(second)) is None
    assert begin(second).operation == Operation.CANCEL


@pytest.mark.parametrize("action", [RiskAction.REVIEW, RiskAction.ASK])
def test_nobody_has_to_judge_a_way_to_pay_that_is_not_needed_any_more(action: str) -> None:
    shop, new = ShopFactory.create(), NewCheckoutFactory.create(method="", token="")
    create_checkout(shop=shop, new=new)
    first = another(shop, new.checkout_id, "tok_first")
    begin(first)
    tell(first, Outcome.DECLINED, captured=eur("0.00"))
    only_rule(RiskKind.AMOUNT_ABOVE, action, parameters={"limit": "1.00"}, currency="EUR")
    request_attempt(
        shop=shop, checkout_id=new.checkout_id, method="card", token="tok_second", idempotency_key="key-2"
    )
    assert RiskCheck.objects.filter(ended_at__isnull=True).exists()
    tell(first)
    assert not RiskCheck.objects.filter(ended_at__isnull=True).exists()


@pytest.mark.parametrize("policy", ["refund", "keep"])
def test_a_person_is_told_when_the_second_took_the_money_nevertheless(policy: str) -> None:
    first, second = declined_and_second(ShopFactory.create(late_success=policy))
    begin(second)
    tell(first)
    Discrepancy.objects.get(attempt=first, kind=DiscrepancyKind.LATE_SUCCESS)
    tell(second)
    Discrepancy.objects.get(attempt=second, kind=DiscrepancyKind.LATE_SUCCESS)
    assert orders_of(first)[0].captured == eur("10.00")


def test_a_person_is_told_when_more_was_captured_than_anybody_asked_for() -> None:
    attempt = bring_to("AUTHORIZED", amounts=[eur("10.00"), eur("5.00")])
    kept, canceled = orders_of(attempt)
    cancel_order(shop=attempt.event.shop, payment_order_id=canceled.payment_order_id)
    tell(attempt, captured=eur("15.00"))
    assert [order.status for order in orders_of(attempt)] == [OrderStatus.SUCCESS, OrderStatus.FAILED]
    assert Discrepancy.objects.get().kind == DiscrepancyKind.LATE_SUCCESS
    assert kept.payment_order_id not in Discrepancy.objects.get().detail
