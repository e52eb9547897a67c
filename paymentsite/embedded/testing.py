"""`make test`: the tests on servers of their own, which are stopped afterwards."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TextIO
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from paymentsite.embedded import environment, servers, signals
from paymentsite.embedded.rooms import PROJECT, TEST
from paymentsite.embedded.speech import say

SERIAL = "stack or race or browser or chaos"
"""These take both processors, or measure time, or share a browser: one after the other."""
NOTHING_SELECTED = 5
"""pytest's exit code."""


def test(arguments: Sequence[str]) -> int:
    """Run all tests: the quick ones on two processors, then those that want the machine for themselves.

    With arguments: one pytest with these. Returns pytest's exit code.
    """
    signals.end_by_exception()
    with _servers() as values:
        if arguments:
            return _pytest(values, *arguments)
        codes = [_pytest(values, "-n", "2", "-m", f"not ({SERIAL})"), _pytest(values, "-m", SERIAL)]
        failed = [code for code in codes if code not in (0, NOTHING_SELECTED)]
        if codes[0] in failed:
            say("The first part of the tests failed; see its own closing line above.")
        return failed[0] if failed else 0


def _pytest(values: dict[str, str], *arguments: str) -> int:
    tests = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=PROJECT, env=values)
    try:
        return tests.wait()
    except KeyboardInterrupt:
        tests.send_signal(signal.SIGINT)  # Ctrl-C reached it already; a plain kill of us did not.
        try:
            tests.wait(20)
        except subprocess.TimeoutExpired:
            tests.kill()
        raise


@contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """The environment for pytest. Several `make test` may share the servers; the last one stops them."""
    TEST.make()
    with open(TEST.folder / "users", "w") as users:
        alone = _alone(users)
        servers.up(TEST)
        values = environment.for_processes(TEST) | {"DEBUG": "false"}
        if not os.environ.get("DATABASE_URL"):
            if alone:
                _drop_leftovers(values["DATABASE_URL"])
            values["DATABASE_URL"] = _renamed(values["DATABASE_URL"], f"run{os.getpid()}")
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield values
        finally:
            signals.ignore()
            if _alone(users):
                with redirect_stdout(StringIO()):  # pytest's closing line stays the last.
                    servers.down(TEST)


def _alone(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _renamed(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _drop_leftovers(url: str) -> None:
    """Databases of tests that were killed."""
    with psycopg.connect(_renamed(url, "postgres"), autocommit=True) as connection:
        for (name,) in connection.execute(
            "SELECT datname FROM pg_database WHERE NOT datistemplate"
        ).fetchall():
            if name not in ("postgres", "payments"):
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
