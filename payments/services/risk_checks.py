"""Asking the outside risk provider: claimed, asked, and whatever came of it written down.

Each function is one transaction and calls nobody; `payments.tasks` asks between two of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction

from ledger import clock
from payments import retries
from payments.errors import PaymentError
from payments.models import RiskAction, RiskStage, RiskWait, Work
from payments.risk.provider import RiskAnswer, RiskQuestion
from payments.risk.rules import Reason, Verdict, evaluate_score, totals_of
from payments.risk.signals import score_rules
from payments.services.admission import LockedCheck, lock_check, settle


@dataclass(frozen=True, slots=True)
class RiskClaim:
    """The right to ask about one payment."""

    check_id: UUID
    token: UUID


def claim_checks(*, limit: int) -> Sequence[RiskClaim]:
    """Claim up to `limit` payments that the provider is to be asked about, oldest first."""
    token, now = uuid4(), clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_riskcheck SET tries = tries + 1, claim_token = %(token)s, next_try_at = %(lease_end)s
            WHERE id = ANY (ARRAY(
                SELECT id FROM payments_riskcheck WHERE next_try_at <= %(now)s
                ORDER BY next_try_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            ))
            RETURNING id
            """,
            {"token": token, "now": now, "lease_end": now + retries.LEASE, "limit": limit},
        )
        return [RiskClaim(check_id, token) for (check_id,) in cursor.fetchall()]


@transaction.atomic
def begin_question(claim: RiskClaim) -> RiskQuestion | None:
    """What to ask; None when the claim is stale, or when it has been asked often enough and a person is to decide."""
    locked = _lock_waiting(claim.check_id)
    if locked is None or locked.check.claim_token != claim.token:
        return None
    if retries.next_wait(Work.ASK_RISK, done=locked.check.tries - 1) is None:
        _give_up(locked, "the workers that asked did not come back")
        return None
    event = locked.event
    return RiskQuestion(
        reference=locked.check.id,
        checkout_id=event.checkout_id,
        shop=event.shop.slug,
        amounts=list(totals_of(order.amount for order in locked.orders).values()),
        method=locked.check.method,
        buyer_info=event.buyer_info,
    )


@transaction.atomic
def record_answer(claim: RiskClaim, answer: RiskAnswer) -> None:
    """The provider has answered: our rules say what its score means. A second answer finds nothing left to decide."""
    locked = _lock_waiting(claim.check_id)
    if locked is None:
        return
    now = clock.now()
    if locked.event.expires_at <= now:
        return  # Its time is over: expiry will fail the orders and end the check.
    verdict = evaluate_score(score_rules(), answer.score)
    told = tuple(Reason("", reason) for reason in answer.reasons)
    verdict = Verdict(verdict.outcome, (*verdict.reasons, *told))
    try:
        _settle(locked, verdict, score=answer.score)
    except PaymentError as error:  # Raised before anything was written.
        problem = Reason("", f"It cannot be charged in this way any more: {error.detail}")
        _settle(locked, Verdict(RiskAction.REVIEW, (*verdict.reasons, problem)), score=answer.score)


@transaction.atomic
def record_no_answer(claim: RiskClaim, *, detail: str) -> None:
    """No usable answer: ask again soon, or leave it to a person. Silence never lets a payment through."""
    locked = _lock_waiting(claim.check_id)
    if locked is None:
        return
    wait = retries.next_wait(Work.ASK_RISK, done=locked.check.tries)
    if wait is None:
        _give_up(locked, detail)
        return
    check = locked.check
    check.next_try_at = clock.now() + wait
    check.claim_token = None
    check.last_error = detail
    check.save(update_fields=["next_try_at", "claim_token", "last_error"])


def _lock_waiting(check_id: UUID) -> LockedCheck | None:
    locked = lock_check(check_id)
    return locked if locked.check.waits_for == RiskWait.PROVIDER else None


def _give_up(locked: LockedCheck, detail: str) -> None:
    locked.check.last_error = detail
    locked.check.save(update_fields=["last_error"])
    text = f"No answer from the outside provider after {locked.check.tries} tries."
    _settle(locked, Verdict(RiskAction.REVIEW, (Reason("", text),)), score=None)


def _settle(locked: LockedCheck, verdict: Verdict, *, score: int | None) -> None:
    name = provider_name()
    settle(
        locked,
        verdict,
        stage=RiskStage.PROVIDER,
        decided_by=f"provider:{name}",
        now=clock.now(),
        provider=name,
        score=score,
    )


def provider_name() -> str:
    """What the configured provider is called in decisions and logs."""
    return str(settings.RISK_PROVIDER["NAME"]) if settings.RISK_PROVIDER else "none"
