"""What may happen to a process at a place: it dies, its connection to the database is cut, or it sleeps too long."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import OperationalError, connection
from psycopg.pq import TransactionStatus

from tests.chaos.points import Blow, Points, Tell

DIE, CUT, SLEEP = "die", "cut", "sleep"

CUT_SECONDS = 5


def die(tell: Tell) -> Blow:
    """SIGKILL: no exception, no cleaning up."""

    def blow(points: Points, name: str) -> None:
        tell(fell=name)
        os.kill(os.getpid(), signal.SIGKILL)

    return blow


def cut(tell: Tell) -> Blow:
    """The database ends our session. After a COMMIT that means that the commit happened, and we hear that it failed."""

    def blow(points: Points, name: str) -> None:
        tell(fell=name)
        _end_session()
        if name == "committed":
            raise OperationalError("server closed the connection unexpectedly")

    return blow


def sleep(tell: Tell, wake: int, woken: Callable[[float], None]) -> Blow:
    """The process stops (a laptop's lid, a paused machine) and goes on when others have long done its work.

    Inside a transaction the database does not wait for it: `idle_in_transaction_session_timeout` ends the session.
    """

    def blow(points: Points, name: str) -> None:
        if _in_transaction():
            _end_session()
        tell(fell=name, asleep=True)
        woken(float(_line(wake)["moved"]))

    return blow


def _in_transaction() -> bool:
    """As the database sees it: Django says no already when it is about to commit."""
    link = connection.connection
    return link is not None and link.info.transaction_status != TransactionStatus.IDLE


def _end_session() -> None:
    """Let the database end this process's session, and wait until it has."""
    if connection.connection is None:
        return
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
        backend = connection.connection.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s, %s)", [backend, CUT_SECONDS * 1000])


def _line(descriptor: int) -> dict[str, Any]:
    heard = b""
    while not heard.endswith(b"\n"):
        heard += os.read(descriptor, 4096)
    found: dict[str, Any] = json.loads(heard)
    return found
