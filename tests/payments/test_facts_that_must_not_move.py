"""News that comes again, comes late, or is about something else: it is kept, and no money follows it twice."""

from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from ledger import money
from payments.facts import apply_fact
from payments.models import (
    Discrepancy,
    DiscrepancyKind,
    Fact,
    FactSource,
    OperationTry,
    PaymentAttempt,
    Verdict,
)
from payments.psp.base import Outcome
from payments.services.another_attempt import request_attempt
from payments.services.checkouts import create_checkout
from payments.states import AttemptStatus, OrderStatus, TryStatus
from tests.factories import NewCheckoutFactory, ShopFactory, report_about
from tests.payments.arranging import PSP, begin, books, bring_to, eur, look, orders_of, start, tell

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("source", FactSource.values)
def test_the_same_news_from_the_same_source_counts_once(source: str) -> None:
    attempt = bring_to("SENT")
    first = tell(attempt, source=source, dedup_key="evt-same")
    before = look()
    for _ in range(3):
        again = tell(attempt, source=source, dedup_key="evt-same")
        assert again.id == first.id
    assert look() == before
    assert Fact.objects.count() == 1


@pytest.mark.parametrize(
    ("first", "second"), [pair for pair in product(FactSource.values, repeat=2) if pair[0] != pair[1]]
)
def test_the_same_success_from_another_source_is_another_fact_and_no_second_capture(
    first: str, second: str
) -> None:
    attempt = bring_to("SENT")
    tell(attempt, source=first, dedup_key="evt-same")
    before = look()
    again = tell(attempt, source=second, dedup_key="evt-same")
    assert (again.verdict, again.reason) == (Verdict.ALREADY_SO, "")
    assert look() == before
    assert not Discrepancy.objects.exists()


def test_the_second_news_of_a_success_still_answers_a_call_that_waits() -> None:
    attempt = bring_to("UNKNOWN")
    tell(attempt)
    OperationTry.objects.get(status=TryStatus.ANSWERED, next_try_at=None)
    assert "in_doubt:EUR" not in books()


CONTRADICTIONS: dict[str, tuple[dict[str, Any], DiscrepancyKind]] = {
    "more than we asked for": ({"amount": eur("10.01")}, DiscrepancyKind.AMOUNT),
    "less than we asked for": ({"amount": eur("9.99")}, DiscrepancyKind.AMOUNT),
    "cents for euros": ({"amount": eur("1000.00")}, DiscrepancyKind.AMOUNT),
    "no amount at all": ({"amount": None}, DiscrepancyKind.AMOUNT),
    "only a part was taken": ({"captured": eur("4.00")}, DiscrepancyKind.AMOUNT),
    "more was taken than asked for": ({"captured": eur("10.01")}, DiscrepancyKind.AMOUNT),
    "nothing was taken": ({"captured": eur("0.00")}, DiscrepancyKind.AMOUNT),
    "another currency": ({"amount": money.parse_amount("10.00", "USD")}, DiscrepancyKind.CURRENCY),
    "taken in another currency": ({"captured": money.parse_amount("10", "JPY")}, DiscrepancyKind.CURRENCY),
    "another reference": ({"reference": str(uuid4())}, DiscrepancyKind.REFERENCE),
    "a reference that is none of ours": ({"reference": "order 7"}, DiscrepancyKind.REFERENCE),
}


@pytest.mark.parametrize(("changes", "kind"), CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
@pytest.mark.parametrize("state", ["SENT", "UNKNOWN", "DECLINED"])
def test_a_success_that_is_not_ours_moves_nothing(
    state: str, changes: dict[str, Any], kind: DiscrepancyKind
) -> None:
    attempt = bring_to(state)
    before, tries = look(), look("payments_operationtry")
    fact = apply_fact(
        psp_account=PSP,
        source=FactSource.ANSWER,
        report=report_about(attempt, **changes),
        about=attempt.id,
    )
    assert fact.verdict == Verdict.CONTRADICTS
    assert (look(), look("payments_operationtry")) == (before, tries)
    raised = Discrepancy.objects.get()
    assert (raised.kind, raised.fact_id, raised.attempt_id) == (kind, fact.id, attempt.id)
    assert raised.detail


def test_another_payment_object_under_our_reference_is_a_contradiction() -> None:
    attempt = bring_to("PENDING")
    before = look()
    fact = tell(attempt, psp_reference="pay_another")
    assert (fact.verdict, look()) == (Verdict.CONTRADICTS, before)
    assert Discrepancy.objects.get().kind == DiscrepancyKind.REFERENCE


def test_news_is_found_by_the_psps_id_when_it_echoes_no_reference() -> None:
    attempt = bring_to("PENDING")
    assert tell(attempt, reference="").verdict == Verdict.APPLIED
    attempt.refresh_from_db()
    assert attempt.status == AttemptStatus.SUCCEEDED


@pytest.mark.parametrize("reference", ["", "no uuid", str(UUID(int=7))])
def test_news_of_a_payment_that_we_never_asked_for_is_kept_and_reported_once(reference: str) -> None:
    attempt = bring_to("SENT")
    before = look()
    for _ in range(2):
        fact = tell(attempt, reference=reference, psp_reference="pay_unheard_of", dedup_key="evt-strange")
        assert (fact.verdict, fact.attempt_id) == (Verdict.UNKNOWN_OBJECT, None)
    assert look() == before
    assert Discrepancy.objects.get().kind == DiscrepancyKind.UNKNOWN_OBJECT
    assert Fact.objects.count() == 1


def test_another_psp_account_cannot_speak_for_an_attempt() -> None:
    attempt = bring_to("SENT")
    before = look()
    fact = apply_fact(psp_account="other", source=FactSource.WEBHOOK, report=report_about(attempt))
    assert (fact.verdict, look()) == (Verdict.UNKNOWN_OBJECT, before)


@pytest.mark.parametrize("ended", ["DECLINED", "CANCELED", "EXPIRED"])
def test_a_late_success_is_promised_back_and_a_person_is_told(ended: str) -> None:
    attempt = bring_to(ended, amounts=[eur("10.00"), eur("7.50")])
    failed = [(order.status, order.failure_code) for order in orders_of(attempt)]
    fact = tell(attempt)
    attempt.refresh_from_db()
    assert (fact.verdict, attempt.status, attempt.captured) == (Verdict.LATE, "SUCCEEDED", eur("17.50"))
    assert [(order.status, order.failure_code) for order in orders_of(attempt)] == failed
    assert {status for status, _ in failed} == {OrderStatus.FAILED}
    assert books() == {"psp_receivable:sandbox:EUR": "17.50", "refunds_payable:EUR": "-17.50"}
    assert Discrepancy.objects.get().kind == DiscrepancyKind.LATE_SUCCESS


def test_a_late_success_of_an_order_that_was_paid_otherwise_is_not_the_sellers() -> None:
    attempt, second = two_attempts_for_one_order()
    tell(second)
    late = tell(attempt)
    (order,) = orders_of(attempt)
    assert (order.status, order.captured, late.verdict) == (OrderStatus.SUCCESS, eur("10.00"), Verdict.LATE)
    assert books() == {
        "psp_receivable:sandbox:EUR": "20.00",
        f"wallet_pending:{order.seller.reference}:EUR": "-9.00",
        "commission_income:EUR": "-1.00",
        "refunds_payable:EUR": "-10.00",
    }


def two_attempts_for_one_order() -> tuple[PaymentAttempt, PaymentAttempt]:
    """An attempt that was declined, and a second one for the same order that is on its way."""
    shop, new = ShopFactory.create(), NewCheckoutFactory.create(method="", token="")
    create_checkout(shop=shop, new=new)
    first = another(shop, new.checkout_id, "tok_first")
    begin(first)
    tell(first, Outcome.DECLINED, decline_code="do_not_honor")
    second = another(shop, new.checkout_id, "tok_second")
    begin(second)
    return first, second


def another(shop: Any, checkout_id: str, token: str) -> PaymentAttempt:
    """The buyer tries this token."""
    request_attempt(
        shop=shop, checkout_id=checkout_id, method="card", token=token, idempotency_key=f"key-{token}"
    )
    return PaymentAttempt.objects.latest("id")


def test_a_second_late_success_is_not_booked_again() -> None:
    attempt = bring_to("DECLINED")
    tell(attempt)
    before = look()
    assert tell(attempt).verdict == Verdict.ALREADY_SO
    assert look() == before


def test_yen_are_not_taken_for_hundredths_of_yen() -> None:
    attempt = start(amounts=[money.parse_amount("1200", "JPY")])
    begin(attempt)
    assert tell(attempt, amount=money.from_minor(120000, "JPY")).verdict == Verdict.CONTRADICTS
    assert tell(attempt, amount=money.from_minor(1200, "JPY")).verdict == Verdict.APPLIED
    assert books()["psp_receivable:sandbox:JPY"] == "1200"


def test_orders_of_other_attempts_are_left_alone() -> None:
    attempt, other = bring_to("SENT"), bring_to("SENT")
    tell(attempt)
    (order,) = orders_of(other)
    assert order.status == OrderStatus.EXECUTING
