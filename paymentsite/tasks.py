"""What beat asks of the whole site."""

import structlog
from celery import shared_task

from ledger.services import roll_up
from paymentsite.invariants import check_and_keep

log = structlog.get_logger(__name__)

MOST_ROLL_UPS = 100
"""Steps in one run; what is left waits for the next."""


@shared_task(name="paymentsite.tasks.check_invariants", ignore_result=True)
def check_invariants() -> None:
    """Look whether everything holds; what does not is logged as an error, which should wake somebody."""
    run = check_and_keep()
    for broken in run.violations:
        log.error("invariant_broken", **broken)


@shared_task(name="paymentsite.tasks.roll_up_ledger", ignore_result=True)
def roll_up_ledger() -> None:
    """Fold the tails of deferred accounts into their balances, so that reading one stays cheap."""
    for _ in range(MOST_ROLL_UPS):
        if not roll_up():
            return
