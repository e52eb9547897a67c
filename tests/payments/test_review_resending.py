"""A call goes out again only while that surely cannot happen twice, whoever sleeps and wakes in between."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from time_machine import Traveller

from ledger import boundary, clock
from payments import retries, tasks
from payments.models import OperationTry, PaymentAttempt, Refund
from payments.psp.base import Outcome
from payments.services import calls
from payments.services.dead_letters import list_dead_letters, replay
from payments.states import TryStatus
from tests.payments.arranging import begin, books, bring_to, claim_of, look, start, tell

pytestmark = pytest.mark.django_db

KEY_LIFE = timedelta(hours=20)


def not_reached(claim: calls.Claim, *, retry_after_seconds: float | None = None) -> None:
    """The PSP surely did nothing with what this claim sent."""
    calls.record_not_reached(
        claim, error_class="not_reached", detail="refused", retry_after_seconds=retry_after_seconds
    )


def charge() -> OperationTry:
    """A charge that is due."""
    return OperationTry.objects.get(attempt=start())


def refund() -> OperationTry:
    """A refund of a late success, due."""
    attempt = bring_to("DECLINED")
    tell(attempt)
    return OperationTry.objects.get(refund=Refund.objects.get())


def begin_try(operation_try: OperationTry, hands: Traveller) -> calls.Call | None:
    """A worker claims this try when it is due, and begins."""
    operation_try.refresh_from_db()
    assert operation_try.next_try_at is not None
    if operation_try.next_try_at > clock.now():
        hands.move_to(operation_try.next_try_at)
    claims = {claim.try_id: claim for claim in calls.claim_calls(limit=100)}
    return calls.begin(claims[operation_try.id])


@pytest.mark.parametrize("make", [charge, refund])
def test_a_first_send_that_was_lost_is_not_forgotten_when_the_second_does_not_arrive(
    make: Callable[[], OperationTry], hands: Traveller
) -> None:
    row = make()
    first = begin_try(row, hands)
    assert first is not None
    calls.record_doubt(first.claim, error_class="uncertain", detail="time-out")
    asked = begin_try(row, hands)
    assert asked is not None and asked.is_query
    again = calls.after_query(asked.claim, found=False)
    assert again is not None and not again.is_query
    not_reached(again.claim, retry_after_seconds=3600)
    hands.shift(KEY_LIFE)
    late = begin_try(row, hands)
    assert late is not None and late.is_query, (
        "the PSP has forgotten the key; the first send may have happened"
    )
    assert calls.after_query(late.claim, found=False) is None
    row.refresh_from_db()
    assert (row.status, row.sends) == (TryStatus.UNKNOWN, 2)


def test_doubt_about_the_first_send_stays_in_the_memo_accounts(hands: Traveller) -> None:
    row = charge()
    first = begin_try(row, hands)
    assert first is not None
    calls.record_doubt(first.claim, error_class="uncertain", detail="time-out")
    asked = begin_try(row, hands)
    assert asked is not None
    again = calls.after_query(asked.claim, found=False)
    assert again is not None
    not_reached(again.claim)
    assert books() == {"in_doubt:EUR": "10.00", "in_doubt_contra:EUR": "-10.00"}
    tell(PaymentAttempt.objects.get(), Outcome.DECLINED, decline_code="do_not_honor")
    assert books() == {}


@pytest.mark.parametrize("make", [charge, refund])
def test_a_worker_that_wakes_late_says_nothing_about_what_another_has_sent(
    make: Callable[[], OperationTry], hands: Traveller
) -> None:
    row = make()
    sleeper = begin_try(row, hands)
    assert sleeper is not None
    hands.shift(retries.LEASE)
    asked = begin_try(row, hands)
    assert asked is not None
    sent = calls.after_query(asked.claim, found=False)
    assert sent is not None and not sent.is_query
    not_reached(sleeper.claim)
    row.refresh_from_db()
    assert (row.status, row.error_class, row.claim_token) == (TryStatus.SENT, "", asked.claim.token)
    hands.shift(retries.LEASE)
    after = begin_try(row, hands)
    assert after is not None and after.is_query


@pytest.mark.parametrize("make", [charge, refund])
def test_a_send_has_a_whole_lease_also_behind_a_slow_question(
    make: Callable[[], OperationTry], hands: Traveller
) -> None:
    row = make()
    assert begin_try(row, hands) is not None
    hands.shift(retries.LEASE)
    asked = begin_try(row, hands)
    assert asked is not None
    hands.shift(retries.LEASE - timedelta(seconds=1))
    assert calls.after_query(asked.claim, found=False) is not None
    row.refresh_from_db()
    assert row.next_try_at == clock.now() + retries.LEASE


def test_a_worker_that_wakes_after_its_lease_sends_nothing(hands: Traveller) -> None:
    call = begin(start())
    boundary.install(lambda name: hands.shift(retries.LEASE))
    before = look("payments_operationtry", "payments_fact")
    assert tasks._perform(call) is None
    assert look("payments_operationtry", "payments_fact") == before


@pytest.mark.parametrize("status", ["PENDING", "UNKNOWN"])
def test_a_question_that_does_not_arrive_is_paced_as_a_question(status: str, hands: Traveller) -> None:
    attempt = bring_to(status)
    OperationTry.objects.update(tries=100, next_try_at=clock.now())  # It has waited for weeks.
    call = begin(attempt)
    assert call.is_query
    not_reached(call.claim)
    row = OperationTry.objects.get()
    assert row.dead_at is None and row.next_try_at is not None


def test_a_replayed_question_has_its_waits_anew(hands: Traveller) -> None:
    attempt = bring_to("UNKNOWN")
    hands.shift(KEY_LIFE)
    OperationTry.objects.update(queries=60)
    assert calls.after_query(begin(attempt).claim, found=False) is None
    (letter,) = list_dead_letters()
    replay(kind="psp_call", object_id=letter.id, actor="staff:ada")
    calls.record_doubt(claim_then_ask(attempt), error_class="uncertain", detail="time-out")
    assert list_dead_letters() == []


def claim_then_ask(attempt: PaymentAttempt) -> calls.Claim:
    """A worker has begun the question that is due."""
    claim = claim_of(attempt)
    assert calls.begin(claim) is not None
    return claim
