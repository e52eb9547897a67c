"""When to try again. Money is retried by rows that say when they are due, never by a library's loop."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

LEASE = timedelta(seconds=30)
"""How long a claimed row belongs to its worker; longer than a PSP call may take."""

MOST_TRIES = 60
"""Claims after which a row goes to the dead letters."""


@dataclass(frozen=True, slots=True)
class Exponential:
    """Wait `first`, then `factor` times longer each time, up to `longest`, spread by up to a tenth either way."""

    first: timedelta
    factor: float
    longest: timedelta

    def delay(self, done: int) -> timedelta:
        """The wait after `done` tries that did not help."""
        seconds = min(self.first.total_seconds() * self.factor ** min(done, 64), self.longest.total_seconds())
        spread = 0.9 + secrets.randbelow(2001) / 10_000
        return timedelta(seconds=seconds * spread)


QUERY_UNKNOWN = Exponential(first=timedelta(seconds=2), factor=2, longest=timedelta(hours=1))
"""The answer to a charge was lost: ask soon, because the buyer waits."""

QUERY_PENDING = Exponential(first=timedelta(seconds=30), factor=2, longest=timedelta(hours=6))
"""The PSP waits for somebody: its webhook should come first, the query is for when it does not."""

SEND_AGAIN = Exponential(first=timedelta(seconds=1), factor=2, longest=timedelta(minutes=5))
"""The PSP was not reached at all."""

HANDLE_AGAIN = Exponential(first=timedelta(seconds=1), factor=3, longest=timedelta(minutes=10))
"""A stored webhook could not be handled."""


def at_most_an_hour(seconds: float) -> timedelta:
    """A PSP's Retry-After, capped: no answer of theirs may put a payment out of sight."""
    return timedelta(seconds=min(max(seconds, 0.0), 3600.0))
