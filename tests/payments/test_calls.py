"""What becomes of a call to a PSP: answered, surely without effect, or in doubt until somebody knows."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.conf import settings
from time_machine import Traveller

from ledger import clock
from payments import retries
from payments.models import OperationTry, OutboxEvent, PaymentAttempt
from payments.psp import capabilities
from payments.psp.base import ChargeRequest, Outcome, QueryRequest
from payments.services import calls
from payments.states import AttemptStatus, PendingReason, TryStatus
from tests.payments.arranging import begin, books, bring_to, eur, look, orders_of, start, tell

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LIFE = timedelta(hours=20)
"""How long the sandbox's keys are trusted."""
IN_DOUBT = {"in_doubt:EUR": "10.00", "in_doubt_contra:EUR": "-10.00"}


def the_try() -> OperationTry:
    """The only call there is."""
    return OperationTry.objects.get()


def due_again(hands: Traveller, attempt: PaymentAttempt) -> calls.Call:
    """Wait until the call is due again, and begin it."""
    due = the_try().next_try_at
    assert due is not None
    hands.move_to(due)
    return begin(attempt)


def doubtful(hands: Traveller) -> tuple[PaymentAttempt, calls.Call]:
    """An attempt whose answer was lost, and the question about it that has just begun."""
    attempt = bring_to("UNKNOWN")
    return attempt, due_again(hands, attempt)


def test_a_lost_answer_puts_attempt_order_and_memo_accounts_in_doubt(hands: Traveller) -> None:
    attempt = start()
    call = begin(attempt)
    calls.record_doubt(call.claim, error_class="uncertain", detail="connection reset")
    attempt.refresh_from_db()
    (order,) = orders_of(attempt)
    row = the_try()
    assert (attempt.status, row.status, row.doubts) == (AttemptStatus.UNKNOWN, TryStatus.UNKNOWN, 1)
    assert (row.error_class, row.last_error) == ("uncertain", "connection reset")
    assert order.pending_reason == PendingReason.UNKNOWN
    assert OutboxEvent.objects.latest("id").payload["pending_reason"] == "unknown"
    assert books() == IN_DOUBT
    assert row.next_try_at is not None
    assert timedelta(seconds=1.8) <= row.next_try_at - clock.now() <= timedelta(seconds=2.2)


def test_a_worker_that_died_leaves_doubt_and_the_next_one_asks_first(hands: Traveller) -> None:
    attempt = start()
    key = begin(attempt).request.key
    hands.shift(retries.LEASE)
    call = begin(attempt)
    assert call.is_query and isinstance(call.request, QueryRequest)
    assert (call.request.key, call.request.psp_reference) == (key, "")
    assert call.request.amount == eur("10.00")
    attempt.refresh_from_db()
    assert (attempt.status, the_try().error_class) == (AttemptStatus.UNKNOWN, "lease_expired")
    assert books() == IN_DOUBT


def test_more_questions_without_an_answer_are_no_more_doubt(hands: Traveller) -> None:
    attempt, call = doubtful(hands)
    waits = []
    for _ in range(4):
        before = look()
        calls.record_doubt(call.claim, error_class="uncertain", detail="still nothing")
        row = the_try()
        assert (look(), row.doubts) == (before, 1)
        assert row.next_try_at is not None
        waits.append((row.next_try_at - clock.now()).total_seconds())
        call = due_again(hands, attempt)
    assert books() == IN_DOUBT
    assert all(late > soon * 1.5 for soon, late in pairwise(waits)), waits


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.PROCESSING])
def test_whatever_the_psp_knows_ends_the_doubt(hands: Traveller, outcome: Outcome) -> None:
    attempt, call = doubtful(hands)
    tell(attempt, outcome, source="query")
    assert calls.after_query(call.claim, found=True) is None
    assert not {"in_doubt:EUR", "in_doubt_contra:EUR"} & books().keys()
    assert the_try().status == TryStatus.ANSWERED


def test_nothing_found_inside_the_keys_life_sends_the_same_key_again(hands: Traveller) -> None:
    attempt, call = doubtful(hands)
    again = calls.after_query(call.claim, found=False)
    row = the_try()
    assert again is not None and isinstance(again.request, ChargeRequest)
    assert (again.request.key, again.request.amount) == (row.id, eur("10.00"))
    assert (row.status, row.sends) == (TryStatus.SENT, 2)
    attempt.refresh_from_db()
    (order,) = orders_of(attempt)
    assert (attempt.status, order.pending_reason) == (AttemptStatus.SENT, PendingReason.SUBMITTED)
    assert books() == {}


@pytest.mark.parametrize("past", [timedelta(0), timedelta(seconds=1), DAY])
def test_nothing_found_after_the_keys_life_only_asks_on(hands: Traveller, past: timedelta) -> None:
    attempt = bring_to("UNKNOWN")
    hands.shift(LIFE + past)
    call = begin(attempt)
    before = look()
    assert calls.after_query(call.claim, found=False) is None
    row = the_try()
    assert (row.status, row.sends, look()) == (TryStatus.UNKNOWN, 1, before)
    assert row.next_try_at is not None and row.next_try_at > clock.now()
    assert books() == IN_DOUBT


def test_the_last_moment_of_the_keys_life_still_sends(hands: Traveller) -> None:
    attempt = bring_to("UNKNOWN")
    hands.shift(LIFE - timedelta(seconds=1))
    assert calls.after_query(begin(attempt).claim, found=False) is not None


def test_the_keys_life_counts_from_the_first_time_the_psp_heard_it(hands: Traveller) -> None:
    attempt, call = doubtful(hands)
    hands.shift(LIFE - timedelta(minutes=5))
    again = calls.after_query(call.claim, found=False)
    assert again is not None
    calls.record_doubt(again.claim, error_class="uncertain", detail="lost again")
    hands.shift(timedelta(minutes=6))
    assert calls.after_query(begin(attempt).claim, found=False) is None
    assert the_try().doubts == 2
    assert books() == IN_DOUBT


def test_a_psp_without_keys_is_never_told_twice(hands: Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = settings.PAYMENT_PROVIDERS["sandbox"]["BACKEND"]
    keyless = replace(capabilities.CAPABILITIES[backend], idempotency_key_life=None)
    monkeypatch.setitem(capabilities.CAPABILITIES, backend, keyless)
    _, call = doubtful(hands)
    assert calls.after_query(call.claim, found=False) is None
    assert (the_try().status, the_try().sends) == (TryStatus.UNKNOWN, 1)


def test_a_question_answered_too_late_does_not_send_again(hands: Traveller) -> None:
    attempt, call = doubtful(hands)
    hands.shift(retries.LEASE)
    begin(attempt)
    before = look()
    assert calls.after_query(call.claim, found=False) is None
    assert (look(), the_try().sends) == (before, 1)


def test_a_psp_that_was_not_reached_is_sent_the_same_key_again_without_doubt(hands: Traveller) -> None:
    attempt = start()
    call = begin(attempt)
    calls.record_not_reached(
        call.claim, error_class="not_reached", detail="refused", retry_after_seconds=None
    )
    row = the_try()
    assert (row.status, row.error_class, row.claim_token) == (TryStatus.SENT, "not_reached", None)
    again = due_again(hands, attempt)
    assert isinstance(again.request, ChargeRequest) and again.request == call.request
    row.refresh_from_db()
    assert (row.sends, row.doubts, row.error_class) == (2, 0, "")
    assert books() == {}


def test_a_worker_that_dies_after_a_psp_was_not_reached_leaves_doubt(hands: Traveller) -> None:
    attempt = start()
    call = begin(attempt)
    calls.record_not_reached(
        call.claim, error_class="not_reached", detail="refused", retry_after_seconds=None
    )
    due_again(hands, attempt)
    hands.shift(retries.LEASE)
    assert begin(attempt).is_query, "the second request may have arrived"


@pytest.mark.parametrize(
    ("asked", "least", "most"), [(None, 0.9, 1.1), (20, 20, 20), (7_200, 3_600, 3_600), (-5, 0.9, 1.1)]
)
def test_a_psp_may_ask_for_patience_but_not_for_ever(
    hands: Traveller, asked: float | None, least: float, most: float
) -> None:
    call = begin(start())
    calls.record_not_reached(call.claim, error_class="429", detail="slow down", retry_after_seconds=asked)
    due = the_try().next_try_at
    assert due is not None and least <= (due - clock.now()).total_seconds() <= most


def test_what_is_said_of_a_call_that_was_answered_meanwhile_changes_nothing(hands: Traveller) -> None:
    attempt = start()
    call = begin(attempt)
    tell(attempt)
    before, row = look(), look("payments_operationtry")
    calls.record_doubt(call.claim, error_class="uncertain", detail="too late")
    calls.record_not_reached(call.claim, error_class="not_reached", detail="x", retry_after_seconds=1)
    assert calls.after_query(call.claim, found=False) is None
    assert (look(), look("payments_operationtry")) == (before, row)


def test_a_payment_that_waits_is_asked_about_ever_more_slowly_until_something_changes(
    hands: Traveller,
) -> None:
    attempt = bring_to("PENDING")
    waits = []
    for _ in range(4):
        due = the_try().next_try_at
        assert due is not None
        waits.append((due - clock.now()).total_seconds())
        call = due_again(hands, attempt)
        assert call.is_query and isinstance(call.request, QueryRequest)
        assert call.request.psp_reference == f"pay_{attempt.id}"
        calls.record_doubt(call.claim, error_class="uncertain", detail="no answer")
        assert PaymentAttempt.objects.get().status == AttemptStatus.PENDING
    assert 27 <= waits[0] <= 33 and waits[3] > waits[2] > waits[1]
    tell(attempt, Outcome.REQUIRES_ACTION)
    due = the_try().next_try_at
    assert due is not None and 27 <= (due - clock.now()).total_seconds() <= 33


def test_a_question_that_finds_it_waiting_still_ends_there(hands: Traveller) -> None:
    attempt = bring_to("PENDING")
    call = due_again(hands, attempt)
    tell(attempt, Outcome.PROCESSING, source="query")
    assert calls.after_query(call.claim, found=True) is None
    assert (the_try().status, the_try().sends) == (TryStatus.ANSWERED, 1)
