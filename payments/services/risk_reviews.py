"""The second look: a person lets a payment through or refuses it, and says why."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from moneyed import Money

from ledger import clock
from payments.errors import CheckoutClosed, ReasonMissing, ReviewClosed
from payments.models import RiskAction, RiskCheck, RiskDecision, RiskStage, RiskWait
from payments.risk.rules import Reason, Verdict, totals_of
from payments.services.admission import lock_check, settle

LONGEST_REASON = 1000


def totals_under_review(check: RiskCheck) -> Sequence[Money]:
    """What is to be charged when it is accepted, one amount per currency."""
    open_orders = [order.amount for order in check.event.orders.all() if not order.is_final]
    return list(totals_of(open_orders).values())


@transaction.atomic
def decide_review(*, check_id: UUID, accept: bool, reason: str, staff: str) -> RiskDecision:
    """Accept: the attempts are made and the PSP is called after commit. Refuse: the orders fail.

    Of two people who decide at once, the first decides and the second is told so.

    Raises:
        ReasonMissing: no written reason (422).
        ReviewClosed: it does not wait for staff, or no more (409).
        CheckoutClosed: accepted after the checkout's time was over (409).
        What `plan_attempts` raises: no PSP takes the method any more; it may still be refused (422).
    """
    text = " ".join(reason.split())[:LONGEST_REASON]
    if not text:
        raise ReasonMissing
    if not RiskCheck.objects.filter(id=check_id).exists():
        raise ReviewClosed
    locked = lock_check(check_id)
    if locked.check.waits_for != RiskWait.STAFF or not locked.orders:
        raise ReviewClosed
    now = clock.now()
    if accept and (locked.event.closed_at is not None or locked.event.expires_at <= now):
        raise CheckoutClosed
    outcome = RiskAction.ACCEPT if accept else RiskAction.REFUSE
    return settle(
        locked,
        Verdict(outcome, (Reason("", text),)),
        stage=RiskStage.STAFF,
        decided_by=f"staff:{staff}",
        now=now,
    )
