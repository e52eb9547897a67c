"""The places where a blow may fall, counted as a process passes them.

A place is each SQL statement, each COMMIT (before it, and after it), each statement outside a transaction (before it,
and after it), and each `ledger.boundary.boundary()`: PSP send and receive, broker call. Nobody lists them: they are
counted by running the code.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from ledger import boundary

Tell = Callable[..., None]
"""Says something to the parent process, also when the next thing is death."""

Place = int | str
"""Where a blow falls: at the n-th place from 1 on, or at the first place of this name."""

Blow = Callable[["Points", str], None]
"""What happens there; see `blows.py`."""

LONGEST_NAME = 90


class Points:
    """Counts places from `start()` on, and lets a blow fall at one of them."""

    def __init__(self, *, at: Place | None = None, blow: Blow | None = None) -> None:
        self._at = at
        self._blow = blow
        self._counting = False
        self.fell = False
        """Whether the blow has fallen, and the process lives."""
        self.names: list[str] = []
        self.statement_is_counted = False
        """Whether the SQL that is running now came through the counted connection."""
        self._last = ""

    def start(self) -> None:
        """Count from here on. SQL must go through this thread's default connection; `guard.py` sees that it does."""
        self._counting = True
        connection.execute_wrappers.append(self._around_statement)
        commit = connection._commit  # type: ignore[attr-defined]  # the one place where Django commits

        def counted_commit() -> Any:
            self.reach("commit")
            with self._counted():
                result = commit()
            self.reach("committed")
            return result

        connection._commit = counted_commit  # type: ignore[attr-defined]
        boundary.install(self.reach)

    def stop(self) -> None:
        """Count no more."""
        self._counting = False

    @contextmanager
    def not_ours(self) -> Iterator[None]:
        """What is done in here is done by the outside world, not by our processes."""
        counting, self._counting = self._counting, False
        try:
            yield
        finally:
            self._counting = counting

    @property
    def watching(self) -> bool:
        """Whether what happens now must be counted."""
        return self._counting

    @property
    def may_talk(self) -> bool:
        """Whether the network may be used now: right after a place that says so, until the next place."""
        return not self._counting or ":send:" in self._last

    def owns(self, wrapper: BaseDatabaseWrapper) -> bool:
        """Whether this connection is the counted one."""
        return self._around_statement in wrapper.execute_wrappers

    def reach(self, name: str) -> None:
        """This place has been reached."""
        if not self._counting:
            return
        self._last = name
        self.names.append(name)
        if self._blow is not None and not self.fell and self._at in (len(self.names), name):
            self.fell = True
            with self.not_ours():
                self._blow(self, name)

    def _around_statement(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        name = shape(str(sql))
        self.reach(f"sql: {name}")
        with self._counted():
            result = execute(sql, params, many, context)
        if not context["connection"].in_atomic_block:
            self.reach(f"done: {name}")
        return result

    @contextmanager
    def _counted(self) -> Iterator[None]:
        before, self.statement_is_counted = self.statement_is_counted, True
        try:
            yield
        finally:
            self.statement_is_counted = before


def shape(sql: str) -> str:
    """The beginning of a statement, without the lists of columns and the values that make every run different."""
    text = re.sub(r"\s+", " ", sql).strip()
    text = re.sub(r'SELECT (?!\*).*? FROM "', 'SELECT ... FROM "', text, count=1)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27,}|\bs\d+_x\d+\b|\d+", "N", text)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "..."
