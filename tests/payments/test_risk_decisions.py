"""What a decision does: to the orders, to attempts, to what is kept; and that nothing goes round it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from ledger import clock
from payments import errors
from payments.bell import PSP_CALLS, RISK_CHECKS
from payments.models import (
    OutboxEvent,
    PaymentAttempt,
    PaymentEvent,
    RiskAction,
    RiskCheck,
    RiskDecision,
    RiskKind,
    RiskRule,
    RiskWait,
    Shop,
    StateHistory,
)
from payments.services.another_attempt import request_attempt
from payments.services.cancellations import cancel_checkout, cancel_order
from payments.services.checkouts import create_checkout
from payments.services.expiry import expire_checkout
from payments.services.invariants import violations
from payments.services.risk_reviews import decide_review
from payments.states import AttemptStatus
from tests.factories import NewCheckoutFactory, order_for
from tests.payments.arranging import begin, eur
from tests.payments.calling import Caller
from tests.payments.risk_arranging import AMINA, attempts, check_of, only_rule, pay, states

pytestmark = pytest.mark.django_db

REVIEWED = {("NOT_STARTED", "risk_review", "")}
REFUSED = {("FAILED", "", "risk_refused")}


def stop(action: str = RiskAction.REVIEW) -> None:
    """From now on every payment is held or refused."""
    only_rule(RiskKind.AMOUNT_ABOVE, action, parameters={"limit": "1.00"}, currency="EUR")


def decide(event: PaymentEvent, *, accept: bool, reason: str = "called the buyer") -> RiskDecision:
    return decide_review(check_id=check_of(event).id, accept=accept, reason=reason, staff="anna")


def nothing_is_wrong() -> None:
    assert [violation.message for violation in violations()] == []


# Accepted and refused by the rules.


def test_an_accepted_payment_keeps_its_decision(shop: Shop) -> None:
    event = pay(shop)
    decision = event.risk_decisions.get()
    assert (decision.outcome, decision.reasons, decision.decided_by) == ("accept", [], "rules")
    assert attempts(event) == 1
    assert not RiskCheck.objects.exists()
    nothing_is_wrong()


def test_the_check_costs_two_queries(shop: Shop) -> None:
    RiskRule.objects.update(enabled=True)
    RiskRule.objects.filter(name="ask-about-every-payment").update(enabled=False)
    pay(shop)
    new = NewCheckoutFactory.create(buyer_info={**AMINA, "buyer_id": "other"})
    with CaptureQueriesContext(
        connection,
    ) as captured:
        create_checkout(shop=shop, new=new)
    about_risk = [query["sql"] for query in captured if "payments_risk" in query["sql"]]
    assert len(about_risk) == 2, about_risk


def test_a_refused_payment_fails_at_once_and_has_no_attempt(caller: Caller, shop: Shop) -> None:
    stop(RiskAction.REFUSE)
    order = order_for(eur("10.00"))
    body = {
        "checkout_id": "cart-refused",
        "buyer_info": dict(AMINA),
        "payment_method": {"type": "card", "token": "tok_visa"},
        "payment_orders": [
            {
                "payment_order_id": order.payment_order_id,
                "seller_account": order.seller_account,
                "amount": "10.00",
                "currency": "EUR",
            }
        ],
    }
    answer = caller.post("/v1/payments", body, key="key-1")
    assert answer.status == 201
    assert answer.body["checkout_status"] == "failed"
    (told,) = answer.body["payment_orders"]
    assert (told["payment_order_status"], told["failure_code"], told["pending_reason"]) == (
        "FAILED",
        "risk_refused",
        None,
    )
    assert not PaymentAttempt.objects.exists()
    assert caller.post("/v1/payments", body, key="key-1").body == answer.body
    assert RiskDecision.objects.count() == 1
    assert [news.event_type for news in OutboxEvent.objects.order_by("id")] == [
        "checkout.created",
        "payment_order.failed",
    ]
    step = StateHistory.objects.get(object_type="paymentorder")
    assert (step.from_state, step.to_state, step.actor) == ("NOT_STARTED", "FAILED", "risk")
    nothing_is_wrong()


def test_a_refused_payment_rings_for_nobody(
    shop: Shop, rings: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    stop(RiskAction.REFUSE)
    with django_capture_on_commit_callbacks(execute=True):
        pay(shop)
    assert PSP_CALLS not in rings
    assert RISK_CHECKS not in rings


# The review queue.


def test_a_payment_under_review_waits_without_an_attempt(shop: Shop) -> None:
    stop()
    event = pay(shop, eur("20.00"), eur("30.00"), token="tok_secret")
    assert states(event) == REVIEWED
    assert attempts(event) == 0
    check = check_of(event)
    assert (check.waits_for, check.token, check.method) == (RiskWait.STAFF, "tok_secret", "card")
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM payments_riskcheck")
        assert "tok_secret" not in str(cursor.fetchall())
    nothing_is_wrong()


def test_staff_let_it_through_and_it_is_charged(
    shop: Shop, rings: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    stop()
    event = pay(shop, eur("20.00"), eur("30.00"))
    with django_capture_on_commit_callbacks(execute=True):
        decision = decide(event, accept=True, reason="  known\n customer ")
    assert (decision.decided_by, decision.reasons) == (
        "staff:anna",
        [{"rule": "", "text": "known customer"}],
    )
    attempt = PaymentAttempt.objects.get(event=event)
    assert (attempt.status, attempt.amount, attempt.token) == (
        AttemptStatus.CREATED,
        eur("50.00"),
        "tok_visa",
    )
    assert states(event) == {("NOT_STARTED", "", "")}
    assert PSP_CALLS in rings
    check = check_of(event)
    assert (check.waits_for, check.token) == (RiskWait.NOBODY, None)
    begin(attempt)
    assert states(event) == {("EXECUTING", "submitted", "")}
    nothing_is_wrong()


def test_staff_refuse_it_and_it_fails(shop: Shop) -> None:
    stop()
    event = pay(shop)
    decide(event, accept=False)
    assert states(event) == REFUSED
    assert attempts(event) == 0
    assert check_of(event).token is None
    assert OutboxEvent.objects.latest("id").event_type == "payment_order.failed"
    assert StateHistory.objects.get().actor == "staff:anna"
    nothing_is_wrong()


def test_a_clock_that_steps_back_keeps_nobody_from_deciding(shop: Shop) -> None:
    stop()
    event = pay(shop)
    with time_machine.travel(clock.now() - timedelta(minutes=1), tick=False):
        decide(event, accept=True)
    assert attempts(event) == 1
    nothing_is_wrong()


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_second_person_to_decide_is_told_that_it_is_decided(
    shop: Shop, first: bool, second: bool
) -> None:
    stop()
    event = pay(shop)
    decide(event, accept=first)
    before = states(event), attempts(event), RiskDecision.objects.count()
    with pytest.raises(errors.ReviewClosed):
        decide(event, accept=second)
    assert (states(event), attempts(event), RiskDecision.objects.count()) == before


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_nobody_decides_without_a_reason(shop: Shop, reason: str) -> None:
    stop()
    event = pay(shop)
    with pytest.raises(errors.ReasonMissing):
        decide(event, accept=True, reason=reason)
    assert states(event) == REVIEWED


def test_nobody_decides_what_is_not_there() -> None:
    with pytest.raises(errors.ReviewClosed):
        decide_review(check_id=RiskCheck().id, accept=True, reason="a typo in the address", staff="anna")


def test_an_accepted_payment_keeps_its_charge_mode(shop: Shop) -> None:
    stop()
    event = pay(shop, eur("20.00"), eur("30.00"), charge="per_order", token="pm_visa")
    decide(event, accept=True)
    assert attempts(event) == 2


# Time and the shop may end it first.


def test_a_review_that_nobody_worked_on_expires(shop: Shop) -> None:
    stop()
    event = pay(shop)
    with time_machine.travel(clock.now() + settings.CHECKOUT_LIFE, tick=False):
        with pytest.raises(errors.CheckoutClosed):
            decide(event, accept=True)
        expire_checkout(event.id)
        assert states(event) == {("FAILED", "", "expired")}
        assert check_of(event).waits_for == RiskWait.NOBODY
        with pytest.raises(errors.ReviewClosed):
            decide(event, accept=True)
        nothing_is_wrong()


def test_a_canceled_checkout_leaves_the_queue(shop: Shop) -> None:
    stop()
    event = pay(shop, eur("20.00"), eur("30.00"))
    cancel_checkout(shop=shop, checkout_id=event.checkout_id)
    assert states(event) == {("FAILED", "", "canceled")}
    assert check_of(event).token is None
    nothing_is_wrong()


def test_a_canceled_order_leaves_the_others_under_review(shop: Shop) -> None:
    stop()
    event = pay(shop, eur("20.00"), eur("30.00"))
    first = event.orders.get(position=0)
    cancel_order(shop=shop, payment_order_id=first.payment_order_id)
    assert check_of(event).waits_for == RiskWait.STAFF
    decide(event, accept=True)
    assert PaymentAttempt.objects.get(event=event).amount == eur("30.00")
    nothing_is_wrong()


# A buyer who chooses.


def chosen(shop: Shop, event: PaymentEvent, key: str = "k-1") -> Any:
    return request_attempt(
        shop=shop, checkout_id=event.checkout_id, method="card", token="tok_visa", idempotency_key=key
    )


def test_each_way_to_pay_is_judged_when_the_buyer_chooses_it(shop: Shop) -> None:
    stop()
    event = pay(shop, method="", token="")
    assert not RiskDecision.objects.exists()
    answer = chosen(shop, event)
    assert answer.body["payment_orders"][0]["pending_reason"] == "risk_review"
    assert attempts(event) == 0
    with pytest.raises(errors.RiskCheckOpen):
        chosen(shop, event, "k-2")
    decide(event, accept=True)
    assert attempts(event) == 1
    nothing_is_wrong()


def test_a_chosen_way_to_pay_that_is_refused_fails_the_checkout(shop: Shop) -> None:
    event = pay(shop, method="", token="")
    stop(RiskAction.REFUSE)
    answer = chosen(shop, event)
    assert answer.body["checkout_status"] == "failed"
    assert states(event) == REFUSED
    nothing_is_wrong()


# The database has the last word.


@pytest.mark.parametrize("action", [RiskAction.REVIEW, RiskAction.REFUSE, RiskAction.ASK])
def test_the_database_makes_no_attempt_without_acceptance(shop: Shop, action: str) -> None:
    stop(action)
    event = pay(shop)
    order = event.orders.get()
    attempt = PaymentAttempt(
        event=event,
        psp_account="sandbox",
        method="card",
        amount=order.amount,
        captured=eur("0.00"),
    )
    with pytest.raises(IntegrityError, match="no accepting risk decision"), transaction.atomic():
        attempt.save()


def test_a_refusal_is_for_good(shop: Shop) -> None:
    event = pay(shop)
    earlier = clock.now() - timedelta(days=1)
    RiskDecision.objects.create(event=event, stage="rules", outcome="refuse", decided_by="rules", at=earlier)
    with pytest.raises(IntegrityError), transaction.atomic():
        PaymentAttempt(event=event, psp_account="sandbox", method="card", amount=eur("1.00")).save()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments_riskdecision SET outcome = 'accept'",
        "UPDATE payments_riskdecision SET reasons = '[]'",
        "DELETE FROM payments_riskdecision",
        "TRUNCATE payments_riskdecision",
        "DELETE FROM payments_riskcheck",
        "UPDATE payments_riskcheck SET waits_for = 'nobody'",
        "UPDATE payments_riskcheck SET token = NULL",
        "UPDATE payments_riskcheck SET next_try_at = now()",
        "UPDATE payments_riskcheck SET method = 'bank'",
        "INSERT INTO payments_riskcheck (id, event_id, method, token, waits_for, tries, last_error, created_at)"
        " SELECT gen_random_uuid(), event_id, method, token, 'staff', 0, '', now() FROM payments_riskcheck",
    ],
)
def test_the_database_refuses(shop: Shop, statement: str) -> None:
    stop()
    pay(shop)
    connection.check_constraints()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_ended_check_stays_ended(shop: Shop) -> None:
    stop()
    event = pay(shop)
    decide(event, accept=False)
    for changes in ({"waits_for": "staff", "ended_at": None, "token": "x"}, {"last_error": "x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RiskCheck.objects.update(**changes)


def test_one_stage_decides_once(shop: Shop) -> None:
    stop()
    event = pay(shop)
    decide(event, accept=False)
    second = {"event": event, "risk_check": check_of(event), "decided_by": "staff:boris"}
    for changes in ({"stage": "staff", "outcome": "accept"}, {"stage": "staff", "outcome": "review"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RiskDecision.objects.create(**second, **changes)


# The invariants see what is wrong.


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "UPDATE payments_riskdecision SET outcome = 'refuse'",
            "no attempt was made without a risk decision",
        ),
        (
            "UPDATE payments_paymentorder SET pending_reason = 'risk_review'",
            "an order that waits for a risk judgement has a check",
        ),
    ],
)
def test_the_invariants_name_a_payment_that_went_round(shop: Shop, damage: str, message: str) -> None:
    pay(shop)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(damage)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    assert any(violation.message.startswith(message) for violation in violations())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE payments_paymentorder SET pending_reason = ''",
        "DELETE FROM payments_riskdecision",
        "UPDATE payments_riskcheck SET waits_for = 'provider', next_try_at = now() - interval '1 day'",
        "DELETE FROM payments_riskcheck",
    ],
)
def test_the_invariants_name_a_review_that_nobody_would_find(shop: Shop, damage: str) -> None:
    stop()
    pay(shop)
    nothing_is_wrong()
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(damage)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    assert any(violation.invariant == 9 for violation in violations())
