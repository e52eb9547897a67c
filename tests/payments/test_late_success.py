"""Money that a PSP took for an order that could no longer take it goes back by itself, once."""

from uuid import UUID

import pytest
from moneyed import Money

from ledger.services import balance
from payments.facts import apply_fact
from payments.models import Fact, OperationTry, PaymentAttempt, Refund, Shop
from payments.psp.base import Outcome, RefundRequest, Report, Subject
from payments.services import calls
from payments.services.checkouts import create_checkout
from payments.states import AttemptStatus, OrderStatus, RefundStatus, TryStatus
from paymentsite.invariants import questions
from tests.factories import NewCheckoutFactory, NewOrderFactory, ShopFactory

pytestmark = pytest.mark.django_db

TEN = Money("10.00", "EUR")


def charged(shop: Shop) -> PaymentAttempt:
    create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=[NewOrderFactory.create(amount=TEN)]))
    (claim,) = calls.claim_calls(limit=1)
    call = calls.begin(claim)
    assert call is not None
    return PaymentAttempt.objects.get(id=call.subject_id)


def hear(attempt: PaymentAttempt, outcome: Outcome, source: str = "answer") -> Fact:
    return apply_fact(
        psp_account="sandbox",
        source=source,
        report=Report(
            outcome=outcome,
            dedup_key=f"{attempt.id}:{outcome}",
            reference=str(attempt.id),
            psp_reference=f"pay_{attempt.id}",
            amount=attempt.amount,
        ),
    )


def hear_of_refund(refund: Refund, outcome: Outcome, *, key: str, amount: Money = TEN) -> Fact:
    return apply_fact(
        psp_account="sandbox",
        source="webhook",
        report=Report(
            outcome=outcome,
            subject=Subject.REFUND,
            dedup_key=key,
            reference=str(refund.id),
            psp_reference=f"re_{refund.id}",
            amount=amount,
        ),
    )


def late_refund(shop: Shop | None = None) -> Refund:
    attempt = charged(shop or ShopFactory.create())
    hear(attempt, Outcome.DECLINED)
    hear(attempt, Outcome.SUCCEEDED, source="webhook")
    return Refund.objects.get(attempt=attempt)


def test_a_late_success_is_promised_back_in_the_commit_that_books_it() -> None:
    refund = late_refund()
    assert (refund.amount, refund.status, refund.order.status) == (
        TEN,
        RefundStatus.REQUESTED,
        OrderStatus.FAILED,
    )
    assert balance("unapplied_receipts:EUR").amount == 0
    assert balance("refunds_payable:EUR") == TEN
    assert balance("psp_receivable:sandbox:EUR") == TEN
    assert OperationTry.objects.get(refund=refund).status == TryStatus.CREATED
    assert list(questions()) == []


def test_a_shop_that_keeps_late_money_leaves_it_in_unapplied_receipts() -> None:
    attempt = charged(ShopFactory.create(late_success="keep"))
    hear(attempt, Outcome.DECLINED)
    hear(attempt, Outcome.SUCCEEDED, source="webhook")
    assert not Refund.objects.exists()
    assert balance("unapplied_receipts:EUR") == TEN
    assert list(questions()) == []


def test_the_refund_is_asked_of_the_psp_under_its_own_key_and_ends_the_promise() -> None:
    refund = late_refund()
    (claim,) = calls.claim_calls(limit=5)
    call = calls.begin(claim)
    assert call is not None and isinstance(call.request, RefundRequest)
    assert (call.request.key, call.request.refund_id, call.request.amount) == (claim.try_id, refund.id, TEN)
    hear_of_refund(refund, Outcome.SUCCEEDED, key="evt_1")
    refund.refresh_from_db()
    assert refund.status == RefundStatus.SUCCEEDED
    assert balance("refunds_payable:EUR").amount == 0
    assert balance("psp_receivable:sandbox:EUR").amount == 0
    assert list(questions()) == []


def test_the_same_news_of_a_refund_books_once() -> None:
    refund = late_refund()
    first = hear_of_refund(refund, Outcome.SUCCEEDED, key="evt_1")
    assert hear_of_refund(refund, Outcome.SUCCEEDED, key="evt_1").id == first.id
    assert hear_of_refund(refund, Outcome.SUCCEEDED, key="evt_2").verdict == "already_so"
    assert balance("psp_receivable:sandbox:EUR").amount == 0
    assert list(questions()) == []


def test_a_refund_of_another_amount_is_a_contradiction_and_moves_nothing() -> None:
    refund = late_refund()
    fact = hear_of_refund(refund, Outcome.SUCCEEDED, key="evt_1", amount=Money("9.99", "EUR"))
    refund.refresh_from_db()
    assert (fact.verdict, refund.status) == ("contradicts", RefundStatus.REQUESTED)
    assert fact.discrepancy.kind == "amount"
    assert balance("refunds_payable:EUR") == TEN


def test_a_lost_answer_leaves_the_refund_owed_and_is_asked_about_before_anything_is_sent_again() -> None:
    refund = late_refund()
    (claim,) = calls.claim_calls(limit=5)
    assert calls.begin(claim) is not None
    calls.record_doubt(claim, error_class="uncertain", detail="time-out")
    operation_try = OperationTry.objects.get(refund=refund)
    assert operation_try.status == TryStatus.UNKNOWN
    assert balance("refunds_payable:EUR") == TEN
    OperationTry.objects.filter(refund=refund).update(next_try_at=operation_try.created_at)
    (claim,) = calls.claim_calls(limit=5)
    asked = calls.begin(claim)
    assert asked is not None and asked.is_query
    again = calls.after_query(claim, found=False)
    assert again is not None and not again.is_query
    assert isinstance(again.request, RefundRequest) and again.request.key == operation_try.id
    assert list(questions()) == []


def test_a_refund_that_fails_after_success_leaves_the_buyer_owed_and_a_person_told() -> None:
    refund = late_refund()
    hear_of_refund(refund, Outcome.SUCCEEDED, key="evt_1")
    fact = hear_of_refund(refund, Outcome.DECLINED, key="evt_2")
    refund.refresh_from_db()
    assert (fact.verdict, refund.status, fact.discrepancy.kind) == ("late", RefundStatus.FAILED, "status")
    assert balance("refunds_payable:EUR") == TEN
    assert balance("psp_receivable:sandbox:EUR") == TEN
    assert list(questions()) == []


def test_news_of_the_payment_does_not_answer_the_refund() -> None:
    refund = late_refund()
    attempt = refund.attempt
    hear(attempt, Outcome.SUCCEEDED, source="query")
    assert OperationTry.objects.get(refund=refund).status == TryStatus.CREATED
    assert PaymentAttempt.objects.get(id=attempt.id).status == AttemptStatus.SUCCEEDED


def test_news_of_a_refund_that_we_never_asked_for_is_kept_and_told() -> None:
    fact = apply_fact(
        psp_account="sandbox",
        source="webhook",
        report=Report(
            outcome=Outcome.SUCCEEDED,
            subject=Subject.REFUND,
            dedup_key="evt_9",
            reference=str(UUID(int=9)),
            psp_reference="re_9",
            amount=TEN,
        ),
    )
    assert (fact.verdict, fact.discrepancy.kind) == ("unknown_object", "unknown_object")
