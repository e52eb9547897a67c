"""Asking outside: the answer decides, silence leaves it to people, and nothing is charged before either."""

from uuid import uuid4

import pytest
import time_machine
from django.conf import settings as django_settings
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from ledger import clock
from payments import retries, tasks
from payments.bell import PSP_CALLS, RISK_CHECKS
from payments.models import (
    PaymentAttempt,
    PaymentEvent,
    RiskAction,
    RiskCheck,
    RiskKind,
    RiskRule,
    RiskWait,
    Shop,
)
from payments.risk.provider import RiskAnswer, RiskProviderFailed, RiskQuestion
from payments.services import risk_checks
from payments.services.expiry import expire_checkout
from payments.services.invariants import violations
from payments.services.risk_reviews import decide_review
from payments.services.sweeping import due_bells
from tests.payments.arranging import eur
from tests.payments.risk_arranging import (
    AMINA,
    another_rule,
    attempts,
    check_of,
    claim_of,
    make_due,
    only_rule,
    outcome,
    pay,
    reasons,
    states,
)

pytestmark = pytest.mark.django_db

CHECKED = {("NOT_STARTED", "risk_check", "")}
REVIEWED = {("NOT_STARTED", "risk_review", "")}


@pytest.fixture(autouse=True)
def every_payment_is_asked_about(db: None) -> None:
    """61 to 90 is for people, above is refused."""
    only_rule(RiskKind.OUTSIDE_SCORE, RiskAction.ASK, name="ask")
    another_rule(RiskKind.OUTSIDE_SCORE, RiskAction.REVIEW, parameters={"limit": 60}, name="doubt")
    another_rule(RiskKind.OUTSIDE_SCORE, RiskAction.REFUSE, parameters={"limit": 90}, name="fraud")


class Provider:
    """Answers or fails as it is told, and remembers what it was asked."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[RiskQuestion] = []

    def score(self, question: RiskQuestion) -> RiskAnswer:
        self.asked.append(question)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return RiskAnswer(score=answer, reasons=["the provider's own word"])


def install(monkeypatch: pytest.MonkeyPatch, *answers: int | Exception) -> Provider:
    provider = Provider(*answers)
    monkeypatch.setattr(tasks, "risk_provider", lambda: provider)
    return provider


def answered(event: PaymentEvent, score: int) -> None:
    risk_checks.record_answer(claim_of(event), RiskAnswer(score=score))


def test_a_payment_waits_to_be_asked_about(
    shop: Shop, rings: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        event = pay(shop)
    assert states(event) == CHECKED
    assert attempts(event) == 0
    assert outcome(event) == RiskAction.ASK
    assert rings == [RISK_CHECKS]
    assert RISK_CHECKS in due_bells()
    assert list(violations()) == []


@pytest.mark.parametrize(
    ("score", "expected", "after"),
    [
        (0, RiskAction.ACCEPT, {("NOT_STARTED", "", "")}),
        (60, RiskAction.ACCEPT, {("NOT_STARTED", "", "")}),
        (61, RiskAction.REVIEW, REVIEWED),
        (90, RiskAction.REVIEW, REVIEWED),
        (91, RiskAction.REFUSE, {("FAILED", "", "risk_refused")}),
        (100, RiskAction.REFUSE, {("FAILED", "", "risk_refused")}),
    ],
)
def test_our_rules_say_what_a_score_means(
    shop: Shop, score: int, expected: str, after: set[tuple[str, str, str]]
) -> None:
    event = pay(shop)
    answered(event, score)
    assert outcome(event) == expected
    assert states(event) == after
    assert attempts(event) == (1 if expected == RiskAction.ACCEPT else 0)
    decision = event.risk_decisions.latest("at", "id")
    assert (decision.score, decision.provider, decision.decided_by) == (score, "sandbox", "provider:sandbox")
    assert list(violations()) == []


def test_the_task_asks_and_the_payment_goes_on(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    rings: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    provider = install(monkeypatch, 5)
    event = pay(shop, eur("20.00"), eur("30.00"), token="tok_visa")
    with django_capture_on_commit_callbacks(execute=True):
        tasks.check_risks()
    assert attempts(event) == 1
    assert PSP_CALLS in rings
    (question,) = provider.asked
    assert (question.amounts, question.buyer_info["email"]) == ([eur("50.00")], AMINA["email"])
    assert "tok_visa" not in str(question)
    assert reasons(event) == ["the provider's own word"]
    tasks.check_risks()
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "failure", [RiskProviderFailed("no complete answer: Timeout"), RuntimeError("a bug")]
)
def test_a_provider_that_does_not_answer_leaves_it_to_people(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    provider = install(monkeypatch, failure, failure, failure, 0)
    event = pay(shop)
    for asked in (1, 2, 3):
        assert states(event) == CHECKED
        tasks.check_risks()
        assert len(provider.asked) == asked
        make_due(event)
    assert states(event) == REVIEWED
    assert reasons(event) == ["No answer from the outside provider after 3 tries."]
    assert check_of(event).last_error == str(failure)
    assert attempts(event) == 0
    tasks.check_risks()
    assert len(provider.asked) == 3
    assert list(violations()) == []
    decide_review(check_id=check_of(event).id, accept=True, reason="asked by telephone", staff="anna")
    assert attempts(event) == 1


def test_it_is_asked_again_not_before_its_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = install(monkeypatch, RiskProviderFailed("reset"), 5)
    event = pay(shop)
    tasks.check_risks()
    tasks.check_risks()
    assert len(provider.asked) == 1
    make_due(event)
    tasks.check_risks()
    assert len(provider.asked) == 2
    assert attempts(event) == 1
    assert len({question.reference for question in provider.asked}) == 1


def test_workers_that_die_while_they_ask_leave_it_to_people(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = install(monkeypatch, 5)
    event = pay(shop)
    now = clock.now()
    for lost in range(3):
        with time_machine.travel(now + lost * 2 * retries.LEASE, tick=False):
            claim = claim_of(event)
            assert risk_checks.begin_question(claim) is not None
            assert risk_checks.claim_checks(limit=10) == []
    with time_machine.travel(now + 6 * retries.LEASE, tick=False):
        tasks.check_risks()
    assert provider.asked == []
    assert states(event) == REVIEWED


def test_a_stale_claim_asks_nothing(shop: Shop) -> None:
    event = pay(shop)
    claim = claim_of(event)
    assert risk_checks.begin_question(risk_checks.RiskClaim(claim.check_id, uuid4())) is None
    assert risk_checks.begin_question(claim) is not None


def test_the_second_answer_decides_nothing(shop: Shop) -> None:
    event = pay(shop)
    claim = claim_of(event)
    risk_checks.record_answer(claim, RiskAnswer(score=5))
    risk_checks.record_answer(claim, RiskAnswer(score=95))
    risk_checks.record_no_answer(claim, detail="late")
    assert outcome(event) == RiskAction.ACCEPT
    assert event.risk_decisions.count() == 2
    assert attempts(event) == 1


def test_an_answer_that_comes_when_people_are_to_decide_decides_nothing(shop: Shop) -> None:
    event = pay(shop)
    claim = claim_of(event)
    answered_late = RiskAnswer(score=5)
    RiskCheck.objects.filter(event=event).update(tries=3)
    risk_checks.record_no_answer(claim, detail="Timeout")
    risk_checks.record_answer(claim, answered_late)
    assert states(event) == REVIEWED
    assert attempts(event) == 0


def test_an_expired_checkout_is_not_charged_by_a_late_answer(shop: Shop) -> None:
    event = pay(shop)
    with time_machine.travel(clock.now() + django_settings.CHECKOUT_LIFE, tick=False):
        claim = claim_of(event)
        risk_checks.record_answer(claim, RiskAnswer(score=5))
        assert attempts(event) == 0
        expire_checkout(event.id)
        assert states(event) == {("FAILED", "", "expired")}
        assert check_of(event).waits_for == RiskWait.NOBODY
        risk_checks.record_answer(claim, RiskAnswer(score=5))
        assert not PaymentAttempt.objects.exists()


def test_a_score_that_no_rule_explains_is_for_people(shop: Shop) -> None:
    event = pay(shop)
    RiskRule.objects.exclude(action=RiskAction.ASK).update(enabled=False)
    answered(event, 5)
    assert states(event) == REVIEWED
    assert reasons(event) == ["No rule says what a score of 5 means."]


def test_a_method_that_no_psp_takes_any_more_is_for_people(shop: Shop, settings: Settings) -> None:
    event = pay(shop)
    providers = settings.PAYMENT_PROVIDERS
    settings.PAYMENT_PROVIDERS = {}
    answered(event, 5)
    assert states(event) == REVIEWED
    settings.PAYMENT_PROVIDERS = providers
    decide_review(check_id=check_of(event).id, accept=True, reason="the PSP is back", staff="anna")
    assert attempts(event) == 1


def test_without_a_provider_people_are_asked(shop: Shop, settings: Settings) -> None:
    settings.RISK_PROVIDER = None
    event = pay(shop)
    assert states(event) == REVIEWED
    assert reasons(event)[-1] == "An outside provider should be asked, and none is configured."


def test_nobody_is_asked_about_what_the_rules_hold_or_refuse_anyway(shop: Shop) -> None:
    another_rule(RiskKind.AMOUNT_ABOVE, RiskAction.REVIEW, parameters={"limit": "50.00"}, currency="EUR")
    another_rule(RiskKind.AMOUNT_ABOVE, RiskAction.REFUSE, parameters={"limit": "99.00"}, currency="EUR")
    assert states(pay(shop, eur("60.00"))) == REVIEWED
    assert states(pay(shop, eur("100.00"))) == {("FAILED", "", "risk_refused")}


def test_a_rule_may_ask_only_about_some(shop: Shop) -> None:
    only_rule(RiskKind.AMOUNT_ABOVE, RiskAction.ASK, parameters={"limit": "50.00"}, currency="EUR")
    assert outcome(pay(shop, eur("50.00"))) == RiskAction.ACCEPT
    assert outcome(pay(shop, eur("50.01"))) == RiskAction.ASK
