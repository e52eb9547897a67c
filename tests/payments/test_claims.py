"""The right to start a call: given once, for a while, and never to a row that keeps killing its workers."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from time_machine import Traveller

from ledger import clock
from payments import retries
from payments.models import FactSource, OperationTry, OutboxEvent, PaymentAttempt, StateHistory
from payments.psp.base import ChargeRequest, Outcome
from payments.services import calls
from payments.states import AttemptStatus, OrderStatus, PendingReason, TryStatus
from tests.payments.arranging import begin, bring_to, claim_of, eur, look, orders_of, start, tell

pytestmark = pytest.mark.django_db

INSTANT = timedelta(microseconds=1)


def the_try() -> OperationTry:
    """The only call there is."""
    return OperationTry.objects.get()


def test_a_claim_is_written_down_before_anybody_is_called(hands: Traveller) -> None:
    start()
    (claim,) = calls.claim_calls(limit=10)
    row = the_try()
    assert (row.id, row.claim_token, row.tries) == (claim.try_id, claim.token, 1)
    assert row.next_try_at == clock.now() + retries.LEASE
    assert row.status == TryStatus.CREATED


def test_what_is_not_due_yet_is_not_claimed(hands: Traveller) -> None:
    start()
    OperationTry.objects.update(next_try_at=clock.now() + INSTANT)
    assert calls.claim_calls(limit=10) == []
    hands.shift(INSTANT)
    assert len(calls.claim_calls(limit=10)) == 1


def test_the_oldest_are_claimed_first(hands: Traveller) -> None:
    tries = []
    for _ in range(3):
        tries.append(OperationTry.objects.get(attempt=start()).id)
        hands.shift(timedelta(seconds=1))
    assert {claim.try_id for claim in calls.claim_calls(limit=2)} == set(tries[:2])
    assert {claim.try_id for claim in calls.claim_calls(limit=2)} == set(tries[2:])
    assert calls.claim_calls(limit=2) == []


def test_no_more_are_claimed_than_asked_for_whatever_plan_the_database_makes() -> None:
    """A limit in a subquery of IN counts anew each time a nested loop asks it."""
    for _ in range(5):
        start()
    with connection.cursor() as cursor:
        for way in ("hashagg", "hashjoin", "mergejoin", "material", "sort", "memoize"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    assert len(calls.claim_calls(limit=2)) == 2


def test_a_lease_that_ran_out_can_be_claimed_by_another(hands: Traveller) -> None:
    start()
    (first,) = calls.claim_calls(limit=1)
    hands.shift(retries.LEASE - INSTANT)
    assert calls.claim_calls(limit=1) == []
    hands.shift(INSTANT)
    (second,) = calls.claim_calls(limit=1)
    assert (second.try_id, second.token == first.token) == (first.try_id, False)


def test_a_worker_that_slept_too_long_may_not_begin(hands: Traveller) -> None:
    attempt = start()
    stale = claim_of(attempt)
    hands.shift(retries.LEASE)
    fresh = claim_of(attempt)
    before = look()
    assert calls.begin(stale) is None
    assert (look(), the_try().status) == (before, TryStatus.CREATED)
    call = calls.begin(fresh)
    assert call is not None and not call.is_query


def test_a_token_that_was_never_given_may_not_begin() -> None:
    start()
    assert calls.begin(calls.Claim(try_id=the_try().id, token=uuid4())) is None


def test_a_call_whose_answer_came_meanwhile_is_not_begun() -> None:
    attempt = start()
    call = begin(attempt)
    tell(attempt, Outcome.DECLINED, decline_code="do_not_honor")
    assert calls.begin(call.claim) is None


def test_beginning_commits_that_the_psp_may_have_heard(hands: Traveller) -> None:
    attempt = start(amounts=[eur("40.00"), eur("2.50")])
    news = OutboxEvent.objects.count()
    call = begin(attempt)
    row, orders = the_try(), orders_of(attempt)
    assert (row.status, row.sends, row.first_sent_at) == (TryStatus.SENT, 1, clock.now())
    assert {(order.status, order.pending_reason) for order in orders} == {
        (OrderStatus.EXECUTING, PendingReason.SUBMITTED)
    }
    assert PaymentAttempt.objects.get().status == AttemptStatus.SENT
    assert StateHistory.objects.filter(object_id=attempt.id, actor="worker", to_state="SENT").count() == 1
    assert OutboxEvent.objects.count() == news
    assert call.request == ChargeRequest(
        key=row.id,
        attempt_id=attempt.id,
        amount=eur("42.50"),
        method="card",
        token="tok_visa",
        description=f"Checkout {attempt.event.checkout_id}",
    )


def test_reserving_asks_for_no_capture_and_carries_the_return_address() -> None:
    attempt = start(manual_capture=True, return_url="https://shop.example.org/thanks")
    request = begin(attempt).request
    assert isinstance(request, ChargeRequest)
    assert (request.capture, request.return_url) == (False, "https://shop.example.org/thanks")


@pytest.mark.parametrize("state", ["CREATED", "SENT", "UNKNOWN"])
def test_a_row_that_was_claimed_too_often_is_a_dead_letter_and_no_state_changes(
    hands: Traveller, state: str
) -> None:
    attempt = bring_to(state)
    OperationTry.objects.update(tries=retries.MOST_CLAIMS, next_try_at=clock.now())
    before, was = look(), the_try()
    assert calls.claim_calls(limit=1) == []
    row = the_try()
    assert (row.dead_at, row.next_try_at, row.claim_token) == (clock.now(), None, None)
    assert (row.status, look()) == (was.status, before)
    hands.shift(timedelta(days=30))
    assert calls.claim_calls(limit=1) == []
    assert attempt.lines.filter(live=True).exists(), "its order is not free for another attempt"


def test_the_last_claim_is_still_given(hands: Traveller) -> None:
    start()
    OperationTry.objects.update(tries=retries.MOST_CLAIMS - 1)
    assert len(calls.claim_calls(limit=1)) == 1


def test_a_dead_letter_does_not_keep_the_truth_out(hands: Traveller) -> None:
    attempt = bring_to("UNKNOWN")
    OperationTry.objects.update(tries=retries.MOST_CLAIMS, next_try_at=clock.now())
    calls.claim_calls(limit=1)
    tell(attempt, source=FactSource.WEBHOOK)
    (order,) = orders_of(attempt)
    assert (order.status, the_try().status) == (OrderStatus.SUCCESS, TryStatus.ANSWERED)


def test_an_answer_is_taken_from_whoever_brings_it_also_after_the_lease(hands: Traveller) -> None:
    attempt = start()
    begin(attempt)
    hands.shift(retries.LEASE)
    claim_of(attempt)
    tell(attempt, source=FactSource.ANSWER)
    (order,) = orders_of(attempt)
    assert order.status == OrderStatus.SUCCESS
