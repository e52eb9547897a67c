"""Everything that the outside tells us enters here, whoever brought it: one door, one order of locks, one commit.

Locks are taken in this order everywhere: event, orders by id, attempt, operation tries, then wallets and accounts by id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from ledger import clock
from payments import bookkeeping, records, retries
from payments.models import (
    AttemptLine,
    Discrepancy,
    DiscrepancyKind,
    Fact,
    OperationTry,
    PaymentAttempt,
    PaymentEvent,
    PaymentOrder,
    StateHistory,
    Verdict,
)
from payments.psp.base import Outcome, Report
from payments.states import AttemptStatus, PendingReason, TryStatus, steps

TARGETS: Mapping[Outcome, AttemptStatus] = {
    Outcome.REQUIRES_CONFIRMATION: AttemptStatus.PENDING,
    Outcome.REQUIRES_ACTION: AttemptStatus.PENDING,
    Outcome.IN_REVIEW: AttemptStatus.PENDING,
    Outcome.PROCESSING: AttemptStatus.PENDING,
    Outcome.AUTHORIZED: AttemptStatus.AUTHORIZED,
    Outcome.SUCCEEDED: AttemptStatus.SUCCEEDED,
    Outcome.DECLINED: AttemptStatus.DECLINED,
    Outcome.REFUSED: AttemptStatus.DECLINED,
    Outcome.CANCELED: AttemptStatus.CANCELED,
    Outcome.EXPIRED: AttemptStatus.EXPIRED,
}

PENDING_REASONS: Mapping[Outcome, PendingReason] = {
    Outcome.REQUIRES_CONFIRMATION: PendingReason.SUBMITTED,
    Outcome.REQUIRES_ACTION: PendingReason.REQUIRES_ACTION,
    Outcome.IN_REVIEW: PendingReason.PSP_REVIEW,
    Outcome.PROCESSING: PendingReason.PROCESSING,
    Outcome.AUTHORIZED: PendingReason.REQUIRES_CAPTURE,
}

OVERTAKEN: Mapping[AttemptStatus, tuple[AttemptStatus, ...]] = {
    # News that an attempt has already left behind: webhooks come late and out of order, and that is no contradiction.
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

MOVES = {
    AttemptStatus.SENT: PaymentAttempt.send,
    AttemptStatus.PENDING: PaymentAttempt.wait,
    AttemptStatus.AUTHORIZED: PaymentAttempt.authorize,
    AttemptStatus.CAPTURING: PaymentAttempt.capture,
    AttemptStatus.SUCCEEDED: PaymentAttempt.succeed,
    AttemptStatus.DECLINED: PaymentAttempt.decline,
    AttemptStatus.CANCELED: PaymentAttempt.cancel,
    AttemptStatus.EXPIRED: PaymentAttempt.expire,
    AttemptStatus.UNKNOWN: PaymentAttempt.doubt,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a report means beside what we hold."""

    verdict: Verdict
    reason: str = ""
    discrepancy: DiscrepancyKind | None = None


@dataclass(slots=True)
class LockedAttempt:
    """An attempt with everything that its facts may move, locked."""

    event: PaymentEvent
    orders: list[PaymentOrder]
    attempt: PaymentAttempt
    lines: list[AttemptLine]

    @property
    def open_orders(self) -> list[PaymentOrder]:
        """The orders that may still succeed or fail."""
        return [order for order in self.orders if not order.is_final]


@transaction.atomic
def apply_fact(*, psp_account: str, source: str, report: Report, about: UUID | None = None) -> Fact:
    """Store one report of a PSP and do what it proves: state, journal, wallets and outbox move in this one commit.

    `about` is the attempt that we asked about; a report that came by itself names its own.

    The same report again returns the first fact and changes nothing. A report that contradicts what we hold is kept,
    raises a discrepancy and moves nothing.
    """
    attempt_id = about or _find(psp_account, report)
    if attempt_id is None:
        return _store_unknown(psp_account, source, report)
    locked = lock_attempt(attempt_id)
    known = Fact.objects.filter(psp_account=psp_account, source=source, dedup_key=report.dedup_key).first()
    if known:
        if known.verdict != Verdict.CONTRADICTS:
            _settle_tries(locked.attempt, now=clock.now(), news=False)
        return known

    judgement = _judge(locked.attempt, report)
    now = clock.now()
    fact = _new_fact(psp_account, source, report, now=now, attempt=locked.attempt, judgement=judgement)
    fact.save(force_insert=True)
    if judgement.discrepancy:
        _raise_discrepancy(fact, judgement.discrepancy)
    if judgement.verdict in (Verdict.APPLIED, Verdict.LATE):
        _move(locked, report, fact, now=now)
    if judgement.verdict != Verdict.CONTRADICTS:
        _settle_tries(locked.attempt, now=now, news=judgement.verdict == Verdict.APPLIED)
    return fact


def lock_attempt(attempt_id: UUID) -> LockedAttempt:
    """Lock an attempt's event, orders and the attempt itself, in the one order in which everybody locks them."""
    event_id = PaymentAttempt.objects.values_list("event_id", flat=True).get(id=attempt_id)
    event = PaymentEvent.objects.select_for_update(no_key=True).get(id=event_id)
    lines = list(AttemptLine.objects.filter(attempt_id=attempt_id).order_by("order_id"))
    orders = list(
        PaymentOrder.objects.select_for_update(no_key=True, of=("self",))
        .select_related("seller")
        .filter(id__in=[line.order_id for line in lines])
        .order_by("id")
    )
    attempt = PaymentAttempt.objects.select_for_update(no_key=True).get(id=attempt_id)
    return LockedAttempt(event=event, orders=orders, attempt=attempt, lines=lines)


def move_attempt(
    attempt: PaymentAttempt, target: AttemptStatus, *, actor: str, at: datetime, fact: Fact | None = None
) -> list[StateHistory]:
    """Take the one step to `target` and save it; returns the history row, not yet stored."""
    before = attempt.status
    MOVES[target](attempt)
    if attempt.is_final:
        attempt.completed_at = at
    attempt.save(update_fields=["status", "psp_reference", "client_action", "decline_code", "completed_at"])
    return [records.step(attempt, from_state=before, actor=actor, at=at, fact=fact)]


def _find(psp_account: str, report: Report) -> UUID | None:
    """The attempt a report is about, by our own id where the PSP echoes it, else by the PSP's."""
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


def _judge(attempt: PaymentAttempt, report: Report) -> Judgement:
    """Compare a report with what we asked for and with what we already know; decides, moves nothing."""
    if report.reference and report.reference != str(attempt.id):
        return Judgement(
            Verdict.CONTRADICTS, f"the PSP names reference {report.reference}", DiscrepancyKind.REFERENCE
        )
    if attempt.psp_reference and report.psp_reference and attempt.psp_reference != report.psp_reference:
        return Judgement(
            Verdict.CONTRADICTS,
            f"the PSP names {report.psp_reference}, we know {attempt.psp_reference}",
            DiscrepancyKind.REFERENCE,
        )
    if report.amount is not None and report.amount.currency != attempt.amount.currency:
        return Judgement(
            Verdict.CONTRADICTS, f"{report.amount} instead of {attempt.amount}", DiscrepancyKind.CURRENCY
        )
    if report.amount is not None and report.amount != attempt.amount:
        return Judgement(
            Verdict.CONTRADICTS, f"{report.amount} instead of {attempt.amount}", DiscrepancyKind.AMOUNT
        )
    target = TARGETS[report.outcome]
    if target == AttemptStatus.SUCCEEDED and report.amount is None:
        return Judgement(Verdict.CONTRADICTS, "success without an amount", DiscrepancyKind.AMOUNT)
    if attempt.status == target:
        if target == AttemptStatus.PENDING:
            return Judgement(Verdict.APPLIED)
        return Judgement(Verdict.ALREADY_SO)
    if attempt.status in OVERTAKEN.get(target, ()):
        return Judgement(Verdict.ALREADY_SO, f"overtaken: the attempt is {attempt.status}")
    if steps(attempt.status, target) is None:
        return Judgement(
            Verdict.CONTRADICTS, f"{report.outcome} after {attempt.status}", DiscrepancyKind.STATUS
        )
    if attempt.is_final:
        return Judgement(
            Verdict.LATE, f"{report.outcome} after {attempt.status}", DiscrepancyKind.LATE_SUCCESS
        )
    return Judgement(Verdict.APPLIED)


def _move(locked: LockedAttempt, report: Report, fact: Fact, *, now: datetime) -> None:
    """Walk the attempt to where the report says it is, and take its orders, journal and wallets along."""
    attempt, actor = locked.attempt, f"psp:{fact.psp_account}"
    attempt.psp_reference = attempt.psp_reference or report.psp_reference
    attempt.client_action = dict(report.client_action) if report.client_action else None
    attempt.decline_code = report.decline_code if TARGETS[report.outcome] == AttemptStatus.DECLINED else ""
    history: list[StateHistory] = []
    target = TARGETS[report.outcome]
    if attempt.status == target:
        attempt.save(update_fields=["psp_reference", "client_action"])
    else:
        for status in steps(attempt.status, target) or []:
            history += move_attempt(attempt, AttemptStatus(status), actor=actor, at=now, fact=fact)

    changed: list[PaymentOrder] = []
    if target == AttemptStatus.SUCCEEDED:
        changed = _succeed(locked, fact, history, actor=actor, now=now)
    elif attempt.is_final:
        changed = _fail(locked, report, fact, history, actor=actor, now=now)
    else:
        changed = [o for o in locked.open_orders if o.pending_reason != PENDING_REASONS[report.outcome]]
        for order in changed:
            order.pending_reason = PENDING_REASONS[report.outcome]
            order.save(update_fields=["pending_reason"])
    records.store_steps(history)
    records.announce(changed, checkout_id=locked.event.checkout_id, event_id=locked.event.id, at=now)


def _succeed(
    locked: LockedAttempt, fact: Fact, history: list[StateHistory], *, actor: str, now: datetime
) -> list[PaymentOrder]:
    """Book the money: to the sellers of open orders, else to unapplied receipts."""
    by_order = {line.order_id: line.amount for line in locked.lines}
    orders = locked.open_orders
    entries = bookkeeping.record_captures(
        attempt=locked.attempt, orders=orders, lines=locked.lines, occurred_at=fact.occurred_at
    )
    for order in orders:
        before = order.status
        order.succeed(captured=by_order[order.id], capture_entry_id=entries[order.id], at=now)
        order.save(
            update_fields=[
                "status",
                "captured",
                "capture_entry",
                "ledger_updated",
                "wallet_updated",
                "pending_reason",
                "completed_at",
            ]
        )
        history.append(records.step(order, from_state=before, actor=actor, at=now, fact=fact))
    for order in locked.orders:
        if order not in orders:
            bookkeeping.record_unapplied_receipt(
                attempt=locked.attempt, order=order, amount=by_order[order.id], occurred_at=fact.occurred_at
            )
    return orders


def _fail(
    locked: LockedAttempt,
    report: Report,
    fact: Fact,
    history: list[StateHistory],
    *,
    actor: str,
    now: datetime,
) -> list[PaymentOrder]:
    """No money will come from this attempt, and its checkout brought no other way to pay: its orders fail."""
    word = {Outcome.DECLINED: "declined", Outcome.REFUSED: "refused"}.get(report.outcome)
    failure_code = f"{word}:{report.decline_code or 'unspecified'}" if word else report.outcome.value
    orders = locked.open_orders
    for order in orders:
        before = order.status
        order.fail(failure_code=failure_code, at=now)
        order.save(update_fields=["status", "failure_code", "pending_reason", "completed_at"])
        history.append(records.step(order, from_state=before, actor=actor, at=now, fact=fact))
    return orders


def _settle_tries(attempt: PaymentAttempt, *, now: datetime, news: bool) -> None:
    """Whoever brought the news answered the open call. The PSP is asked again only while the attempt is open: soon
    after something has changed, then ever more slowly."""
    tries = OperationTry.objects.select_for_update(no_key=True).filter(
        Q(next_try_at__isnull=False) | ~Q(status=TryStatus.ANSWERED), attempt=attempt
    )
    for operation_try in tries.order_by("id"):
        if operation_try.status != TryStatus.ANSWERED:
            operation_try.answer()
        if news:
            operation_try.queries = 0
        operation_try.next_try_at = (
            None if attempt.is_final else now + retries.QUERY_PENDING.delay(operation_try.queries)
        )
        operation_try.claim_token = None
        operation_try.error_class = ""
        operation_try.save(
            update_fields=["status", "answered_at", "queries", "next_try_at", "claim_token", "error_class"]
        )


def _new_fact(
    psp_account: str,
    source: str,
    report: Report,
    *,
    now: datetime,
    attempt: PaymentAttempt | None,
    judgement: Judgement,
) -> Fact:
    return Fact(
        psp_account=psp_account,
        source=source,
        dedup_key=report.dedup_key,
        attempt=attempt,
        outcome=report.outcome.value,
        psp_reference=report.psp_reference,
        amount=report.amount,  # type: ignore[misc]  # the stubs know no column that may be null
        occurred_at=report.occurred_at or now,
        verdict=judgement.verdict,
        reason=judgement.reason,
        raw=dict(report.raw),
        created_at=now,
    )


def _store_unknown(psp_account: str, source: str, report: Report) -> Fact:
    """News of a payment that we never asked for: kept, and a person is told."""
    judgement = Judgement(
        Verdict.UNKNOWN_OBJECT,
        f"no attempt of ours is {report.reference or report.psp_reference}",
        DiscrepancyKind.UNKNOWN_OBJECT,
    )
    fact = _new_fact(psp_account, source, report, now=clock.now(), attempt=None, judgement=judgement)
    stored = Fact.objects.bulk_create([fact], ignore_conflicts=True)[0]
    found = Fact.objects.get(psp_account=psp_account, source=source, dedup_key=report.dedup_key)
    if found.id == stored.id:
        _raise_discrepancy(found, DiscrepancyKind.UNKNOWN_OBJECT)
    return found


def _raise_discrepancy(fact: Fact, kind: DiscrepancyKind) -> None:
    Discrepancy.objects.create(
        kind=kind,
        psp_account=fact.psp_account,
        attempt=fact.attempt,
        fact=fact,
        detail=fact.reason,
    )
