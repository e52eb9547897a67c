"""What a report of a PSP means beside what we hold. Decides, moves nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from moneyed import Money

from payments.facts.locks import LockedAttempt
from payments.models import DiscrepancyKind, Operation, OperationTry, PaymentAttempt, Verdict
from payments.psp.base import Outcome, Report
from payments.states import AttemptStatus, TryStatus, steps

TARGETS: Mapping[Outcome, AttemptStatus] = {
    Outcome.REQUIRES_CONFIRMATION: AttemptStatus.PENDING,
    Outcome.REQUIRES_ACTION: AttemptStatus.PENDING,
    Outcome.IN_REVIEW: AttemptStatus.PENDING,
    Outcome.PROCESSING: AttemptStatus.PENDING,
    Outcome.AUTHORIZED: AttemptStatus.AUTHORIZED,
    Outcome.CAPTURE_REFUSED: AttemptStatus.AUTHORIZED,
    Outcome.SUCCEEDED: AttemptStatus.SUCCEEDED,
    Outcome.DECLINED: AttemptStatus.DECLINED,
    Outcome.REFUSED: AttemptStatus.DECLINED,
    Outcome.CANCELED: AttemptStatus.CANCELED,
    Outcome.EXPIRED: AttemptStatus.EXPIRED,
}
"""Where the attempt then stands; an outcome that is not here moves it nowhere."""

OVERTAKEN: Mapping[AttemptStatus, tuple[AttemptStatus, ...]] = {
    # News that an attempt has left behind: webhooks come late and out of order, and that is no contradiction.
    AttemptStatus.PENDING: (
        AttemptStatus.AUTHORIZED,
        AttemptStatus.CAPTURING,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.DECLINED,
        AttemptStatus.CANCELED,
        AttemptStatus.EXPIRED,
    ),
    AttemptStatus.AUTHORIZED: (
        AttemptStatus.CAPTURING,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.CANCELED,
        AttemptStatus.EXPIRED,
    ),
    # Three ways of saying that no money moved.
    AttemptStatus.DECLINED: (AttemptStatus.CANCELED, AttemptStatus.EXPIRED),
    AttemptStatus.CANCELED: (AttemptStatus.DECLINED, AttemptStatus.EXPIRED),
    AttemptStatus.EXPIRED: (AttemptStatus.DECLINED, AttemptStatus.CANCELED),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and what it moves."""

    verdict: Verdict
    reason: str = ""
    discrepancy: DiscrepancyKind | None = None
    captures: Mapping[UUID, Money] = field(default_factory=dict)
    """What was newly taken for each order, by order id."""


def judge(locked: LockedAttempt, report: Report) -> Judgement:
    """Compare a report with what we asked for and with what we already know."""
    attempt = locked.attempt
    contradiction = _wrong_object(attempt, report)
    if contradiction:
        return contradiction
    target = TARGETS.get(report.outcome)
    if target is None:
        return Judgement(Verdict.APPLIED)
    if report.outcome == Outcome.REQUIRES_CONFIRMATION and _confirmed(attempt):
        return Judgement(Verdict.ALREADY_SO, "overtaken: it has been confirmed since")
    captured = _captured(attempt, report)
    if captured is None or (target == AttemptStatus.SUCCEEDED and not captured):
        return _contradicts("success without an amount", DiscrepancyKind.AMOUNT)
    if captured < attempt.captured and target in (AttemptStatus.PENDING, AttemptStatus.AUTHORIZED):
        return Judgement(Verdict.ALREADY_SO, "overtaken: more has been captured since")
    captures = _shares(locked, captured)
    if captures is None:
        return _contradicts(
            f"{captured} captured, and {attempt.captured} of {attempt.amount} booked", DiscrepancyKind.AMOUNT
        )
    judgement = _step(attempt, report, target, captures)
    final = [order for order in locked.orders if order.is_final and order.id in judgement.captures]
    if judgement.verdict == Verdict.APPLIED and final:
        reason = f"taken for {len(final)} orders that were final"
        return replace(judgement, reason=reason, discrepancy=DiscrepancyKind.LATE_SUCCESS)
    return judgement


def _step(
    attempt: PaymentAttempt, report: Report, target: AttemptStatus, captures: Mapping[UUID, Money]
) -> Judgement:
    """Whether the attempt can go where the report says it is."""
    if attempt.status == target:
        if target == AttemptStatus.PENDING or captures:
            return Judgement(Verdict.APPLIED, captures=captures)
        return Judgement(Verdict.ALREADY_SO)
    waiting_for_capture = attempt.status == AttemptStatus.CAPTURING and target == AttemptStatus.AUTHORIZED
    if waiting_for_capture and (captures or report.outcome == Outcome.CAPTURE_REFUSED):
        return Judgement(Verdict.APPLIED, captures=captures)
    if attempt.status in OVERTAKEN.get(target, ()):
        return Judgement(Verdict.ALREADY_SO, f"overtaken: the attempt is {attempt.status}")
    if steps(attempt.status, target) is None:
        return _contradicts(f"{report.outcome} after {attempt.status}", DiscrepancyKind.STATUS)
    if attempt.is_final:
        return Judgement(
            Verdict.LATE, f"{report.outcome} after {attempt.status}", DiscrepancyKind.LATE_SUCCESS, captures
        )
    return Judgement(Verdict.APPLIED, captures=captures)


def _wrong_object(attempt: PaymentAttempt, report: Report) -> Judgement | None:
    """A report that names another payment, another amount or another currency than the one it came for."""
    if report.reference and report.reference != str(attempt.id):
        return _contradicts(f"the PSP names reference {report.reference}", DiscrepancyKind.REFERENCE)
    if attempt.psp_reference and report.psp_reference and attempt.psp_reference != report.psp_reference:
        return _contradicts(
            f"the PSP names {report.psp_reference}, we know {attempt.psp_reference}",
            DiscrepancyKind.REFERENCE,
        )
    if report.psp_reference and not attempt.psp_reference and _taken(attempt, report.psp_reference):
        return _contradicts(
            f"the PSP names {report.psp_reference}, which is another attempt's", DiscrepancyKind.REFERENCE
        )
    for amount in (report.amount, report.captured):
        if amount is not None and amount.currency != attempt.amount.currency:
            return _contradicts(f"{amount} instead of {attempt.amount}", DiscrepancyKind.CURRENCY)
    if report.amount is not None and report.amount != attempt.amount:
        return _contradicts(f"{report.amount} instead of {attempt.amount}", DiscrepancyKind.AMOUNT)
    return None


def _taken(attempt: PaymentAttempt, psp_reference: str) -> bool:
    same = PaymentAttempt.objects.filter(psp_account=attempt.psp_account, psp_reference=psp_reference)
    return same.exclude(id=attempt.id).exists()


def _confirmed(attempt: PaymentAttempt) -> bool:
    """Whether the PSP has answered our confirmation: then it needs none any more, whatever older news say."""
    confirmations = OperationTry.objects.filter(attempt=attempt, operation=Operation.CONFIRM)
    return confirmations.filter(status=TryStatus.ANSWERED).exists()


def _captured(attempt: PaymentAttempt, report: Report) -> Money | None:
    """What the report says has been taken so far; None when a success does not say."""
    if report.captured is not None:
        return report.captured
    return report.amount if report.outcome == Outcome.SUCCEEDED else attempt.captured


def _shares(locked: LockedAttempt, captured: Money) -> Mapping[UUID, Money] | None:
    """Whose money was newly taken: the capture's that we asked for, or everybody's; None when neither explains it."""
    attempt, newly = locked.attempt, captured - locked.attempt.captured
    if not newly:
        return {}
    wanted = locked.open_try
    if wanted is not None and wanted.operation == Operation.CAPTURE and wanted.amount == newly:
        return {line.order_id: line.amount for line in wanted.lines.order_by("order_id")}
    if captured == attempt.amount and not attempt.captured:
        return {line.order_id: line.amount for line in locked.lines}
    return None


def _contradicts(reason: str, kind: DiscrepancyKind) -> Judgement:
    return Judgement(Verdict.CONTRADICTS, reason, kind)
