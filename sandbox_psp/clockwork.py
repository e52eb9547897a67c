"""The thread that lets time pass: due timers, settlement, old idempotency keys."""

import logging
import threading
import time
from collections.abc import Callable

from sandbox_psp import balance, charging, disputes, idempotency, payment, payouts, refunds
from sandbox_psp.errors import ApiError
from sandbox_psp.sandbox import Sandbox
from sandbox_psp.work import Work

logger = logging.getLogger(__name__)

BATCH = 100
FOLD_SECONDS = 2


def _end_review(work: Work, payment_id: str) -> None:
    charging.end_review(work, payment.load(work, payment_id), approved=True)


def _end_processing(work: Work, payment_id: str) -> None:
    charging.end_processing(work, payment.load(work, payment_id))


def _expire_action(work: Work, payment_id: str) -> None:
    charge = payment.load(work, payment_id)
    if charge.status == "requires_action":
        charging.release(work, charge, status="expired")


def _expire_hold(work: Work, payment_id: str) -> None:
    charge = payment.load(work, payment_id)
    if charge.status == "authorized":
        charging.release(work, charge, status="expired")


def _reverse_success(work: Work, payment_id: str) -> None:
    charging.reverse_success(work, payment.load(work, payment_id))


HANDLERS: dict[str, Callable[[Work, str], None]] = {
    "review_ends": _end_review,
    "processing_ends": _end_processing,
    "action_expires": _expire_action,
    "hold_expires": _expire_hold,
    "success_is_reversed": _reverse_success,
    "refund_ends": refunds.end,
    "refund_comes_back": refunds.fail_after_success,
    "payout_ends": payouts.end,
    "payout_comes_back": payouts.come_back,
    "dispute_overdue": disputes.overdue,
}


class Clockwork(threading.Thread):
    """Looks for due work every `pause_seconds`."""

    def __init__(self, sandbox: Sandbox, *, pause_seconds: float = 0.05) -> None:
        super().__init__(name="clockwork", daemon=True)
        self._sandbox = sandbox
        self._pause_seconds = pause_seconds
        self._stopped = threading.Event()
        self._pruned_at = 0.0
        self._folded_at = time.monotonic()

    def stop(self) -> None:
        """End the thread after what it is doing."""
        self._stopped.set()

    def run(self) -> None:
        """Until stopped."""
        while not self._stopped.wait(self._pause_seconds):
            try:
                self.tick()
            except Exception:
                logger.exception("the clockwork stumbled; it goes on")

    def tick(self) -> None:
        """Do what is due, each timer in its own transaction."""
        sandbox = self._sandbox
        with sandbox.reading() as work:
            due = work.db.execute(
                "SELECT * FROM timers WHERE due_at <= ? ORDER BY due_at, seq LIMIT ?", (work.now, BATCH)
            ).fetchall()
            settles = balance.is_due(work)
            prunes = work.now - self._pruned_at > 60
        if time.monotonic() - self._folded_at > FOLD_SECONDS:
            sandbox.store.fold()
            self._folded_at = time.monotonic()
        for timer in due:
            with sandbox.writing() as work:
                work.db.execute("DELETE FROM timers WHERE seq = ?", (timer["seq"],))
                try:
                    HANDLERS[timer["kind"]](work, timer["object"])
                except ApiError as refusal:
                    # Somebody was faster: canceled, reviewed by hand, paid.
                    logger.debug("%s of %s is moot: %s", timer["kind"], timer["object"], refusal)
        if settles:
            with sandbox.writing() as work:
                balance.settle_due(work)
        if prunes:
            with sandbox.writing() as work:
                idempotency.prune(work.db, oldest=work.now - work.timing.key_seconds)
                self._pruned_at = work.now
