"""Everything that must always hold, asked in one read-only snapshot over all apps."""

import time
from collections.abc import Iterator
from datetime import timedelta

from ledger import clock
from ledger.services import Violation, snapshot
from ledger.services import invariants as ledger_invariants
from payments.models import InvariantRun
from payments.services import invariants as payments_invariants
from wallet.services import invariants as wallet_invariants

RUNS_KEPT = timedelta(days=30)


def all_violations() -> list[Violation]:
    """Every violation there is, all seen at one moment. Must not be called inside a transaction."""
    with snapshot():
        return list(questions())


def questions() -> Iterator[Violation]:
    """Every violation in the caller's snapshot."""
    yield from ledger_invariants.violations()
    yield from wallet_invariants.violations()
    yield from payments_invariants.violations()


def check_and_keep() -> InvariantRun:
    """Look, and keep what was found for the dashboard and for whoever is called at night."""
    began = time.perf_counter()
    found = all_violations()
    InvariantRun.objects.filter(at__lt=clock.now() - RUNS_KEPT).delete()
    return InvariantRun.objects.create(
        at=clock.now(),
        seconds=time.perf_counter() - began,
        violations=[
            {"invariant": broken.invariant, "message": broken.message, "rows": broken.rows}
            for broken in found
        ],
    )
