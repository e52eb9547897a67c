"""One running sandbox: its memory, its clock, its delays, and the units of work that everything happens in."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

from sandbox_psp import faults
from sandbox_psp.config import Config, Timing
from sandbox_psp.store import Store
from sandbox_psp.work import Fault, Work


class Sandbox:
    """What the API, the clockwork and the webhook deliverer share."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config.database)
        self.timing = config.timing
        self.base_url = config.public_url
        self.clock_offset = 0.0
        self.events_waiting = threading.Event()
        self.rules = False
        self._load()

    def _load(self) -> None:
        with self.store.read() as db:
            kept = {row["name"]: json.loads(row["value"]) for row in db.execute("SELECT * FROM settings")}
            self.rules = faults.any_rules(db)
        self.clock_offset = float(kept.pop("clock_offset", 0))
        known = {setting.name for setting in fields(Timing)}
        self.timing = Timing(**{**asdict(self.timing), **{k: v for k, v in kept.items() if k in known}})

    def now(self) -> float:
        """The sandbox's time: the real one, moved by the control surface."""
        return time.time() + self.clock_offset

    def change_settings(self, work: Work, changes: dict[str, Any]) -> None:
        """Change delays or the clock, and remember it over restarts."""
        for name, value in changes.items():
            work.db.execute(
                "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
                (name, json.dumps(value)),
            )
            if name == "clock_offset":
                self.clock_offset = value
            else:
                setattr(self.timing, name, value)

    @contextmanager
    def reading(self) -> Iterator[Work]:
        """A unit of work that only looks."""
        with self.store.read() as db:
            yield Work(db=db, now=self.now(), timing=self.timing, base_url=self.base_url)

    @contextmanager
    def writing(self, struck: list[Fault] | None = None) -> Iterator[Work]:
        """A unit of work that commits at its end; listeners hear of its events only after that."""
        with self.store.write() as db:
            work = Work(
                db=db,
                now=self.now(),
                timing=self.timing,
                base_url=self.base_url,
                webhooks=bool(self.config.webhook_url),
                faults=struck or [],
                rules=self.rules,
            )
            yield work
        if work.emitted:
            self.events_waiting.set()

    def close(self) -> None:
        """Fold everything into the file."""
        self.store.close()
