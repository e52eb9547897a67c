"""Bringing payments to where a test begins, through the services and facts that do it in life."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from moneyed import Money

from ledger import money
from ledger.services import trial_balance
from payments.facts import apply_fact
from payments.models import Fact, FactSource, OperationTry, PaymentAttempt, PaymentOrder, Shop
from payments.psp.base import Outcome
from payments.services import calls
from payments.services.captures import CaptureWish, request_capture
from payments.services.checkouts import create_checkout
from payments.states import AttemptStatus
from tests.factories import NewCheckoutFactory, ShopFactory, order_for, report_about

PSP = "sandbox"


def eur(text: str) -> Money:
    """An amount in euros."""
    return money.parse_amount(text, "EUR")


def start(
    shop: Shop | None = None, amounts: Sequence[Money] = (eur("10.00"),), **changes: Any
) -> PaymentAttempt:
    """A new checkout over these amounts, each for a seller of its own; returns its one attempt."""
    shop = shop or ShopFactory.create()
    new = NewCheckoutFactory.create(orders=[order_for(amount) for amount in amounts], **changes)
    create_checkout(shop=shop, new=new)
    return PaymentAttempt.objects.select_related("event__shop").get(
        event__shop=shop, event__checkout_id=new.checkout_id
    )


def tell(
    attempt: PaymentAttempt,
    outcome: Outcome = Outcome.SUCCEEDED,
    source: str = FactSource.WEBHOOK,
    **changes: Any,
) -> Fact:
    """A PSP tells about this attempt, and we take it in."""
    return apply_fact(psp_account=PSP, source=source, report=report_about(attempt, outcome, **changes))


def begin(attempt: PaymentAttempt) -> calls.Call:
    """A worker claims the attempt's due call and begins it."""
    claim = claim_of(attempt)
    call = calls.begin(claim)
    assert call is not None, "nothing to call"
    return call


def claim_of(attempt: PaymentAttempt) -> calls.Claim:
    """The claim on the one call of this attempt that is due."""
    claims = {claim.try_id: claim for claim in calls.claim_calls(limit=100)}
    due = OperationTry.objects.filter(attempt=attempt, id__in=claims).latest("id")
    return claims[due.id]


def bring_to(status: str, shop: Shop | None = None, **changes: Any) -> PaymentAttempt:
    """A new attempt in this state, by the shortest way that life takes there."""
    reserved = status in (AttemptStatus.AUTHORIZED, AttemptStatus.CAPTURING)
    attempt = start(shop, manual_capture=reserved, **changes)
    if status == AttemptStatus.CREATED:
        return attempt
    call = begin(attempt)
    nothing = money.zero(attempt.amount.currency.code)
    match status:
        case AttemptStatus.UNKNOWN:
            calls.record_doubt(call.claim, error_class="uncertain", detail="the connection was lost")
        case AttemptStatus.PENDING:
            tell(attempt, Outcome.PROCESSING)
        case AttemptStatus.AUTHORIZED | AttemptStatus.CAPTURING:
            tell(attempt, Outcome.AUTHORIZED, captured=nothing)
        case AttemptStatus.SUCCEEDED:
            tell(attempt)
        case AttemptStatus.DECLINED:
            tell(attempt, Outcome.DECLINED, decline_code="insufficient_funds")
        case AttemptStatus.CANCELED:
            tell(attempt, Outcome.CANCELED)
        case AttemptStatus.EXPIRED:
            tell(attempt, Outcome.EXPIRED)
    if status == AttemptStatus.CAPTURING:
        wishes = [CaptureWish(order.payment_order_id) for order in orders_of(attempt)]
        request_capture(shop=attempt.event.shop, wishes=wishes)
        begin(attempt)
    attempt.refresh_from_db()
    assert attempt.status == status
    return attempt


def orders_of(attempt: PaymentAttempt) -> list[PaymentOrder]:
    """The orders that the attempt is to pay, in the shop's order, as they are now."""
    return list(
        PaymentOrder.objects.select_related("seller")
        .filter(attempt_lines__attempt=attempt)
        .order_by("position")
    )


def books() -> dict[str, str]:
    """What every account that is not empty holds, debits above zero; wallets by their seller's account."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.id::text, h.reference || ':' || w.currency"
            " FROM wallet_wallet w JOIN wallet_accountholder h ON h.id = w.holder_id"
        )
        owners = dict(cursor.fetchall())
    held = {}
    for row in trial_balance():
        name, _, rest = row.code.partition(":")
        if amount := (row.debit - row.credit).amount:
            held[f"{name}:{owners.get(rest, rest)}"] = str(amount)
    return held


@dataclass(frozen=True)
class Everything:
    """All rows that a fact may move, to be compared with a later look."""

    rows: dict[str, list[tuple[Any, ...]]]


MOVED_BY_FACTS = (
    "payments_paymentevent",
    "payments_paymentorder",
    "payments_paymentattempt",
    "payments_attemptline",
    "payments_statehistory",
    "payments_outboxevent",
    "ledger_account",
    "ledger_entry",
    "ledger_posting",
    "ledger_tail",
    "wallet_wallet",
    "wallet_lot",
)


def look(*tables: str) -> Everything:
    """Everything as it is now: states, history, outbox, journal, wallets and lots."""
    with connection.cursor() as cursor:
        found = {}
        for table in tables or MOVED_BY_FACTS:
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            found[table] = cursor.fetchall()
    return Everything(found)
