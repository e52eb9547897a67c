"""What beat asks of the whole site."""

import structlog
from celery import shared_task

from paymentsite.invariants import check_and_keep

log = structlog.get_logger(__name__)


@shared_task(name="paymentsite.tasks.check_invariants", ignore_result=True)
def check_invariants() -> None:
    """Look whether everything holds; what does not is logged as an error, which should wake somebody."""
    run = check_and_keep()
    for broken in run.violations:
        log.error("invariant_broken", **broken)
