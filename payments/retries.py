"""When to try again. Money is retried by rows that say when they are due, never by a library's loop.

The waits stand in the table of retry strategies; here are the rows that a new system starts with, and the limits that
no row may move.
"""

import secrets
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from payments.models import RetryStrategy, StrategyKind, Work

LEASE = timedelta(seconds=30)
"""How long a claimed row belongs to its worker; longer than a PSP call may take."""

MOST_CLAIMS = 200
"""Claims after which a row goes to the dead letters, whatever the strategies say: it may be what kills its workers."""

_TENTH = Decimal("0.1")

STRATEGIES = (
    # The answer was lost and the buyer waits: ask soon, then ever more slowly.
    RetryStrategy(
        work=Work.QUERY_UNKNOWN,
        kind=StrategyKind.EXPONENTIAL,
        first_seconds=2,
        growth=2,
        longest_seconds=3600,
        jitter=_TENTH,
        most_tries=60,
    ),
    # The PSP waits for somebody: its webhook should come first, the question is for when it does not.
    RetryStrategy(
        work=Work.QUERY_PENDING,
        kind=StrategyKind.EXPONENTIAL,
        first_seconds=30,
        growth=2,
        longest_seconds=6 * 3600,
        jitter=_TENTH,
        most_tries=60,
    ),
    RetryStrategy(
        work=Work.SEND,
        kind=StrategyKind.EXPONENTIAL,
        first_seconds=1,
        growth=2,
        longest_seconds=300,
        jitter=_TENTH,
        most_tries=60,
    ),
    RetryStrategy(
        work=Work.HANDLE_WEBHOOK,
        kind=StrategyKind.EXPONENTIAL,
        first_seconds=1,
        growth=3,
        longest_seconds=600,
        jitter=_TENTH,
        most_tries=30,
    ),
    # 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 6 h, 23 h, 24 h, 24 h: a good three days, so that a weekend is survived.
    RetryStrategy(
        work=Work.DELIVER_WEBHOOK,
        kind=StrategyKind.EXPONENTIAL,
        first_seconds=5,
        growth=4,
        longest_seconds=24 * 3600,
        jitter=_TENTH,
        most_tries=10,
    ),
    # The buyer waits, and a person can decide as well: ask a little, then give up.
    RetryStrategy(
        work=Work.ASK_RISK,
        kind=StrategyKind.EXPONENTIAL,
        first_seconds=1,
        growth=2,
        longest_seconds=10,
        jitter=_TENTH,
        most_tries=3,
    ),
)


def ensure_strategies(defaults: Iterable[RetryStrategy] = STRATEGIES) -> None:
    """Store the strategies a new system starts with; those that staff have changed stay as they are."""
    fields = [field.name for field in RetryStrategy._meta.concrete_fields if not field.primary_key]
    RetryStrategy.objects.bulk_create(
        [RetryStrategy(**{name: getattr(row, name) for name in fields}) for row in defaults],
        ignore_conflicts=True,
    )


def next_wait(work: Work, *, done: int, psp_account: str = "", error_class: str = "") -> timedelta | None:
    """How long to wait after `done` tries that did not help; None: give up, the work is a dead letter."""
    rows = RetryStrategy.objects.filter(
        work=work, psp_account__in=["", psp_account], error_class__in=["", error_class]
    )
    found = max(rows, key=_specificity, default=None) or _default(work)
    wait = found.wait(done)
    return None if wait is None else wait * _spread(float(found.jitter))


def at_most_an_hour(seconds: float) -> timedelta:
    """A PSP's Retry-After, capped: no answer of theirs may put a payment out of sight."""
    return timedelta(seconds=min(max(seconds, 0.0), 3600.0))


def _specificity(row: RetryStrategy) -> tuple[bool, bool]:
    return bool(row.psp_account), bool(row.error_class)


def _default(work: Work) -> RetryStrategy:
    """What counts when staff have deleted every row of a kind of work."""
    return next(row for row in STRATEGIES if row.work == work)


def _spread(jitter: float) -> float:
    return 1 - jitter + 2 * jitter * secrets.randbelow(10_001) / 10_000
