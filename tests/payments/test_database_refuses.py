"""Raw SQL that tries to store what must not exist: the database itself says no."""

from decimal import Decimal
from typing import Any

import pytest

from payments.models import (
    AttemptLine,
    Fact,
    IdempotencyKey,
    InboundWebhook,
    OperationTry,
    PaymentAttempt,
    PaymentOrder,
    Shop,
    StateHistory,
    TryLine,
)
from payments.psp.base import InboundEvent
from payments.services.checkouts import create_checkout
from payments.services.inbound import store_webhooks
from tests.factories import NewCheckoutFactory, SellerFactory, order_for
from tests.payments.arranging import bring_to, eur, orders_of, start
from tests.payments.attacks import copy_of, passes, refused, run

pytestmark = pytest.mark.django_db

ORDER, ATTEMPT, LINE = "payments_paymentorder", "payments_paymentattempt", "payments_attemptline"
TRY, FACT, EVENT = "payments_operationtry", "payments_fact", "payments_paymentevent"


@pytest.fixture
def paid() -> PaymentAttempt:
    return bring_to("SUCCEEDED")


@pytest.fixture
def sent() -> PaymentAttempt:
    return bring_to("SENT")


def order_id(attempt: PaymentAttempt) -> str:
    return str(orders_of(attempt)[0].id)


def test_a_second_live_attempt_for_an_order(sent: PaymentAttempt) -> None:
    line = AttemptLine.objects.get()
    statement, parameters = copy_of(ATTEMPT, sent.id, status="CREATED", psp_reference="")
    run(statement, parameters)
    second = PaymentAttempt.objects.exclude(id=sent.id).get()
    refused(
        *copy_of(LINE, line.id, id=2_000_000_001, attempt_id=str(second.id)),
        says="one_live_attempt_per_order",
    )
    run(f"UPDATE {ATTEMPT} SET status = 'DECLINED' WHERE id = %s", [sent.id])
    passes(*copy_of(LINE, line.id, id=2_000_000_002, attempt_id=str(second.id)))


def test_a_second_live_attempt_behind_a_forged_flag(sent: PaymentAttempt) -> None:
    line = AttemptLine.objects.get()
    run(*copy_of(ATTEMPT, sent.id, status="CREATED", psp_reference=""))
    second = PaymentAttempt.objects.exclude(id=sent.id).get()
    forged = copy_of(LINE, line.id, id=2_000_000_001, attempt_id=str(second.id), live=False)
    refused(*forged, says="one_live_attempt_per_order")
    run(f"UPDATE {LINE} SET live = false WHERE id = %s", [line.id])
    line.refresh_from_db()
    assert line.live, "the flag is the attempt's, whatever a statement says"


def test_a_line_for_an_order_that_is_final(paid: PaymentAttempt) -> None:
    run(*copy_of(ATTEMPT, paid.id, status="CREATED", psp_reference="", captured=0, completed_at=None))
    second = PaymentAttempt.objects.exclude(id=paid.id).get()
    line = AttemptLine.objects.get()
    refused(*copy_of(LINE, line.id, attempt_id=str(second.id)), says="cannot be charged by attempt")


def test_a_line_in_another_checkout_or_currency(sent: PaymentAttempt) -> None:
    other = start()
    line = AttemptLine.objects.get(attempt=sent)
    refused(*copy_of(LINE, line.id, attempt_id=str(other.id)), says="cannot be charged by attempt")
    refused(*copy_of(LINE, line.id, currency="USD"), says="cannot be charged by attempt")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("capture_entry_id = NULL", "order_success_is_booked"),
        ("ledger_updated = false", "order_success_is_booked"),
        ("wallet_updated = false", "order_success_is_booked"),
        ("captured = 0", "order_success_is_booked"),
        ("captured = 10.0001", "order_captured_within_amount"),
        ("captured = -1", "order_captured_within_amount"),
        ("refunded = -0.01", "order_returns_are_not_negative"),
        ("charged_back = -0.01", "order_returns_are_not_negative"),
        ("failure_code = 'declined:late'", "order_failure_has_a_code"),
        ("completed_at = NULL", "order_final_waits_for_nobody"),
        ("pending_reason = 'submitted'", "order_final_waits_for_nobody"),
        ("status = 'FAILED', failure_code = 'declined:x'", "cannot go from SUCCESS to FAILED"),
    ],
)
def test_a_paid_order_that_is_not_what_it_says(paid: PaymentAttempt, what: str, says: str) -> None:
    refused(f"UPDATE {ORDER} SET {what}", says=says)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("status = 'SUCCESS', completed_at = now(), pending_reason = ''", "order_success_is_booked"),
        (
            "status = 'SUCCESS', completed_at = now(), pending_reason = '', captured = amount,"
            " ledger_updated = true, wallet_updated = true",
            "order_success_is_booked",
        ),
        (
            "status = 'SUCCESS', completed_at = now(), pending_reason = '', captured = amount,"
            " ledger_updated = true, wallet_updated = true, capture_entry_id = 987654321",
            "foreign key",
        ),
        ("status = 'FAILED', completed_at = now(), pending_reason = ''", "order_failure_has_a_code"),
        ("status = 'FAILED', failure_code = 'x', pending_reason = ''", "order_final_waits_for_nobody"),
        ("captured = amount", "order_success_is_booked"),
        ("ledger_updated = true, wallet_updated = true", "order_success_is_booked"),
        ("status = 'NOT_STARTED'", "cannot go from EXECUTING to NOT_STARTED"),
        ("status = 'PAID'", "cannot go from EXECUTING to PAID"),
    ],
)
def test_an_open_order_that_pretends(sent: PaymentAttempt, what: str, says: str) -> None:
    refused(f"UPDATE {ORDER} SET {what}", says=says)


def test_two_orders_with_one_capture_entry(paid: PaymentAttempt, sent: PaymentAttempt) -> None:
    entry = orders_of(paid)[0].capture_entry_id
    refused(
        f"UPDATE {ORDER} SET status = 'SUCCESS', completed_at = now(), pending_reason = '', captured = amount,"
        " ledger_updated = true, wallet_updated = true, capture_entry_id = %s WHERE id = %s",
        [entry, order_id(sent)],
        says="unique constraint",
    )


@pytest.mark.parametrize(
    "what",
    [
        "amount = 9",
        "currency = 'USD'",
        "commission_rate = 0",
        "payment_order_id = 'another'",
        "position = 7",
        "created_at = now() - interval '1 day'",
        "seller_id = %(seller)s",
        "shop_id = %(shop)s",
        "event_id = %(event)s",
    ],
)
def test_an_order_that_was_agreed_otherwise(sent: PaymentAttempt, shop: Shop, what: str) -> None:
    others = {
        "seller": SellerFactory.create().id,
        "shop": shop.id,
        "event": start().event_id,
        "order": order_id(sent),
    }
    refused(f"UPDATE {ORDER} SET {what} WHERE id = %(order)s", others, says="never change")


@pytest.mark.parametrize("amount", ["0", "-0.01", "-10"])
def test_amounts_that_are_not_above_zero(paid: PaymentAttempt, amount: str) -> None:
    changes: dict[str, Any] = {"amount": amount}
    fresh = {"status": "NOT_STARTED", "captured": 0, "ledger_updated": False, "wallet_updated": False}
    refused(
        *copy_of(
            ORDER,
            orders_of(paid)[0].id,
            **changes,
            **fresh,
            payment_order_id="new",
            position=9,
            capture_entry_id=None,
            completed_at=None,
        ),
        says="order_amount_is_positive|order_captured_within_amount",
    )
    refused(
        *copy_of(ATTEMPT, paid.id, **changes, status="CREATED", captured=0, psp_reference=""),
        says="attempt_amount_is_positive|attempt_captured_within_amount",
    )
    one = OperationTry.objects.get()
    due = {"status": "CREATED", "next_try_at": "2026-01-01T00:00:00Z"}
    refused(*copy_of(TRY, one.id, **changes, **due), says="try_amount_is_positive")


def test_a_capture_line_without_money() -> None:
    bring_to("CAPTURING")
    line = TryLine.objects.get()
    for amount in ("0", "-1"):
        refused(
            *copy_of("payments_tryline", line.id, amount=amount, order_id=order_id(start())),
            says="try_line_amount_is_positive",
        )


@pytest.mark.parametrize("rate", [Decimal("-0.00001"), Decimal("1.00001")])
def test_a_commission_that_is_no_share(paid: PaymentAttempt, rate: Decimal) -> None:
    refused("UPDATE payments_sellerterms SET commission_rate = %s", [rate], says="commission_rate_is_a_share")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("amount = 11", "never change"),
        ("currency = 'USD'", "never change"),
        ("psp_account = 'other'", "never change"),
        ("method = 'cheque'", "never change"),
        ("manual_capture = true", "never change"),
        ("captured = 10.01", "attempt_captured_within_amount"),
        ("captured = -1", "attempt_captured_within_amount"),
        ("status = 'SUCCEEDED'", "attempt_success_has_captured"),
    ],
)
def test_an_attempt_that_is_not_what_was_asked_for(sent: PaymentAttempt, what: str, says: str) -> None:
    refused(f"UPDATE {ATTEMPT} SET {what}", says=says)


def test_two_attempts_with_one_payment_of_the_psp(paid: PaymentAttempt, sent: PaymentAttempt) -> None:
    paid.refresh_from_db()
    refused(
        f"UPDATE {ATTEMPT} SET psp_reference = %s WHERE id = %s",
        [paid.psp_reference, sent.id],
        says="one_attempt_per_psp_reference",
    )


@pytest.mark.parametrize("state", ["CREATED", "SENT", "UNKNOWN"])
def test_an_open_call_that_nobody_would_ever_look_at(state: str) -> None:
    bring_to(state)
    refused(f"UPDATE {TRY} SET next_try_at = NULL", says="open_try_is_due_or_dead")
    passes(f"UPDATE {TRY} SET next_try_at = NULL, dead_at = now()")


def test_a_second_open_call_for_an_attempt(sent: PaymentAttempt) -> None:
    one = OperationTry.objects.get()
    refused(*copy_of(TRY, one.id, status="CREATED"), says="one_open_try_per_attempt")


def test_a_call_that_was_sent_at_no_time(sent: PaymentAttempt) -> None:
    refused(f"UPDATE {TRY} SET first_sent_at = NULL", says="try_sent_has_its_time")


@pytest.mark.parametrize("what", ["amount = 1", "operation = 'cancel'", "final = false", "reason = 'x'"])
def test_a_call_that_asked_for_something_else(sent: PaymentAttempt, what: str) -> None:
    refused(f"UPDATE {TRY} SET {what}", says="never change")


def test_the_same_fact_twice(paid: PaymentAttempt) -> None:
    refused(*copy_of(FACT, Fact.objects.get().id), says="each_fact_counts_once")


def test_the_same_webhook_twice() -> None:
    store_webhooks(
        psp_account="sandbox", events=[InboundEvent(dedup_key="evt-1", event_type="payment.x", body=b"{}")]
    )
    one = InboundWebhook.objects.get()
    refused(*copy_of("payments_inboundwebhook", one.id), says="each_webhook_stored_once")
    refused("UPDATE payments_inboundwebhook SET body = ''", says="never change")
    refused("UPDATE payments_inboundwebhook SET next_try_at = NULL", says="handled_due_parked_or_dead")


def test_two_answers_under_one_key(shop: Shop) -> None:
    create_checkout(shop=shop, new=NewCheckoutFactory.create(), idempotency_key="key-1")
    key = IdempotencyKey.objects.get()
    refused(*copy_of("payments_idempotencykey", key.id), says="one_answer_per_key")
    refused("UPDATE payments_idempotencykey SET answer = '{}'", says="never change")


def test_two_checkouts_or_orders_under_one_id_of_the_shop(shop: Shop) -> None:
    create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=[order_for(eur("1.00"))]))
    order = PaymentOrder.objects.get()
    refused(*copy_of(EVENT, order.event_id), says="one_checkout_per_shop_id")
    refused(*copy_of(ORDER, order.id, position=1), says="one_order_per_shop_id")
    refused(*copy_of(ORDER, order.id, payment_order_id="x"), says="one_order_per_position")
    refused(f"UPDATE {EVENT} SET content_digest = ''", says="never change")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (FACT, "append-only"),
        ("payments_statehistory", "append-only"),
        (ORDER, "never deleted"),
        (ATTEMPT, "never deleted"),
        (LINE, "never deleted"),
        (TRY, "never deleted"),
        (EVENT, "never deleted"),
        ("wallet_lot", "never deleted"),
        ("wallet_wallet", "never deleted"),
        ("wallet_accountholder", "never deleted"),
        ("ledger_entry", "a correction is another entry"),
        ("ledger_posting", "a correction is another entry"),
        ("ledger_account", "refused"),
    ],
)
def test_rows_that_are_deleted(paid: PaymentAttempt, table: str, says: str) -> None:
    refused(f"DELETE FROM {table}", says=says)


def test_history_and_evidence_that_are_rewritten(paid: PaymentAttempt) -> None:
    assert Fact.objects.exists() and StateHistory.objects.exists()
    refused(f"UPDATE {FACT} SET amount = 1", says="append-only")
    refused(f"UPDATE {FACT} SET verdict = 'late'", says="append-only")
    refused("UPDATE payments_statehistory SET actor = 'nobody'", says="append-only")


def test_the_entry_of_a_capture_that_is_edited_or_unbalanced(paid: PaymentAttempt) -> None:
    refused("UPDATE ledger_posting SET amount = amount * 2", says="a correction is another entry")
    refused("UPDATE ledger_entry SET description = ''", says="a correction is another entry")
    refused("UPDATE ledger_account SET balance = balance + 1", says="by hand is refused|is fixed")
    refused(
        "WITH e AS (INSERT INTO ledger_entry (reference, kind, description, occurred_at, created_at,"
        "  accounting_date, forced, fingerprint)"
        " SELECT 'forged', 'capture', '', now(), now(), current_date, true, fingerprint FROM ledger_entry"
        " LIMIT 1 RETURNING id)"
        " INSERT INTO ledger_posting (entry_id, line, account_id, amount)"
        " SELECT e.id, n, a.id, 5 FROM e, generate_series(1, 2) n,"
        "  (SELECT id FROM ledger_account WHERE policy = 'deferred' ORDER BY id LIMIT 1) a",
        says="sum zero per currency",
    )
