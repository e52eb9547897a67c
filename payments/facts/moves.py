"""Moving what a report proves: the attempt, its orders, the journal, the wallets, the news, all in one commit."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from payments import bookkeeping, records
from payments.facts.judgement import TARGETS, Judgement
from payments.facts.locks import LockedAttempt
from payments.facts.refunds import request_refund_of_late_success
from payments.models import (
    Fact,
    LateSuccess,
    Operation,
    PaymentAttempt,
    PaymentEvent,
    PaymentOrder,
    StateHistory,
)
from payments.psp import capabilities
from payments.psp.base import Outcome, Report
from payments.risk.subjects import card_digest
from payments.states import REPLACED, AttemptStatus, OrderStatus, PendingReason, steps

PENDING_REASONS = {
    Outcome.REQUIRES_CONFIRMATION: PendingReason.SUBMITTED,
    Outcome.REQUIRES_ACTION: PendingReason.REQUIRES_ACTION,
    Outcome.IN_REVIEW: PendingReason.PSP_REVIEW,
    Outcome.PROCESSING: PendingReason.PROCESSING,
    Outcome.AUTHORIZED: PendingReason.REQUIRES_CAPTURE,
    Outcome.CAPTURE_REFUSED: PendingReason.REQUIRES_CAPTURE,
}

TRANSITIONS = {
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


ATTEMPT_FIELDS = (
    "status",
    "psp_reference",
    "captured",
    "currency",
    "decline_code",
    "card_digest",
    "client_action",
    "completed_at",
)
ORDER_FIELDS = (
    "status",
    "captured",
    "currency",
    "pending_reason",
    "failure_code",
    "last_failure_code",
    "ledger_updated",
    "wallet_updated",
    "capture_entry",
    "completed_at",
)
"""What facts change; everything else of a row is left alone."""


@dataclass(slots=True)
class Moves:
    """The steps of one commit: who moves, because of what, and what has changed so far."""

    event: PaymentEvent
    actor: str
    at: datetime
    fact: Fact | None = None
    history: list[StateHistory] = field(default_factory=list)
    changed: dict[UUID, PaymentOrder] = field(default_factory=dict)

    def attempt(self, attempt: PaymentAttempt, target: AttemptStatus) -> None:
        """Take an attempt one step further and save it."""
        before = attempt.status
        TRANSITIONS[target](attempt)
        attempt.completed_at = self.at if attempt.is_final else None
        attempt.save(update_fields=ATTEMPT_FIELDS)
        self.history.append(
            records.step(attempt, from_state=before, actor=self.actor, at=self.at, fact=self.fact)
        )

    def order(self, order: PaymentOrder, before: str) -> None:
        """Save an order that has changed, with its step when its status has."""
        order.save(update_fields=ORDER_FIELDS)
        if order.status != before:
            self.history.append(
                records.step(order, from_state=before, actor=self.actor, at=self.at, fact=self.fact)
            )
        self.changed[order.id] = order

    def pending(self, order: PaymentOrder, reason: PendingReason) -> None:
        """The order waits for somebody else now."""
        if order.pending_reason != reason:
            order.pending_reason = reason
            self.order(order, order.status)

    def execute(self, order: PaymentOrder, reason: PendingReason) -> None:
        """A PSP is about to hear of the order, or hears of it again."""
        if order.status == OrderStatus.NOT_STARTED:
            order.execute(pending_reason=reason)
            self.order(order, OrderStatus.NOT_STARTED)
        else:
            self.pending(order, reason)

    def fail(self, order: PaymentOrder, failure_code: str) -> None:
        """The order will not be paid."""
        before = order.status
        order.fail(failure_code=failure_code, at=self.at)
        self.order(order, before)

    def give_back_to_buyer(self, order: PaymentOrder, failure_code: str) -> None:
        """The buyer may try another way to pay."""
        order.last_failure_code = failure_code
        order.pending_reason = PendingReason.AWAITING_BUYER
        self.order(order, order.status)

    def store(self, *, announce: bool = True) -> None:
        """Write the history and, unless nobody outside cares, the news."""
        records.store_steps(self.history)
        if announce:
            records.announce(list(self.changed.values()), event=self.event, at=self.at)


def move(locked: LockedAttempt, report: Report, judgement: Judgement, *, fact: Fact, at: datetime) -> None:
    """Take attempt, orders and books to where a judged report says they are."""
    moves = Moves(locked.event, actor=f"psp:{fact.psp_account}", at=at, fact=fact)
    attempt, target = locked.attempt, TARGETS[report.outcome]
    attempt.psp_reference = attempt.psp_reference or report.psp_reference
    attempt.client_action = dict(report.client_action) if report.client_action else None
    attempt.card_digest = attempt.card_digest or card_digest(report.raw.get("card_fingerprint"))
    if target == AttemptStatus.DECLINED:
        attempt.decline_code = report.decline_code
    if judgement.captures:
        _book(moves, locked, judgement, fact)
    path = steps(attempt.status, target)
    for status in path or []:
        moves.attempt(attempt, AttemptStatus(status))
    if not path:
        attempt.save(update_fields=ATTEMPT_FIELDS)
    if attempt.is_final:
        failure_code = _failure_code(locked, report)
        gives_back = locked.event.takes_another_method and _called_off(locked) in ("", REPLACED)
        for order in locked.open_orders:
            if gives_back:
                moves.give_back_to_buyer(order, failure_code)
            else:
                moves.fail(order, failure_code)
    elif report.outcome in PENDING_REASONS:
        for order in locked.open_orders:
            moves.pending(order, PENDING_REASONS[report.outcome])
    moves.store()


def _book(moves: Moves, locked: LockedAttempt, judgement: Judgement, fact: Fact) -> None:
    """Book what was taken: to the sellers of open orders, else to unapplied receipts."""
    by_id = {order.id: order for order in locked.orders}
    taken = {by_id[order_id]: amount for order_id, amount in judgement.captures.items()}
    applied = {order: amount for order, amount in taken.items() if not order.is_final}
    entries = bookkeeping.record_captures(
        attempt=locked.attempt, captured=applied, occurred_at=fact.occurred_at
    )
    for order, amount in taken.items():
        locked.attempt.captured = locked.attempt.captured + amount
        if order in applied:
            if order.status == OrderStatus.NOT_STARTED:  # The PSP knows more than a restored database.
                moves.execute(order, PendingReason.SUBMITTED)
            before = order.status
            order.succeed(captured=amount, capture_entry_id=entries[order.id], at=moves.at)
            moves.order(order, before)
        else:
            bookkeeping.record_unapplied_receipt(
                attempt=locked.attempt, order=order, amount=amount, occurred_at=fact.occurred_at
            )
            if _sends_back(locked):
                request_refund_of_late_success(
                    attempt=locked.attempt, order=order, amount=amount, at=moves.at
                )


def _sends_back(locked: LockedAttempt) -> bool:
    """Whether the shop wants late money sent back at once, and its PSP can; else it waits for staff."""
    wanted = locked.event.shop.late_success == LateSuccess.REFUND
    return wanted and capabilities.of(locked.attempt.psp_account).refund


def _failure_code(locked: LockedAttempt, report: Report) -> str:
    """Why the orders that are left of an ended attempt are not paid."""
    if report.outcome == Outcome.DECLINED:
        return f"declined:{report.decline_code or 'unspecified'}"
    if report.outcome == Outcome.REFUSED:
        return f"refused:{report.decline_code or 'unspecified'}"
    reason = _called_off(locked)
    if reason:
        return "expired" if reason == REPLACED and locked.event.closed_at else reason
    return "canceled" if report.outcome == Outcome.SUCCEEDED else report.outcome.value


def _called_off(locked: LockedAttempt) -> str:
    """Why we wanted the attempt canceled; empty when nobody did."""
    return next((item.reason for item in locked.tries if item.operation == Operation.CANCEL), "")
