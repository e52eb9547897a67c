"""Money going back: requested, and moved by what the PSP says of it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from moneyed import Money

from ledger import clock
from payments import bookkeeping, records, retries
from payments.bell import PSP_CALLS, ring_on_commit
from payments.facts.judgement import Judgement
from payments.facts.locks import lock_attempt
from payments.facts.storing import new_fact, raise_discrepancy, store_unknown
from payments.models import (
    DiscrepancyKind,
    Fact,
    Operation,
    OperationTry,
    PaymentAttempt,
    PaymentOrder,
    Refund,
    StateHistory,
    Verdict,
    Work,
)
from payments.psp.base import Outcome, Report
from payments.states import REFUND_EDGES, RefundStatus, TryStatus

TARGETS: Mapping[Outcome, RefundStatus] = {
    Outcome.PROCESSING: RefundStatus.EXECUTING,
    Outcome.SUCCEEDED: RefundStatus.SUCCEEDED,
    Outcome.DECLINED: RefundStatus.FAILED,
    Outcome.REFUSED: RefundStatus.FAILED,
}


def request_refund_of_late_success(
    *, attempt: PaymentAttempt, order: PaymentOrder, amount: Money, at: datetime
) -> Refund:
    """Send back what was taken for an order that could no longer take it; the PSP is told after commit.

    Inside the transaction that booked the receipt, so the money never waits for somebody to think of it.
    """
    refund = Refund(attempt=attempt, order=order, amount=amount, reason="late_success", created_at=at)
    refund.save(force_insert=True)
    bookkeeping.record_unapplied_refund_requested(refund=refund, occurred_at=at)
    OperationTry.objects.create(
        operation=Operation.REFUND,
        attempt=attempt,
        refund=refund,
        amount=amount,
        next_try_at=at,
        created_at=at,
    )
    ring_on_commit(PSP_CALLS)
    return refund


def apply_refund_fact(*, psp_account: str, source: str, report: Report, about: UUID | None) -> Fact:
    """Store one report about a refund and do what it proves. Called by `apply_fact`, in its transaction."""
    refund_id = about or _find(psp_account, report)
    if refund_id is None:
        return store_unknown(psp_account, source, report)
    refund, tries = lock_refund(refund_id)
    now = clock.now()
    known = Fact.objects.filter(psp_account=psp_account, source=source, dedup_key=report.dedup_key).first()
    if known is None:
        judgement = _judge(refund, report)
        known = new_fact(
            psp_account,
            source,
            report,
            now=now,
            attempt=refund.attempt,
            refund=refund,
            judgement=judgement,
        )
        known.save(force_insert=True)
        if judgement.discrepancy:
            raise_discrepancy(known, judgement.discrepancy)
        if judgement.verdict in (Verdict.APPLIED, Verdict.LATE):
            _move(refund, report, known, at=now)
    if known.verdict != Verdict.CONTRADICTS:
        _settle(refund, tries, now=now)
    return known


def lock_refund(refund_id: UUID) -> tuple[Refund, list[OperationTry]]:
    """Lock a refund behind its event, orders and attempt, with its tries that are open or due."""
    attempt_id = Refund.objects.values_list("attempt_id", flat=True).get(id=refund_id)
    lock_attempt(attempt_id)
    refund = (
        Refund.objects.select_for_update(no_key=True, of=("self",))
        .select_related("attempt__event__shop", "order__seller")
        .get(id=refund_id)
    )
    tries = OperationTry.objects.select_for_update(no_key=True).filter(refund=refund).order_by("id")
    return refund, [
        item for item in tries if item.next_try_at is not None or item.status != TryStatus.ANSWERED
    ]


def _find(psp_account: str, report: Report) -> UUID | None:
    """The refund a report is about: by the PSP's own id where we know it, else by ours as the PSP echoes it."""
    same_psp = Refund.objects.filter(attempt__psp_account=psp_account)
    if report.psp_reference:
        found = same_psp.filter(psp_reference=report.psp_reference).values_list("id", flat=True).first()
        if found:
            return found
    try:
        reference = UUID(report.reference)
    except ValueError:
        return None
    return same_psp.filter(id=reference).values_list("id", flat=True).first()


def _judge(refund: Refund, report: Report) -> Judgement:
    """Compare a report with what we asked for and with what we already know; decides, moves nothing."""
    if report.reference and report.reference != str(refund.id):
        return Judgement(
            Verdict.CONTRADICTS, f"the PSP names reference {report.reference}", DiscrepancyKind.REFERENCE
        )
    if refund.psp_reference and report.psp_reference and refund.psp_reference != report.psp_reference:
        return Judgement(
            Verdict.CONTRADICTS,
            f"the PSP names {report.psp_reference}, we know {refund.psp_reference}",
            DiscrepancyKind.REFERENCE,
        )
    if report.amount is not None and report.amount.currency != refund.amount.currency:
        return Judgement(
            Verdict.CONTRADICTS, f"{report.amount} instead of {refund.amount}", DiscrepancyKind.CURRENCY
        )
    if report.amount is not None and report.amount != refund.amount:
        return Judgement(
            Verdict.CONTRADICTS, f"{report.amount} instead of {refund.amount}", DiscrepancyKind.AMOUNT
        )
    target = TARGETS.get(report.outcome)
    if target is None:
        return Judgement(Verdict.CONTRADICTS, f"a refund cannot be {report.outcome}", DiscrepancyKind.STATUS)
    if refund.status == target or target == RefundStatus.EXECUTING:
        return Judgement(Verdict.ALREADY_SO)
    if target == RefundStatus.FAILED and refund.status == RefundStatus.SUCCEEDED:
        return Judgement(
            Verdict.LATE, "failed after it had succeeded: the buyer is still owed", DiscrepancyKind.STATUS
        )
    if target == RefundStatus.FAILED and refund.status in (RefundStatus.REQUESTED, RefundStatus.EXECUTING):
        return Judgement(Verdict.APPLIED, "failed: the buyer is still owed", DiscrepancyKind.STATUS)
    if refund.status == RefundStatus.REQUESTED or target in REFUND_EDGES[refund.status]:
        return Judgement(Verdict.APPLIED)
    return Judgement(Verdict.CONTRADICTS, f"{report.outcome} after {refund.status}", DiscrepancyKind.STATUS)


def _move(refund: Refund, report: Report, fact: Fact, *, at: datetime) -> None:
    """Walk the refund to where the report says it is, and book it."""
    history: list[StateHistory] = []
    actor = f"psp:{fact.psp_account}"
    refund.psp_reference = refund.psp_reference or report.psp_reference
    if refund.status == RefundStatus.REQUESTED:
        refund.execute()
        refund.save(update_fields=Refund.PROGRESS)
        history.append(records.step(refund, from_state=RefundStatus.REQUESTED, actor=actor, at=at, fact=fact))
    before = refund.status
    if TARGETS[report.outcome] == RefundStatus.SUCCEEDED:
        refund.succeed(at=at)
        bookkeeping.record_refund_succeeded(refund=refund, occurred_at=fact.occurred_at)
    else:
        refund.fail(failure_code=report.decline_code or report.outcome.value, at=at)
        if before == RefundStatus.SUCCEEDED:
            bookkeeping.record_refund_came_back(refund=refund, occurred_at=fact.occurred_at)
    refund.save(update_fields=Refund.PROGRESS)
    history.append(records.step(refund, from_state=before, actor=actor, at=at, fact=fact))
    records.store_steps(history)


def _settle(refund: Refund, tries: list[OperationTry], *, now: datetime) -> None:
    """The call is answered; the PSP is asked again only while the refund is on its way."""
    under_way = refund.status in (RefundStatus.REQUESTED, RefundStatus.EXECUTING)
    for operation_try in tries:
        if operation_try.status != TryStatus.ANSWERED:
            operation_try.answer()
        wait = (
            retries.next_wait(
                Work.QUERY_PENDING,
                done=operation_try.queries,
                psp_account=refund.attempt.psp_account,
            )
            if under_way
            else None
        )
        operation_try.next_try_at = now + wait if wait is not None else None
        operation_try.dead_at = now if under_way and wait is None else None
        operation_try.dead_closed_at = None
        operation_try.claim_token = None
        operation_try.error_class = ""
        operation_try.save(update_fields=OperationTry.PROGRESS)
