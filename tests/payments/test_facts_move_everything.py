"""A fact moves state, journal, wallets, history and outbox in one commit, or nothing at all."""

from decimal import Decimal
from unittest import mock

import pytest

from ledger import money
from payments import bookkeeping, records
from payments.models import (
    Discrepancy,
    Fact,
    OperationTry,
    OutboxEvent,
    PaymentAttempt,
    PaymentOrder,
    StateHistory,
    Verdict,
)
from payments.psp.base import Outcome
from payments.representation import amount_text
from payments.services.another_attempt import request_attempt
from payments.services.checkouts import create_checkout
from payments.states import OrderStatus, PendingReason, TryStatus
from tests.factories import NewCheckoutFactory, SellerFactory, ShopFactory, order_for
from tests.payments.arranging import begin, books, bring_to, eur, look, orders_of, start, tell
from wallet.models import Lot

pytestmark = pytest.mark.django_db


def test_a_success_moves_order_journal_wallet_history_and_outbox_together() -> None:
    attempt = bring_to("SENT")
    fact = tell(attempt)
    (order,) = orders_of(attempt)
    assert (order.status, order.pending_reason) == (OrderStatus.SUCCESS, "")
    assert order.ledger_updated and order.wallet_updated and order.captured == eur("10.00")
    entry = order.capture_entry
    assert entry is not None and entry.reference == f"capture:{attempt.id}:{order.id}:1"
    lot = Lot.objects.get()
    assert (lot.source_id, lot.original, lot.pending) == (order.id, eur("9.00"), eur("9.00"))
    assert lot.wallet.holder_id == order.seller_id
    step = StateHistory.objects.get(object_id=order.id, to_state="SUCCESS")
    assert (step.from_state, step.actor, step.fact_id) == ("EXECUTING", "psp:sandbox", fact.id)
    news = OutboxEvent.objects.latest("id")
    assert news.event_type == "payment_order.succeeded"
    assert (news.payload["payment_order_status"], news.payload["captured_amount"]) == ("SUCCESS", "10.00")
    operation_try = OperationTry.objects.get()
    assert (operation_try.status, operation_try.next_try_at) == (TryStatus.ANSWERED, None)


def test_an_order_is_as_old_in_the_books_as_the_psp_says() -> None:
    attempt = bring_to("SENT")
    happened = attempt.created_at.replace(year=2025)
    fact = tell(attempt, occurred_at=happened)
    (order,) = orders_of(attempt)
    assert fact.occurred_at == happened
    assert order.capture_entry is not None and order.capture_entry.occurred_at == happened


@pytest.mark.parametrize("part", ["journal", "wallet", "history", "outbox"])
def test_when_one_part_fails_nothing_has_moved(part: str) -> None:
    where = {
        "journal": (bookkeeping, "post_many"),
        "wallet": (bookkeeping, "open_lots"),
        "history": (records, "store_steps"),
        "outbox": (records, "announce"),
    }[part]
    attempt = bring_to("SENT")
    before = look()
    with mock.patch.object(*where, side_effect=RuntimeError("out of order")), pytest.raises(RuntimeError):
        tell(attempt)
    assert look() == before
    assert not Fact.objects.exists()


def test_a_success_for_three_orders_pays_three_sellers() -> None:
    attempt = start(amounts=[eur("40.00"), eur("15.50"), eur("0.99")])
    begin(attempt)
    tell(attempt)
    orders = orders_of(attempt)
    first, second, third = (order.seller.reference for order in orders)
    assert {order.status for order in orders} == {OrderStatus.SUCCESS}
    assert len({order.capture_entry_id for order in orders}) == 3
    assert books() == {
        "psp_receivable:sandbox:EUR": "56.49",
        f"wallet_pending:{first}:EUR": "-36.00",
        f"wallet_pending:{second}:EUR": "-13.95",
        f"wallet_pending:{third}:EUR": "-0.89",
        "commission_income:EUR": "-5.65",
    }


def test_two_orders_of_one_seller_are_two_entries_and_two_lots_in_one_wallet() -> None:
    seller = SellerFactory.create()
    orders = [order_for(eur("10.00"), seller), order_for(eur("20.00"), seller)]
    create_checkout(shop=ShopFactory.create(), new=NewCheckoutFactory.create(orders=orders))
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt)
    assert books()[f"wallet_pending:{seller.reference}:EUR"] == "-27.00"
    assert sorted(lot.original for lot in Lot.objects.all()) == [eur("9.00"), eur("18.00")]


@pytest.mark.parametrize(
    ("currency", "amount", "rate", "seller_gets", "we_get"),
    [
        ("EUR", "10.00", "0", "10.00", "0.00"),
        ("EUR", "10.00", "1", "0.00", "10.00"),
        ("EUR", "0.01", "0.10", "0.01", "0.00"),
        ("EUR", "0.05", "0.10", "0.04", "0.01"),  # Half a cent is a cent of ours.
        ("EUR", "0.04", "0.10", "0.04", "0.00"),
        ("EUR", "99.99", "0.03333", "96.66", "3.33"),
        ("EUR", "999999999.99", "0.99999", "10000.00", "999989999.99"),
        ("JPY", "1", "0.5", "0", "1"),
        ("JPY", "999", "0.10", "899", "100"),
        ("KWD", "1.001", "0.10", "0.901", "0.100"),
        ("KWD", "0.001", "0.49999", "0.001", "0.000"),
        ("BHD", "0.005", "0.10", "0.004", "0.001"),
    ],
)
def test_the_commission_is_rounded_half_up_and_the_seller_gets_the_rest(
    currency: str, amount: str, rate: str, seller_gets: str, we_get: str
) -> None:
    seller = SellerFactory.create(commission_rate=Decimal(rate))
    whole = money.parse_amount(amount, currency)
    orders = [order_for(whole, seller)]
    create_checkout(shop=ShopFactory.create(), new=NewCheckoutFactory.create(orders=orders))
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt)
    (order,) = orders_of(attempt)
    expected = {
        f"psp_receivable:sandbox:{currency}": amount,
        f"wallet_pending:{seller.reference}:{currency}": f"-{seller_gets}",
        f"commission_income:{currency}": f"-{we_get}",
    }
    assert books() == {account: held for account, held in expected.items() if Decimal(held)}
    assert amount_text(order.captured) == amount
    assert Lot.objects.count() == (1 if Decimal(seller_gets) else 0)


@pytest.mark.parametrize(
    ("outcome", "changes", "failure_code"),
    [
        (Outcome.DECLINED, {"decline_code": "insufficient_funds"}, "declined:insufficient_funds"),
        (Outcome.DECLINED, {}, "declined:unspecified"),
        (Outcome.REFUSED, {"decline_code": "token_unknown"}, "refused:token_unknown"),
        (Outcome.CANCELED, {}, "canceled"),
        (Outcome.EXPIRED, {}, "expired"),
    ],
)
def test_an_order_that_is_not_paid_says_why_and_costs_nothing(
    outcome: Outcome, changes: dict[str, str], failure_code: str
) -> None:
    attempt = bring_to("SENT")
    tell(attempt, outcome, **changes)
    (order,) = orders_of(attempt)
    assert (order.status, order.failure_code) == (OrderStatus.FAILED, failure_code)
    assert not order.ledger_updated and not order.wallet_updated and order.completed_at
    assert OutboxEvent.objects.latest("id").event_type == "payment_order.failed"
    assert not attempt.lines.filter(live=True).exists()
    assert books() == {}


def test_a_buyer_who_may_choose_is_given_the_order_back() -> None:
    shop, new = ShopFactory.create(), NewCheckoutFactory.create(method="", token="")
    create_checkout(shop=shop, new=new)
    request_attempt(
        shop=shop, checkout_id=new.checkout_id, method="card", token="tok_lost", idempotency_key="key-1"
    )
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt, Outcome.DECLINED, decline_code="lost_card")
    order = PaymentOrder.objects.get()
    assert (order.status, order.pending_reason) == (OrderStatus.EXECUTING, PendingReason.AWAITING_BUYER)
    assert (order.failure_code, order.last_failure_code) == ("", "declined:lost_card")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.REQUIRES_ACTION, PendingReason.REQUIRES_ACTION),
        (Outcome.IN_REVIEW, PendingReason.PSP_REVIEW),
        (Outcome.PROCESSING, PendingReason.PROCESSING),
    ],
)
def test_an_order_says_whom_it_waits_for(outcome: Outcome, reason: PendingReason) -> None:
    attempt = bring_to("SENT")
    tell(attempt, outcome)
    (order,) = orders_of(attempt)
    assert (order.status, order.pending_reason) == (OrderStatus.EXECUTING, reason)
    news = OutboxEvent.objects.latest("id")
    assert (news.event_type, news.payload["pending_reason"]) == ("payment_order.pending", reason)


def test_what_the_buyer_must_do_is_kept_until_it_is_done() -> None:
    attempt = bring_to("SENT")
    action = {"type": "redirect", "url": "https://bank.example/3ds/secret"}
    tell(attempt, Outcome.REQUIRES_ACTION, client_action=action)
    attempt.refresh_from_db()
    assert attempt.client_action == action
    tell(attempt, Outcome.PROCESSING)
    attempt.refresh_from_db()
    assert attempt.client_action is None


def test_a_psps_report_keeps_its_own_words() -> None:
    attempt = bring_to("SENT")
    fact = tell(attempt, raw={"id": "pay_1", "network_code": "00"})
    assert (fact.raw, fact.verdict) == ({"id": "pay_1", "network_code": "00"}, Verdict.APPLIED)
    assert (fact.amount, fact.captured) == (eur("10.00"), eur("10.00"))
    assert not Discrepancy.objects.exists()
