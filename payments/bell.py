"""Ring for work. A ring carries no data and may be lost: the due rows are found by the next sweep."""

import time
from dataclasses import dataclass
from functools import partial

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from ledger.boundary import boundary

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bell:
    """Which task answers, on which Celery queue."""

    task: str
    queue: str


SILENCE_SECONDS = 2.0
"""How long a process does not even try after the broker failed, so that requests do not queue up behind it."""


class _Silence:
    """Until when this process leaves the bell alone."""

    until = 0.0


_silence = _Silence()

PSP_CALLS = "psp_calls"
INBOUND_WEBHOOKS = "inbound_webhooks"
EXPIRIES = "expiries"
RISK_CHECKS = "risk_checks"
DELIVERIES = "deliveries"
REMOVALS = "removals"

BELLS: dict[str, Bell] = {
    PSP_CALLS: Bell(task="payments.tasks.call_psps", queue="psp"),
    INBOUND_WEBHOOKS: Bell(task="payments.tasks.handle_webhooks", queue="interactive"),
    EXPIRIES: Bell(task="payments.tasks.expire_checkouts", queue="batch"),
    RISK_CHECKS: Bell(task="payments.tasks.check_risks", queue="interactive"),
    DELIVERIES: Bell(task="payments.tasks.deliver_webhooks", queue="webhooks"),
    REMOVALS: Bell(task="payments.tasks.remove_old_news", queue="batch"),
}


def ring(name: str) -> None:
    """Ring now. A broker that is down costs one sweep of delay, never the request."""
    bell = BELLS[name]
    if time.monotonic() < _silence.until:
        return
    boundary(f"broker:send:{name}")
    try:
        current_app.send_task(bell.task, queue=bell.queue, retry=False, ignore_result=True)
    except OperationalError as error:
        _silence.until = time.monotonic() + SILENCE_SECONDS
        log.warning("bell_not_heard", bell=name, error=str(error))


def ring_on_commit(name: str) -> None:
    """Ring when the current transaction has committed; never inside it."""
    transaction.on_commit(partial(ring, name))
