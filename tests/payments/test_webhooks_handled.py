"""Stored webhooks become facts: in whatever order they come, and however often."""

from datetime import timedelta
from itertools import permutations
from typing import Any
from unittest import mock

import pytest
from time_machine import Traveller

from ledger import clock
from payments import retries, tasks
from payments.models import (
    Discrepancy,
    DiscrepancyKind,
    Fact,
    FactSource,
    InboundWebhook,
    PaymentAttempt,
    Verdict,
    Work,
)
from payments.states import AttemptStatus, OrderStatus, PendingReason
from tests.payments.arranging import begin, books, bring_to, look, orders_of, start, tell
from tests.payments.webhook_arranging import deliver, event

pytestmark = pytest.mark.django_db


def handle(*events: object) -> None:
    """The PSP delivers these events, and a worker handles what is stored."""
    for item in events:
        assert deliver(item) == 204
    tasks.handle_webhooks()


def test_a_success_by_webhook_pays_the_order() -> None:
    attempt = bring_to("SENT")
    handle(event(attempt, "succeeded", "evt_1"))
    (order,) = orders_of(attempt)
    assert order.status == OrderStatus.SUCCESS
    row = InboundWebhook.objects.get()
    assert (row.handled_at is not None, row.next_try_at, row.tries) == (True, None, 1)
    assert Fact.objects.get().source == FactSource.WEBHOOK


def test_a_decline_by_webhook_names_its_code() -> None:
    attempt = bring_to("PENDING")
    handle(event(attempt, "declined", "evt_1"))
    assert orders_of(attempt)[0].failure_code == "declined:insufficient_funds"


WAYS = {
    "succeeded": ("processing", "requires_action", "succeeded"),
    "declined": ("processing", "in_review", "declined"),
}


@pytest.mark.parametrize(
    ("end", "order"), [(end, way) for end, words in WAYS.items() for way in permutations(words)]
)
def test_the_order_of_arrival_and_repetition_change_nothing_in_the_end(
    end: str, order: tuple[str, ...]
) -> None:
    attempt = bring_to("SENT")
    events = {word: event(attempt, word, f"evt_{word}") for word in order}
    for word in order:
        handle(events[word], events[word])
    for word in reversed(order):
        handle(events[word])
    attempt.refresh_from_db()
    (paid,) = orders_of(attempt)
    if end == "succeeded":
        assert (attempt.status, paid.status) == (AttemptStatus.SUCCEEDED, OrderStatus.SUCCESS)
        assert books()["psp_receivable:sandbox:EUR"] == "10.00"
    else:
        assert (attempt.status, paid.status) == (AttemptStatus.DECLINED, OrderStatus.FAILED)
        assert books() == {}
    assert Fact.objects.count() == InboundWebhook.objects.filter(handled_at__isnull=False).count() == 3
    assert not Discrepancy.objects.exists()


def test_a_batch_of_all_of_them_at_once_ends_the_same() -> None:
    attempt = bring_to("SENT")
    handle(*(event(attempt, word, f"evt_{word}") for word in ("succeeded", "requires_action", "processing")))
    assert orders_of(attempt)[0].status == OrderStatus.SUCCESS


def test_the_webhook_may_come_before_the_answer() -> None:
    attempt = start()
    begin(attempt)
    handle(event(attempt, "succeeded", "evt_1"))
    before = look()
    answer = tell(attempt, source=FactSource.ANSWER)
    assert (answer.verdict, look()) == (Verdict.ALREADY_SO, before)


def test_a_webhook_about_what_we_never_sent_is_kept_and_the_answer_still_counts() -> None:
    """After a restore to an earlier time the PSP knows more than we do."""
    attempt = start()
    handle(event(attempt, "succeeded", "evt_1"))
    assert books() == {}
    assert Discrepancy.objects.get().kind == DiscrepancyKind.STATUS
    begin(attempt)
    tell(attempt, source=FactSource.ANSWER)
    assert orders_of(attempt)[0].status == OrderStatus.SUCCESS
    assert books()["psp_receivable:sandbox:EUR"] == "10.00"


def test_a_type_that_nobody_knows_is_parked_and_not_called_handled() -> None:
    attempt = bring_to("SENT")
    before = look()
    handle(event(attempt, "succeeded", "evt_1", kind="payment.teleported"))
    row = InboundWebhook.objects.get()
    assert (row.parked, row.handled_at, row.next_try_at) == (True, None, None)
    assert (look(), Fact.objects.count()) == (before, 0)


def test_a_payment_that_is_not_ours_is_kept_and_a_person_is_told() -> None:
    attempt = bring_to("SENT")
    before = look()
    handle(event(attempt, "succeeded", "evt_1", id="pay_strange", reference="somebody else's"))
    assert InboundWebhook.objects.get().handled_at is not None
    assert Fact.objects.get().verdict == Verdict.UNKNOWN_OBJECT
    assert Discrepancy.objects.get().kind == DiscrepancyKind.UNKNOWN_OBJECT
    assert look() == before


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"amount": 1001, "amount_captured": 1001}, DiscrepancyKind.AMOUNT),
        ({"amount_captured": 999}, DiscrepancyKind.AMOUNT),
        ({"currency": "USD"}, DiscrepancyKind.CURRENCY),
        ({"reference": "another"}, DiscrepancyKind.REFERENCE),
    ],
)
def test_an_amount_is_not_believed_because_a_webhook_says_so(
    changes: dict[str, Any], kind: DiscrepancyKind
) -> None:
    attempt = bring_to("PENDING")
    before = look()
    handle(event(attempt, "succeeded", "evt_1", **changes))
    assert (look(), Discrepancy.objects.get().kind) == (before, kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_captured": "1000"},
        {"amount": "10.00"},
        {"amount": None},
        {"currency": "EURO"},
        {"updated": "now"},
    ],
)
def test_an_event_that_cannot_be_read_waits_and_does_not_keep_the_others_waiting(
    hands: Traveller, changes: dict[str, Any]
) -> None:
    attempt, other = bring_to("SENT"), bring_to("SENT")
    handle(event(attempt, "succeeded", "evt_bad", **changes), event(other, "succeeded", "evt_good"))
    assert orders_of(other)[0].status == OrderStatus.SUCCESS
    bad = InboundWebhook.objects.get(dedup_key="evt_bad")
    assert (bad.handled_at, bad.dead_at, bad.tries) == (None, None, 1)
    assert bad.next_try_at is not None and bad.next_try_at > clock.now()
    assert bad.last_error


def test_an_event_that_fails_again_and_again_becomes_a_dead_letter(hands: Traveller) -> None:
    attempt = bring_to("SENT")
    handle(event(attempt, "succeeded", "evt_bad", amount=None))
    most = next(row for row in retries.STRATEGIES if row.work == Work.HANDLE_WEBHOOK).most_tries
    assert most is not None
    for tries in (most - 2, most - 1):
        row = InboundWebhook.objects.get()
        assert row.dead_at is None
        InboundWebhook.objects.update(tries=tries)
        hands.shift(timedelta(hours=1))
        tasks.handle_webhooks()
    row = InboundWebhook.objects.get()
    assert (row.dead_at, row.next_try_at, row.handled_at) == (clock.now(), None, None)


def test_a_worker_that_dies_after_applying_does_it_once(hands: Traveller) -> None:
    attempt = bring_to("SENT")
    with (
        mock.patch("payments.services.inbound.record_handled", side_effect=SystemExit),
        pytest.raises(SystemExit),
    ):
        handle(event(attempt, "succeeded", "evt_1"))
    before = look()
    hands.shift(retries.LEASE)
    tasks.handle_webhooks()
    assert look() == before
    assert InboundWebhook.objects.get().handled_at is not None


def test_news_that_the_buyer_must_act_reaches_the_order() -> None:
    attempt = bring_to("SENT")
    action = {"type": "redirect", "redirect_url": "https://bank.example/3ds"}
    handle(event(attempt, "requires_action", "evt_1", next_action=action))
    assert orders_of(attempt)[0].pending_reason == PendingReason.REQUIRES_ACTION
    assert PaymentAttempt.objects.get().client_action == action
