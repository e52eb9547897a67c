"""Payments and people at the same moment: no limit is passed by being quick, and nobody decides twice."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from payments import errors
from payments.models import PaymentAttempt, RiskAction, RiskDecision, RiskKind, Shop
from payments.risk.provider import RiskAnswer
from payments.services import risk_checks
from payments.services.checkouts import NewCheckout, create_checkout
from payments.services.invariants import violations
from payments.services.risk_reviews import decide_review
from tests.factories import NewCheckoutFactory, SellerFactory, order_for
from tests.payments.arranging import eur
from tests.payments.risk_arranging import (
    AMINA,
    HOUR,
    another_rule,
    check_of,
    claim_of,
    only_rule,
    pay,
    states,
)

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

AT_ONCE = 10
"""Connections of one process; the pool has no more."""
POSTS = 50
LIMIT = 20


@pytest.fixture(autouse=True)
def everything_holds() -> Iterator[None]:
    yield
    assert [violation.message for violation in violations()] == []


def all_at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call returned or raised; the first ten start together, the others follow as fast as they can."""
    ready = Barrier(min(AT_ONCE, len(calls)))

    def run(numbered: tuple[int, Callable[[], Any]]) -> Any:
        number, call = numbered
        try:
            if number < ready.parties:
                ready.wait(timeout=20)
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(ready.parties) as pool:
        return list(pool.map(run, enumerate(calls)))


def posts(shop: Shop, number: int, **buyer: Any) -> list[Callable[[], Any]]:
    """So many different checkouts of one buyer, ready to be posted."""
    seller = SellerFactory.create()
    bodies = [
        NewCheckoutFactory.create(buyer_info={**AMINA, **buyer}, orders=[order_for(eur("10.00"), seller)])
        for _ in range(number)
    ]
    return [partial(_post, shop, new) for new in bodies]


def _post(shop: Shop, new: NewCheckout) -> int:
    return create_checkout(shop=shop, new=new).status_code


def test_fifty_payments_at_once_are_counted_to_the_last(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="buyer", parameters={"limit": LIMIT}, window=HOUR)
    assert all_at_once(posts(shop, POSTS)) == [201] * POSTS
    outcomes = list(RiskDecision.objects.values_list("outcome", flat=True))
    assert (outcomes.count("accept"), outcomes.count("review")) == (LIMIT, POSTS - LIMIT)
    assert PaymentAttempt.objects.count() == LIMIT


def test_amounts_at_once_are_summed_to_the_last(shop: Shop) -> None:
    only_rule(
        RiskKind.VELOCITY_AMOUNT,
        RiskAction.REFUSE,
        subject="ip",
        parameters={"limit": "200.00"},
        window=HOUR,
        currency="EUR",
    )
    assert all_at_once(posts(shop, POSTS)) == [201] * POSTS
    assert PaymentAttempt.objects.count() == LIMIT


def test_payments_that_share_subjects_crosswise_do_not_deadlock(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="buyer", parameters={"limit": 1000}, window=HOUR)
    another_rule(RiskKind.VELOCITY_COUNT, subject="ip", parameters={"limit": 1000}, window=HOUR)
    another_rule(RiskKind.VELOCITY_COUNT, subject="email_domain", parameters={"limit": 1000}, window=HOUR)
    crosswise = [
        post
        for number in range(20)
        for post in posts(shop, 1, buyer_id=f"b-{number % 3}", ip_address=f"192.0.2.{number % 2}")
    ]
    assert all_at_once(crosswise) == [201] * len(crosswise)


def test_of_two_people_who_decide_at_once_one_decides(shop: Shop) -> None:
    only_rule(RiskKind.AMOUNT_ABOVE, parameters={"limit": "1.00"}, currency="EUR")
    for _ in range(5):
        event = pay(shop)
        check_id = check_of(event).id

        def decide(accept: bool, check_id: Any = check_id) -> str:
            decision = decide_review(
                check_id=check_id, accept=accept, reason="looked at it", staff=f"staff-{accept}"
            )
            return decision.outcome

        results = all_at_once([lambda: decide(True), lambda: decide(False), lambda: decide(True)])
        assert sum(isinstance(result, errors.ReviewClosed) for result in results) == 2
        assert RiskDecision.objects.filter(event=event, stage="staff").count() == 1
        accepted = RiskAction.ACCEPT in results
        assert PaymentAttempt.objects.filter(event=event).count() == accepted
        assert states(event) == {("NOT_STARTED", "", "") if accepted else ("FAILED", "", "risk_refused")}


def test_of_two_answers_at_once_one_decides(shop: Shop) -> None:
    only_rule(RiskKind.OUTSIDE_SCORE, RiskAction.ASK)
    another_rule(RiskKind.OUTSIDE_SCORE, RiskAction.REFUSE, parameters={"limit": 50})
    for _ in range(5):
        event = pay(shop)
        claim = claim_of(event)
        calls = [partial(risk_checks.record_answer, claim, RiskAnswer(score=score)) for score in (5, 95, 5)]
        assert all_at_once(calls) == [None, None, None]
        assert RiskDecision.objects.filter(event=event, stage="provider").count() == 1


def test_workers_share_the_questions(shop: Shop) -> None:
    only_rule(RiskKind.OUTSIDE_SCORE, RiskAction.ASK)
    for _ in range(12):
        pay(shop)
    claimed = all_at_once([lambda: risk_checks.claim_checks(limit=3)] * 6)
    ids = [claim.check_id for claims in claimed for claim in claims]
    assert len(ids) == len(set(ids)) == 12
