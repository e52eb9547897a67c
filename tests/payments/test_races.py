"""Real connections racing each other: one checkout, one charge, one capture, whoever comes first."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from payments import errors, tasks
from payments.models import (
    AttemptLine,
    Fact,
    FactSource,
    IdempotencyKey,
    Operation,
    OperationTry,
    OutboxEvent,
    PaymentAttempt,
    PaymentEvent,
    PaymentOrder,
    Shop,
)
from payments.psp.base import Outcome
from payments.services import calls
from payments.services.another_attempt import request_attempt
from payments.services.captures import CaptureWish, request_capture
from payments.services.checkouts import create_checkout
from payments.services.idempotency import Answer
from payments.states import AttemptStatus, OrderStatus
from tests.factories import NewCheckoutFactory, NewOrderFactory, SellerFactory, order_for
from tests.payments.arranging import begin, books, bring_to, claim_of, eur, orders_of, start, tell
from tests.payments.racing import at_once, everything_holds
from tests.payments.webhook_arranging import deliver, event
from wallet.models import Lot

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

FIFTY = 50
Job = Callable[[], Any]


def answers(results: list[Any]) -> Counter[tuple[int, bool]]:
    """How often each status was answered, and whether it was a replay; anything else is a failure."""
    for result in results:
        assert isinstance(result, Answer), repr(result)
    return Counter((result.status_code, result.replayed) for result in results)


def one_of_everything() -> None:
    """One checkout with one order, one attempt, one call to a PSP and one piece of news."""
    for table in (PaymentEvent, PaymentOrder, PaymentAttempt, AttemptLine, OperationTry, OutboxEvent):
        assert table.objects.count() == 1, table
    everything_holds()


def test_fifty_posts_of_one_checkout_with_one_key_are_one_checkout(shop: Shop) -> None:
    new = NewCheckoutFactory.create()
    results = at_once([partial(create_checkout, shop=shop, new=new, idempotency_key="key-1")] * FIFTY)
    assert answers(results) == {(201, False): 1, (201, True): FIFTY - 1}
    assert IdempotencyKey.objects.count() == 1
    one_of_everything()


def test_fifty_posts_of_one_checkout_without_a_key_are_one_checkout(shop: Shop) -> None:
    new = NewCheckoutFactory.create()
    results = at_once([partial(create_checkout, shop=shop, new=new)] * FIFTY)
    assert answers(results) == {(201, False): 1, (200, False): FIFTY - 1}
    one_of_everything()


def test_posts_of_one_checkout_under_different_keys_are_one_checkout(shop: Shop) -> None:
    new = NewCheckoutFactory.create()
    jobs = [partial(create_checkout, shop=shop, new=new, idempotency_key=f"key-{n % 5}") for n in range(25)]
    told = answers(at_once(jobs))
    assert told[201, False] == 1 and told[201, True] + told[200, False] == 24
    assert IdempotencyKey.objects.count() == 1
    one_of_everything()


def test_of_different_checkouts_under_one_key_one_wins(shop: Shop) -> None:
    jobs = [
        partial(create_checkout, shop=shop, new=NewCheckoutFactory.create(), idempotency_key="key-1")
        for _ in range(10)
    ]
    results = at_once(jobs)
    assert sum(isinstance(result, errors.IdempotencyKeyReused) for result in results) == 9
    one_of_everything()


def test_checkouts_that_name_the_same_orders_crosswise_do_not_deadlock(shop: Shop) -> None:
    seller = SellerFactory.create()
    orders = [order_for(eur("1.00"), seller) for _ in range(6)]
    jobs: list[Job] = []
    for _ in range(10):
        random.shuffle(orders)
        jobs.append(partial(create_checkout, shop=shop, new=NewCheckoutFactory.create(orders=list(orders))))
    results = at_once(jobs)
    assert sum(isinstance(result, errors.OrderExists) for result in results) == 9, results
    assert (PaymentEvent.objects.count(), PaymentOrder.objects.count()) == (1, 6)
    everything_holds()


def test_fifty_tellers_of_one_success_through_three_sources_make_one_capture() -> None:
    attempt = bring_to("SENT", amounts=[eur("10.00"), eur("20.00")])
    jobs = [partial(tell, attempt, source=FactSource.values[n % 3], dedup_key="evt-1") for n in range(FIFTY)]
    facts = at_once(jobs)
    assert all(isinstance(fact, Fact) for fact in facts), facts
    assert Counter(Fact.objects.values_list("verdict", flat=True)) == {"applied": 1, "already_so": 2}
    assert Lot.objects.count() == 2
    assert books()["psp_receivable:sandbox:EUR"] == "30.00"
    everything_holds()


def test_news_that_contradict_each_other_at_once_leave_one_truth() -> None:
    for _ in range(5):
        attempt = bring_to("SENT")
        outcomes = [Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.PROCESSING, Outcome.REQUIRES_ACTION] * 3
        results = at_once([partial(tell, attempt, outcome) for outcome in outcomes])
        assert all(isinstance(fact, Fact) for fact in results), results
        attempt.refresh_from_db()
        # A decline that comes first is followed by a late success: the money is there, whoever came first.
        assert attempt.status == AttemptStatus.SUCCEEDED
    everything_holds()


def test_workers_never_claim_the_same_call_twice() -> None:
    for _ in range(40):
        start()

    def work() -> list[calls.Claim]:
        mine: list[calls.Claim] = []
        while claims := calls.claim_calls(limit=3):
            mine += claims
        return mine

    claimed = [claim for mine in at_once([work] * 6) if isinstance(mine, list) for claim in mine]
    assert len(claimed) == len({claim.try_id for claim in claimed}) == 40


def test_a_call_that_is_begun_while_its_webhook_comes_is_paid_once() -> None:
    for _ in range(10):
        attempt = start()
        begun = partial(calls.begin, claim_of(attempt))
        jobs: list[Job] = [begun, partial(tell, attempt), partial(tell, attempt)]
        at_once(jobs)
        tell(attempt, source=FactSource.ANSWER)
        assert orders_of(attempt)[0].status == OrderStatus.SUCCESS
    assert books()["psp_receivable:sandbox:EUR"] == "100.00"
    everything_holds()


def test_a_question_about_a_lost_answer_races_the_webhook() -> None:
    for _ in range(10):
        attempt = bring_to("UNKNOWN")
        OperationTry.objects.filter(attempt=attempt).update(next_try_at=attempt.created_at)
        call = begin(attempt)
        assert call.is_query
        asked = partial(calls.after_query, call.claim, found=False)
        jobs: list[Job] = [asked, partial(tell, attempt)]
        at_once(jobs)
        assert orders_of(attempt)[0].status == OrderStatus.SUCCESS
        assert not PaymentAttempt.objects.exclude(status=AttemptStatus.SUCCEEDED).exists()
    held = books()
    assert held["psp_receivable:sandbox:EUR"] == "100.00"
    assert not {"in_doubt:EUR", "in_doubt_contra:EUR"} & held.keys()
    everything_holds()


def test_one_webhook_delivered_by_many_connections_and_handled_by_many_workers_counts_once() -> None:
    attempt = bring_to("SENT")
    body = event(attempt, "succeeded", "evt_1")
    assert at_once([partial(deliver, body)] * 20) == [204] * 20
    at_once([tasks.handle_webhooks] * 4)
    assert Fact.objects.count() == 1
    assert books()["psp_receivable:sandbox:EUR"] == "10.00"
    everything_holds()


def test_two_tabs_that_pay_at_once_make_one_live_attempt(shop: Shop) -> None:
    new = NewCheckoutFactory.create(method="", token="", orders=[NewOrderFactory.create()])
    create_checkout(shop=shop, new=new)
    jobs = [
        partial(
            request_attempt,
            shop=shop,
            checkout_id=new.checkout_id,
            method="card",
            token=f"tok_{n}",
            idempotency_key=f"key-{n}",
        )
        for n in range(10)
    ]
    at_once(jobs)
    assert AttemptLine.objects.filter(live=True).count() <= 1
    everything_holds()


def test_a_capture_that_is_wished_ten_times_is_asked_for_once() -> None:
    attempt = bring_to("AUTHORIZED")
    wish = [CaptureWish(orders_of(attempt)[0].payment_order_id)]
    results = at_once([partial(request_capture, shop=attempt.event.shop, wishes=wish)] * 10)
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(result, errors.CallInProgress) for result in refused), refused
    assert OperationTry.objects.filter(operation=Operation.CAPTURE).count() == 1
    everything_holds()
