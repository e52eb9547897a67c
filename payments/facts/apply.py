"""Everything that the outside tells us enters here, whoever brought it: one door and one commit."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import clock
from payments import bookkeeping, retries
from payments.bell import PSP_CALLS, ring_on_commit
from payments.facts.judgement import TARGETS, Judgement, judge
from payments.facts.locks import LockedAttempt, lock_attempt
from payments.facts.moves import move
from payments.facts.refunds import apply_refund_fact
from payments.facts.storing import new_fact, raise_discrepancy, storable, store_unknown
from payments.models import (
    Fact,
    Operation,
    OperationTry,
    PaymentAttempt,
    PaymentOrder,
    RiskCheck,
    RiskWait,
    Verdict,
    Work,
)
from payments.psp.base import Outcome, Report, Subject
from payments.states import TryStatus


@transaction.atomic
def apply_fact(*, psp_account: str, source: str, report: Report, about: UUID | None = None) -> Fact:
    """Store one report of a PSP and do what it proves: state, journal, wallets and outbox move in this one commit.

    `about` is the attempt or refund that we asked about; a report that came by itself names its own.

    The same report again returns the first fact and changes nothing. A report that contradicts what we hold is kept,
    raises a discrepancy and moves nothing.
    """
    report = storable(report)
    if report.subject is Subject.REFUND:
        return apply_refund_fact(psp_account=psp_account, source=source, report=report, about=about)
    attempt_id = about or _find(psp_account, report)
    if attempt_id is None:
        return store_unknown(psp_account, source, report)
    locked = lock_attempt(attempt_id)
    now = clock.now()
    known = Fact.objects.filter(psp_account=psp_account, source=source, dedup_key=report.dedup_key).first()
    if known:
        if known.verdict != Verdict.CONTRADICTS:
            _settle_tries(locked, report, Judgement(Verdict.ALREADY_SO), now=now)
        return known

    judgement = judge(locked, report)
    fact = new_fact(psp_account, source, report, now=now, attempt=locked.attempt, judgement=judgement)
    fact.save(force_insert=True)
    if judgement.discrepancy:
        raise_discrepancy(fact, judgement.discrepancy)
    if judgement.verdict in (Verdict.APPLIED, Verdict.LATE) and report.outcome in TARGETS:
        move(locked, report, judgement, fact=fact, at=now)
    if judgement.verdict != Verdict.CONTRADICTS:
        _settle_tries(locked, report, judgement, now=now)
    if judgement.verdict == Verdict.LATE:
        _look_at_others(locked, now=now)
    return fact


def _find(psp_account: str, report: Report) -> UUID | None:
    """The attempt a report is about: by the PSP's own id where we know it, else by ours as the PSP echoes it."""
    same_psp = PaymentAttempt.objects.filter(psp_account=psp_account)
    if report.psp_reference:
        found = same_psp.filter(psp_reference=report.psp_reference).values_list("id", flat=True).first()
        if found:
            return found
    try:
        reference = UUID(report.reference)
    except ValueError:
        return None
    return same_psp.filter(id=reference).values_list("id", flat=True).first()


def _settle_tries(locked: LockedAttempt, report: Report, judgement: Judgement, *, now: datetime) -> None:
    """Whoever brought the news may have answered the open call. The PSP is asked again only while the attempt is
    open: soon after something has changed, then ever more slowly.
    """
    attempt = locked.attempt
    for operation_try in locked.tries:
        if operation_try.status != TryStatus.ANSWERED:
            if not _answers(operation_try, report, judgement, attempt):
                continue
            if operation_try.in_money_doubt:
                bookkeeping.record_doubt_ended(operation_try=operation_try, attempt=attempt, occurred_at=now)
            operation_try.answer()
            operation_try.error_class = ""
        operation_try.claim_token = None
        if judgement.verdict == Verdict.APPLIED:
            operation_try.queries = 0
        _ask_again_later(operation_try, attempt, newest=operation_try is locked.tries[-1], now=now)
        operation_try.save(update_fields=OperationTry.PROGRESS)
    if report.outcome == Outcome.REQUIRES_CONFIRMATION and judgement.verdict == Verdict.APPLIED:
        _confirm(locked, now=now)


def _ask_again_later(
    operation_try: OperationTry, attempt: PaymentAttempt, *, newest: bool, now: datetime
) -> None:
    """While the attempt is open, its newest call is the one through which we keep asking; in the end, a dead letter."""
    operation_try.next_try_at = operation_try.dead_at = operation_try.dead_closed_at = None
    if attempt.is_final or not newest:
        return
    wait = retries.next_wait(Work.QUERY_PENDING, done=operation_try.queries, psp_account=attempt.psp_account)
    if wait is None:
        operation_try.dead_at = now
    else:
        operation_try.next_try_at = now + wait


def _answers(
    operation_try: OperationTry, report: Report, judgement: Judgement, attempt: PaymentAttempt
) -> bool:
    """Whether the news says what became of this call, and not only of an earlier one."""
    if attempt.is_final:
        return True
    match operation_try.operation:
        case Operation.CHARGE:
            return True
        case Operation.CONFIRM:
            return report.outcome != Outcome.REQUIRES_CONFIRMATION
        case Operation.CAPTURE:
            return bool(judgement.captures) or report.outcome == Outcome.CAPTURE_REFUSED
        case Operation.CANCEL:
            return report.outcome == Outcome.CANCEL_REFUSED
    raise AssertionError(f"nobody knows what answers {operation_try.operation}")


def _look_at_others(locked: LockedAttempt, *, now: datetime) -> None:
    """Another attempt may be under way for orders that are paid now: its worker looks at once, and calls it off. Or
    another way to pay them is being judged: nobody has to any more.
    """
    others = OperationTry.objects.filter(
        attempt__lines__order__in=locked.orders,
        attempt__lines__live=True,
        status=TryStatus.ANSWERED,
        next_try_at__gt=now,
        refund__isnull=True,
    )
    if others.update(next_try_at=now):
        ring_on_commit(PSP_CALLS)
    checks = RiskCheck.objects.filter(event=locked.event, ended_at__isnull=True)
    if not PaymentOrder.objects.filter(event=locked.event, completed_at__isnull=True).exists():
        checks.update(waits_for=RiskWait.NOBODY, next_try_at=None, claim_token=None, token=None, ended_at=now)


def _confirm(locked: LockedAttempt, *, now: datetime) -> None:
    """The payment object exists and its id is committed with this: now it may take the money."""
    if locked.open_try is None and not locked.attempt.is_final:
        for operation_try in locked.tries:
            operation_try.next_try_at = None
            operation_try.save(update_fields=["next_try_at"])
        OperationTry.objects.create(
            operation=Operation.CONFIRM,
            attempt=locked.attempt,
            amount=locked.attempt.amount,
            next_try_at=now,
            created_at=now,
        )
        ring_on_commit(PSP_CALLS)
