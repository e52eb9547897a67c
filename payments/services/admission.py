"""A way to pay meets the risk rules before any PSP hears of it: it is attempted, or waits for a judgement, or fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from payments.bell import RISK_CHECKS, ring_on_commit
from payments.errors import RiskCheckOpen
from payments.facts import Moves
from payments.models import (
    PaymentEvent,
    PaymentOrder,
    RiskAction,
    RiskCheck,
    RiskDecision,
    RiskStage,
    RiskWait,
)
from payments.risk.names import tokens
from payments.risk.rules import Payment, Reason, Verdict, evaluate, totals_of
from payments.risk.signals import measure
from payments.risk.subjects import Subjects, subjects_of
from payments.services.attempts import Plan, plan_attempts, store_attempts
from payments.states import OrderStatus, PendingReason

REFUSED = "risk_refused"
RULES = "rules"


@dataclass(slots=True)
class LockedCheck:
    """A payment that waits for a judgement, with all that the judgement may move."""

    event: PaymentEvent
    orders: list[PaymentOrder]
    """Those that are not final."""
    check: RiskCheck


def admit(
    *,
    event: PaymentEvent,
    orders: Sequence[PaymentOrder],
    plan: Plan,
    method: str,
    token: str,
    now: datetime,
) -> Moves:
    """Let the rules judge a way to pay stored orders, and do what they say; the caller stores the moves.

    Accepted: the planned attempts are stored, due at once. Refused: the orders fail. Otherwise nothing is sent to
    anybody but the risk provider; method and token are kept, encrypted, until the judgement is there.
    """
    subjects = subjects_of(event)
    verdict = _judge(event, orders, subjects, now=now)
    moves = Moves(event, actor="risk", at=now)
    check = None
    if verdict.outcome in (RiskAction.ASK, RiskAction.REVIEW):
        check = _hold(event, verdict.outcome, method=method, token=token, now=now)
    _decide(event, check, verdict, stage=RiskStage.RULES, decided_by=RULES, now=now, subjects=subjects)
    match verdict.outcome:
        case RiskAction.ACCEPT:
            store_attempts(plan)
        case RiskAction.REFUSE:
            for order in orders:
                moves.fail(order, REFUSED)
        case RiskAction.ASK:
            for order in orders:
                moves.pending(order, PendingReason.RISK_CHECK)
        case RiskAction.REVIEW:
            for order in orders:
                moves.pending(order, PendingReason.RISK_REVIEW)
    return moves


def settle(
    locked: LockedCheck,
    verdict: Verdict,
    *,
    stage: RiskStage,
    decided_by: str,
    now: datetime,
    provider: str = "",
    score: int | None = None,
) -> RiskDecision:
    """Write down a later judgement and do what it says, in the caller's transaction.

    Raises:
        What `plan_attempts` raises: the method was accepted when it came, and its PSP takes it no more.
    """
    event, check = locked.event, locked.check
    # Planned before the token is wiped, so that a method nobody takes any more leaves everything as it was.
    plan: Plan = []
    if verdict.outcome == RiskAction.ACCEPT:
        plan = plan_attempts(event, locked.orders, method=check.method, token=check.token or "", now=now)
    decision = _decide(
        event, check, verdict, stage=stage, decided_by=decided_by, now=now, provider=provider, score=score
    )
    moves = Moves(event, actor=decided_by, at=now)
    if verdict.outcome == RiskAction.REVIEW:
        check.waits_for = RiskWait.STAFF
        check.next_try_at = None
        check.claim_token = None
        check.save(update_fields=["waits_for", "next_try_at", "claim_token"])
        for order in locked.orders:
            moves.pending(order, PendingReason.RISK_REVIEW)
        moves.store()
        return decision
    _end(check, now=now)
    if verdict.outcome == RiskAction.ACCEPT:
        for order in locked.orders:
            _wait_for_nobody(order)
        store_attempts(plan)
    else:
        for order in locked.orders:
            moves.fail(order, REFUSED)
    moves.store()
    return decision


def lock_check(check_id: UUID) -> LockedCheck:
    """Lock a waiting payment: event, open orders by id, check."""
    event_id = RiskCheck.objects.values_list("event_id", flat=True).get(id=check_id)
    event = PaymentEvent.objects.select_for_update(no_key=True).get(id=event_id)
    orders = list(
        PaymentOrder.objects.select_for_update(no_key=True, of=("self",))
        .select_related("seller")
        .filter(event=event, status__in=[OrderStatus.NOT_STARTED, OrderStatus.EXECUTING])
        .order_by("id")
    )
    return LockedCheck(event, orders, RiskCheck.objects.select_for_update(no_key=True).get(id=check_id))


def refuse_while_checked(event: PaymentEvent) -> None:
    """One judgement at a time: another way to pay must not slip past the one that is being judged.

    Raises:
        RiskCheckOpen: a way to pay this checkout waits for its judgement (409).
    """
    if RiskCheck.objects.filter(event=event, ended_at__isnull=True).exists():
        raise RiskCheckOpen


def end_check_of_final(event: PaymentEvent, *, now: datetime) -> None:
    """Nothing of this checkout is open any more, so nobody needs to judge it. The caller holds the event's lock."""
    open_orders = PaymentOrder.objects.filter(
        event=event, status__in=[OrderStatus.NOT_STARTED, OrderStatus.EXECUTING]
    )
    check = RiskCheck.objects.filter(event=event, ended_at__isnull=True).first()
    if check is not None and not open_orders.exists():
        _end(check, now=now)


def _judge(
    event: PaymentEvent, orders: Sequence[PaymentOrder], subjects: Subjects, *, now: datetime
) -> Verdict:
    info = event.buyer_info
    rules = measure(
        event_id=event.id, subjects=subjects, name_tokens=tokens(str(info.get("name", ""))), now=now
    )
    totals = totals_of(order.amount for order in orders)
    verdict = evaluate(rules, Payment(totals=totals, country=str(info.get("country", ""))))
    if verdict.outcome == RiskAction.ASK and not settings.RISK_PROVIDER:
        nobody = Reason("", "An outside provider should be asked, and none is configured.")
        return Verdict(RiskAction.REVIEW, (*verdict.reasons, nobody))
    return verdict


def _hold(event: PaymentEvent, outcome: RiskAction, *, method: str, token: str, now: datetime) -> RiskCheck:
    asks = outcome == RiskAction.ASK
    check = RiskCheck(
        event=event,
        method=method,
        token=token,
        waits_for=RiskWait.PROVIDER if asks else RiskWait.STAFF,
        next_try_at=now if asks else None,
        created_at=now,
    )
    check.save(force_insert=True)
    if asks:
        ring_on_commit(RISK_CHECKS)
    return check


def _decide(
    event: PaymentEvent,
    check: RiskCheck | None,
    verdict: Verdict,
    *,
    stage: RiskStage,
    decided_by: str,
    now: datetime,
    subjects: Subjects | None = None,
    provider: str = "",
    score: int | None = None,
) -> RiskDecision:
    decision = RiskDecision(
        event=event,
        risk_check=check,
        stage=stage,
        outcome=verdict.outcome,
        reasons=[reason.as_json() for reason in verdict.reasons],
        provider=provider,
        score=score,
        decided_by=decided_by,
        buyer_digest=subjects.buyer if subjects else "",
        email_domain_digest=subjects.email_domain if subjects else "",
        ip_digest=subjects.ip if subjects else "",
        at=now,
    )
    decision.save(force_insert=True)
    return decision


def _end(check: RiskCheck, *, now: datetime) -> None:
    check.waits_for = RiskWait.NOBODY
    check.next_try_at = None
    check.claim_token = None
    check.token = None
    check.ended_at = now
    check.save(update_fields=["waits_for", "next_try_at", "claim_token", "token", "ended_at"])


def _wait_for_nobody(order: PaymentOrder) -> None:
    """The attempt is due at once, as if the order had just been created: no news for anybody."""
    order.pending_reason = ""
    order.save(update_fields=["pending_reason"])
