"""One unit of work: the transaction it runs in, the time it happens at, and the faults that it must show."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from sandbox_psp.config import Timing


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that was drawn for one request or event."""

    kind: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Work:
    """What every function that reads or changes the sandbox is given."""

    db: sqlite3.Connection
    now: float
    timing: Timing
    base_url: str = ""
    """Where the challenge page of this sandbox is reached."""
    webhooks: bool = False
    """Whether somebody listens to events."""
    faults: list[Fault] = field(default_factory=list)
    """Faults drawn for this request that change what is done rather than how it is answered."""
    rules: bool = False
    """Whether fault rules are in force."""
    emitted: bool = False
    """Set when an event was queued: the deliverer is woken after the commit."""

    def fault(self, kind: str) -> Fault | None:
        """The drawn fault of this kind, if any."""
        return next((fault for fault in self.faults if fault.kind == kind), None)
