"""Bringing payments before the risk rules, through the services that do it in life."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from moneyed import Money

from ledger import clock
from payments.models import (
    PaymentAttempt,
    PaymentEvent,
    PaymentOrder,
    RiskAction,
    RiskCheck,
    RiskDecision,
    RiskRule,
    Shop,
)
from payments.services import risk_checks
from payments.services.checkouts import create_checkout
from payments.services.risk_rules import store_rule
from tests.factories import NewCheckoutFactory, order_for
from tests.payments.arranging import eur

HOUR = timedelta(hours=1)
AMINA: Mapping[str, Any] = {
    "buyer_id": "buyer-7",
    "name": "Amina Yusuf",
    "email": "amina@example.org",
    "phone": "+254712345678",
    "country": "KE",
    "ip_address": "203.0.113.7",
}


def only_rule(kind: str, action: str = RiskAction.REVIEW, **changes: Any) -> RiskRule:
    """One rule in force, and no other."""
    RiskRule.objects.update(enabled=False)
    return another_rule(kind, action, **changes)


def another_rule(kind: str, action: str = RiskAction.REVIEW, **changes: Any) -> RiskRule:
    """One more rule in force."""
    values: dict[str, Any] = {"name": f"test-{kind}-{RiskRule.objects.count()}", **changes}
    return store_rule(RiskRule(kind=kind, action=action, **values), staff="test")


def pay(shop: Shop, *amounts: Money, buyer: Mapping[str, Any] | None = None, **changes: Any) -> PaymentEvent:
    """A shop posts a checkout, one order per amount (10.00 EUR); `changes` go to the buyer or the checkout."""
    info = {**AMINA, **(buyer or {})}
    info = {name: value for name, value in info.items() if value is not None}
    new = NewCheckoutFactory.create(
        buyer_info=info, orders=[order_for(amount) for amount in amounts or (eur("10.00"),)], **changes
    )
    create_checkout(shop=shop, new=new)
    return PaymentEvent.objects.get(shop=shop, checkout_id=new.checkout_id)


def outcome(event: PaymentEvent) -> str:
    """What was decided about it last."""
    return RiskDecision.objects.filter(event=event).latest("at", "id").outcome


def reasons(event: PaymentEvent) -> list[str]:
    """Why."""
    decision = RiskDecision.objects.filter(event=event).latest("at", "id")
    return [reason["text"] for reason in decision.reasons]


def attempts(event: PaymentEvent) -> int:
    """How many ways to pay were made for a PSP."""
    return PaymentAttempt.objects.filter(event=event).count()


def states(event: PaymentEvent) -> set[tuple[str, str, str]]:
    """Status, pending reason and failure code of its orders."""
    return set(
        PaymentOrder.objects.filter(event=event).values_list("status", "pending_reason", "failure_code")
    )


def check_of(event: PaymentEvent) -> RiskCheck:
    """What waits for a judgement about it."""
    return RiskCheck.objects.filter(event=event).latest("created_at")


def claim_of(event: PaymentEvent) -> risk_checks.RiskClaim:
    """A worker claims the due question about it."""
    wanted = check_of(event).id
    return next(claim for claim in risk_checks.claim_checks(limit=100) if claim.check_id == wanted)


def make_due(event: PaymentEvent) -> None:
    """Time passes until it is asked about again."""
    RiskCheck.objects.filter(event=event, next_try_at__isnull=False).update(next_try_at=clock.now())
