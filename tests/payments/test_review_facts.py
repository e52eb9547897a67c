"""True facts that come at a bad moment or in bad shape: none is refused by our own code, none is forgotten."""

from datetime import timedelta

import pytest
from time_machine import Traveller

from ledger import clock
from payments.facts import apply_fact
from payments.models import (
    Discrepancy,
    DiscrepancyKind,
    FactSource,
    Operation,
    OperationTry,
    PaymentAttempt,
    RetryStrategy,
    Shop,
    StrategyKind,
    Verdict,
    Work,
)
from payments.psp.base import Outcome, Report, Subject
from payments.services import calls
from payments.services.another_attempt import request_attempt
from payments.services.cancellations import cancel_order
from payments.services.captures import CaptureWish, request_capture
from payments.services.checkouts import create_checkout
from payments.services.dead_letters import close, list_dead_letters
from payments.states import AttemptStatus, OrderStatus, RefundStatus, TryStatus
from paymentsite.invariants import questions
from tests.factories import NewCheckoutFactory, ShopFactory
from tests.payments.arranging import PSP, begin, books, bring_to, eur, orders_of, start, tell

pytestmark = pytest.mark.django_db

NOTHING = eur("0.00")
DEAD_AFTER = 60


def test_a_webhook_that_names_another_order_does_not_keep_our_answer_from_being_stored() -> None:
    ours, other = bring_to("SENT"), bring_to("SENT")
    tell(ours, reference=str(other.id), psp_reference="pay_ours")
    fact = apply_fact(
        psp_account=PSP,
        source=FactSource.ANSWER,
        report=Report(
            outcome=Outcome.SUCCEEDED,
            dedup_key="answer",
            reference=str(ours.id),
            psp_reference="pay_ours",
            amount=ours.amount,
        ),
        about=ours.id,
    )
    assert fact.verdict == Verdict.CONTRADICTS
    assert Discrepancy.objects.get(attempt=ours).kind == DiscrepancyKind.REFERENCE
    assert books()["psp_receivable:sandbox:EUR"] == "10.00"


def test_a_payment_is_confirmed_once_however_late_the_first_answer_comes(hands: Traveller) -> None:
    attempt = start()
    begin(attempt)
    tell(attempt, Outcome.REQUIRES_CONFIRMATION, source=FactSource.QUERY, captured=NOTHING)
    assert begin(attempt).operation == Operation.CONFIRM
    tell(
        attempt,
        Outcome.REQUIRES_ACTION,
        source=FactSource.ANSWER,
        captured=NOTHING,
        client_action={"url": "https://bank.example"},
    )
    late = tell(attempt, Outcome.REQUIRES_CONFIRMATION, source=FactSource.ANSWER, captured=NOTHING)
    assert late.verdict == Verdict.ALREADY_SO
    assert OperationTry.objects.filter(operation=Operation.CONFIRM).count() == 1
    attempt.refresh_from_db()
    assert attempt.client_action == {"url": "https://bank.example"}
    assert orders_of(attempt)[0].pending_reason == "requires_action"


def test_a_confirmation_in_doubt_is_confirmed_under_the_same_key(hands: Traveller) -> None:
    attempt = start()
    begin(attempt)
    tell(attempt, Outcome.REQUIRES_CONFIRMATION, captured=NOTHING)
    sent = begin(attempt)
    calls.record_doubt(sent.claim, error_class="uncertain", detail="time-out")
    hands.shift(5)
    asked = begin(attempt)
    fact = tell(attempt, Outcome.REQUIRES_CONFIRMATION, source=FactSource.QUERY, captured=NOTHING)
    assert fact.verdict == Verdict.APPLIED
    again = calls.after_query(asked.claim, found=True)
    assert again is not None and (again.operation, again.request.key) == ("confirm", sent.request.key)
    assert books() == {}


def test_a_capture_that_is_lost_twice_is_in_doubt_twice(hands: Traveller) -> None:
    attempt = bring_to("AUTHORIZED")
    hands.shift(timedelta(minutes=1))
    asked = begin(attempt)
    tell(attempt, Outcome.AUTHORIZED, source=FactSource.QUERY, captured=NOTHING, dedup_key="authorized:0")
    assert calls.after_query(asked.claim, found=True) is None
    attempt = capture(attempt)
    calls.record_doubt(begin(attempt).claim, error_class="uncertain", detail="time-out")
    hands.shift(5)
    asked = begin(attempt)
    tell(attempt, Outcome.AUTHORIZED, source=FactSource.QUERY, captured=NOTHING, dedup_key="authorized:0")
    again = calls.after_query(asked.claim, found=True)
    assert again is not None and again.operation == Operation.CAPTURE
    tell(attempt, Outcome.AUTHORIZED, captured=NOTHING)  # The webhook of the authorisation, much too late.
    calls.record_doubt(again.claim, error_class="uncertain", detail="time-out")
    attempt.refresh_from_db()
    assert attempt.status == AttemptStatus.UNKNOWN
    assert books()["in_doubt:EUR"] == "10.00"
    tell(attempt)
    assert "in_doubt:EUR" not in books()
    assert list(questions()) == []


def capture(attempt: PaymentAttempt) -> PaymentAttempt:
    """The shop wants all of it."""
    wishes = [CaptureWish(order.payment_order_id) for order in orders_of(attempt)]
    request_capture(shop=attempt.event.shop, wishes=wishes)
    return attempt


@pytest.mark.parametrize(
    "code", ["x" * 500, "do\x00not", "\ud800", "é" * 90], ids=["long", "nul", "half", "accents"]
)
@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.REFUSED])
def test_a_decline_is_not_refused_for_its_spelling(outcome: Outcome, code: str) -> None:
    attempt = bring_to("SENT")
    fact = tell(attempt, outcome, decline_code=code, raw={"detail": code, code: [{"deep": code}]})
    (order,) = orders_of(attempt)
    assert (fact.verdict, order.status) == (Verdict.APPLIED, OrderStatus.FAILED)
    assert order.failure_code.startswith(("declined:", "refused:"))


def test_a_success_is_not_refused_for_the_words_beside_it() -> None:
    attempt = bring_to("SENT")
    assert tell(attempt, raw={"approval_code": "\x00", "text": "\udfff"}).verdict == Verdict.APPLIED
    assert orders_of(attempt)[0].status == OrderStatus.SUCCESS


def test_a_reference_that_cannot_be_written_is_a_contradiction_like_any_other() -> None:
    attempt = bring_to("PENDING")
    assert tell(attempt, reference="\x00\ud800").verdict == Verdict.CONTRADICTS


def test_a_success_of_an_attempt_that_we_never_sent_pays_the_order_that_waits() -> None:
    """After the database was restored to an earlier time, the PSP may know more than we do."""
    shop, new = ShopFactory.create(), NewCheckoutFactory.create(method="", token="")
    create_checkout(shop=shop, new=new)
    buyer_tries(shop, new.checkout_id, "tok_first")
    first = PaymentAttempt.objects.get()
    buyer_tries(shop, new.checkout_id, "tok_second")
    first.refresh_from_db()
    assert first.status == AttemptStatus.CANCELED
    assert tell(first).verdict == Verdict.LATE
    assert orders_of(first)[0].status == OrderStatus.SUCCESS
    assert list(questions()) == []


def buyer_tries(shop: Shop, checkout_id: str, token: str) -> None:
    """The buyer chooses this card."""
    request_attempt(
        shop=shop, checkout_id=checkout_id, method="card", token=token, idempotency_key=f"key-{token}"
    )


def dead(hands: Traveller) -> PaymentAttempt:
    """An attempt in doubt whose question is a dead letter."""
    attempt = bring_to("UNKNOWN")
    OperationTry.objects.update(queries=DEAD_AFTER, next_try_at=clock.now())
    calls.record_doubt(begin(attempt).claim, error_class="uncertain", detail="time-out")
    assert len(list_dead_letters()) == 1
    return attempt


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.PROCESSING])
def test_a_dead_letter_that_a_webhook_has_answered_is_no_dead_letter(
    hands: Traveller, outcome: Outcome
) -> None:
    attempt = dead(hands)
    tell(attempt, outcome)
    assert list_dead_letters() == []
    assert "in_doubt:EUR" not in books()
    assert list(questions()) == []


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.AUTHORIZED, Outcome.PROCESSING])
def test_a_question_that_died_is_asked_again_after_news(hands: Traveller, outcome: Outcome) -> None:
    attempt = bring_to("PENDING")
    OperationTry.objects.update(queries=DEAD_AFTER, next_try_at=clock.now())
    calls.record_doubt(begin(attempt).claim, error_class="uncertain", detail="time-out")
    assert len(list_dead_letters()) == 1
    tell(attempt, outcome, captured=attempt.amount if outcome == Outcome.SUCCEEDED else NOTHING)
    assert list_dead_letters() == []
    assert (OperationTry.objects.get().next_try_at is None) == (outcome == Outcome.SUCCEEDED)


def test_a_dead_letter_that_was_closed_and_dies_again_is_listed_again(hands: Traveller) -> None:
    attempt = dead(hands)
    close(kind="psp_call", object_id=OperationTry.objects.get().id, actor="staff:ada", reason="seen")
    tell(attempt, Outcome.PROCESSING)
    OperationTry.objects.update(queries=DEAD_AFTER, next_try_at=clock.now())
    calls.record_doubt(begin(attempt).claim, error_class="uncertain", detail="time-out")
    assert len(list_dead_letters()) == 1


def test_a_charge_that_died_unsent_and_was_canceled_is_no_dead_letter(hands: Traveller) -> None:
    attempt = start()
    OperationTry.objects.update(tries=200)
    assert calls.claim_calls(limit=1) == []
    assert len(list_dead_letters()) == 1
    (order,) = orders_of(attempt)
    cancel_order(shop=attempt.event.shop, payment_order_id=order.payment_order_id)
    assert list_dead_letters() == []
    assert OperationTry.objects.get().status == TryStatus.ANSWERED


def test_an_order_that_waits_behind_a_closed_dead_letter_is_named(hands: Traveller) -> None:
    attempt = dead(hands)
    close(kind="psp_call", object_id=OperationTry.objects.get().id, actor="staff:ada", reason="seen")
    hands.shift(timedelta(days=8))
    (order,) = orders_of(attempt)
    assert str(order.id) in {row for broken in questions() if broken.invariant == 8 for row in broken.rows}


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.REFUSED])
def test_a_refund_that_fails_is_told_to_a_person(outcome: Outcome) -> None:
    attempt = bring_to("DECLINED")
    tell(attempt)
    refund = attempt.refunds.get()
    begin_refund()
    fact = apply_fact(
        psp_account=PSP,
        source=FactSource.ANSWER,
        report=Report(
            outcome=outcome,
            subject=Subject.REFUND,
            dedup_key="r1",
            reference=str(refund.id),
            decline_code="x" * 99,
        ),
        about=refund.id,
    )
    refund.refresh_from_db()
    assert refund.status == RefundStatus.FAILED
    assert Discrepancy.objects.get(fact=fact).kind == DiscrepancyKind.STATUS
    assert books()["refunds_payable:EUR"] == "-10.00"


def begin_refund() -> None:
    """A worker begins the refund that is due."""
    (claim,) = calls.claim_calls(limit=5)
    assert calls.begin(claim) is not None


def test_no_strategy_of_staff_can_refuse_a_fact() -> None:
    RetryStrategy.objects.filter(work=Work.QUERY_PENDING).update(
        kind=StrategyKind.EXPONENTIAL,
        first_seconds=600000,
        growth=999999,
        longest_seconds=604800,
        most_tries=None,
    )
    attempt = bring_to("PENDING")
    OperationTry.objects.update(queries=200, next_try_at=clock.now())
    calls.record_doubt(begin(attempt).claim, error_class="uncertain", detail="time-out")
    assert OperationTry.objects.get().next_try_at is not None
