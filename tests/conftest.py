"""For all tests: a database that can be emptied, no network inside a transaction, no hook left behind."""

import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import pytest
from django.core.management.color import Style
from django.db import connections
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings as hypothesis_settings

from ledger import boundary
from tests.stack import Stack, StackMaker

# Two processors shared with databases and workers: slow is not wrong. pytest-timeout catches what hangs.
hypothesis_settings.register_profile("shared_machine", deadline=None, print_blob=True)
hypothesis_settings.load_profile("shared_machine")

_sql_flush = DatabaseOperations.sql_flush


def _flush_with_triggers_off(
    self: DatabaseOperations,
    style: Style,
    tables: Sequence[str],
    *,
    reset_sequences: bool = False,
    allow_cascade: bool = False,
) -> list[str]:
    """Empty the tables between tests although their triggers refuse it.

    The suite runs with all triggers installed; only this flush goes past them, inside its own transaction.
    DELETE takes 12 ms for ninety small tables, TRUNCATE 70 ms.
    """
    if not tables:
        return []
    if reset_sequences or allow_cascade:
        statements = _sql_flush(
            self, style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade
        )
    else:
        statements = [f"DELETE FROM {self.quote_name(table)};" for table in tables]
    return ["SET LOCAL session_replication_role = replica;", *statements]


DatabaseOperations.sql_flush = _flush_with_triggers_off  # type: ignore[assignment, method-assign]


class NetworkInsideTransaction(AssertionError):
    """A call to the outside while a transaction holds its locks; it may take minutes or never be answered."""


@pytest.fixture(autouse=True)
def no_network_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise when a socket connects or sends inside a transaction other than the test's own.

    PostgreSQL itself is not concerned: libpq does not use Python's sockets.
    """

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, *arguments: Any) -> Any:
            if self.family != socket.AF_UNIX and _inside_a_transaction():
                raise NetworkInsideTransaction(f"{original.__name__} inside a database transaction")
            return original(self, *arguments)

        return call

    for name in ("connect", "connect_ex", "send", "sendall"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))


def _inside_a_transaction() -> bool:
    return any(
        not block._from_testcase  # type: ignore[attr-defined]
        for connection in connections.all(initialized_only=True)
        for block in connection.atomic_blocks
    )


@pytest.fixture(autouse=True)
def no_hook_left_behind() -> Iterator[None]:
    """The next test starts without anybody at the boundaries."""
    yield
    boundary.install(None)


@pytest.fixture(scope="session")
def stack_maker() -> Iterator[StackMaker]:
    """Makes whole systems, each on a database of its own; all are stopped at the end."""
    maker = StackMaker()
    try:
        yield maker
    finally:
        maker.stop_all()


@pytest.fixture(scope="session")
def stack(stack_maker: StackMaker) -> Stack:
    """The whole system as separate processes, shared by the tests that leave it in order. HTTP only."""
    return stack_maker.make("shared")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the ends of a stack's logs below a failure of a test that used it."""
    report = yield
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Stack):
                report.sections.append(("logs of the stack", value.tail()))
    return report
