"""I/O that nobody counted cannot be killed at, so it must not exist: it fails the run.

Installed in every process of the matrix, for its whole life. A breach is told to the parent as well as raised,
because the code under test may survive an exception on purpose.
"""

import functools
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper

from tests.chaos.points import Points, Tell

SOCKET_CALLS = ("connect", "connect_ex", "send", "sendall", "sendto", "sendmsg", "sendfile")
SQL_CALLS = {
    psycopg.Cursor: ("execute", "executemany", "stream", "copy"),
    psycopg.ServerCursor: ("execute", "executemany"),
    psycopg.Connection: ("commit", "pipeline", "transaction", "tpc_begin", "notifies"),
}
AUDITED = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.exec"}


class Uncounted(AssertionError):
    """Something left the process beside the places that are counted."""


def install(points: Points, tell: Tell) -> None:
    """Watch this process; there is no way back, for it will die soon."""

    def breach(what: str) -> None:
        tell(uncounted=what)
        raise Uncounted(what)

    _watch_sockets(points, breach)
    _watch_sql(points, breach)

    def hear(event: str, arguments: object) -> None:
        if event in AUDITED and points.watching:
            breach(event)

    sys.addaudithook(hear)


def _watch_sockets(points: Points, breach: Callable[[str], None]) -> None:
    """Python's sockets may be used only right after a boundary that says `send`. libpq has sockets of its own."""

    def check(what: str) -> None:
        if not points.may_talk:
            breach(what)

    for kind in (socket.socket, ssl.SSLSocket):
        for name in SOCKET_CALLS:
            if name in vars(kind) or kind is socket.socket:
                _wrap(kind, name, functools.partial(check, f"socket.{name}"))


def _watch_sql(points: Points, breach: Callable[[str], None]) -> None:
    """Every statement and every commit must have come through the counted connection."""

    def check(what: str) -> None:
        if points.watching and not points.statement_is_counted:
            breach(what)

    for kind, names in SQL_CALLS.items():
        for name in names:
            _wrap(kind, name, functools.partial(check, f"{kind.__name__}.{name}"))

    connect, is_usable = BaseDatabaseWrapper.connect, DatabaseWrapper.is_usable
    opened = psycopg.Connection._connect_gen  # What `psycopg.connect` comes to, whoever has imported it.

    def connect_counted(self: BaseDatabaseWrapper) -> None:
        if points.watching and not points.owns(self):
            breach("a connection of Django's that is not counted, of another thread or another alias")
        before, points.statement_is_counted = points.statement_is_counted, True
        try:
            connect(self)
        finally:
            points.statement_is_counted = before

    def is_usable_counted(self: DatabaseWrapper) -> bool:
        before, points.statement_is_counted = points.statement_is_counted, True
        try:
            return bool(is_usable(self))
        finally:
            points.statement_is_counted = before

    def opened_counted(cls: type[Any], *arguments: Any, **options: Any) -> Any:
        check("psycopg.connect")
        return opened.__func__(cls, *arguments, **options)  # type: ignore[attr-defined]

    BaseDatabaseWrapper.connect = connect_counted  # type: ignore[method-assign]
    DatabaseWrapper.is_usable = is_usable_counted  # type: ignore[assignment, method-assign]
    psycopg.Connection._connect_gen = classmethod(opened_counted)  # type: ignore[assignment, method-assign]


def _wrap(kind: type[Any], name: str, check: Callable[[], object]) -> None:
    original = getattr(kind, name)

    @functools.wraps(original)
    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        check()
        return original(self, *arguments, **options)

    setattr(kind, name, watched)
