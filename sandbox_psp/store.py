"""The sandbox's memory: one SQLite file in WAL mode, one writer at a time, readers beside it.

A request's whole effect (money, events, idempotency record) commits in one transaction, so whatever kills the process
leaves all of it or none of it.
"""

import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox_psp.schema import SCHEMA


class Store:
    """Opens the file; hands out the one writing connection and reading ones."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._write_lock = threading.Lock()
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.row_factory = sqlite3.Row
        # A killed process loses nothing with NORMAL; only a machine that loses power may lose the last commits.
        connection.execute("PRAGMA synchronous = NORMAL")
        # The clockwork folds the log into the file; a commit does so only if that has fallen far behind.
        connection.execute("PRAGMA wal_autocheckpoint = 20000")
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction of the one writer; commits at the end, rolls back on any exception."""
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot of what is committed."""
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.execute("ROLLBACK")
            self._readers.put(connection)

    def fold(self) -> None:
        """Fold the write-ahead log into the file as far as readers let it, beside the writer."""
        with self.read() as db:
            db.execute("ROLLBACK")
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            db.execute("BEGIN")

    def close(self) -> None:
        """Wait for the writer and fold the write-ahead log into the file."""
        with self._write_lock:
            while not self._readers.empty():
                self._readers.get_nowait().close()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()


def next_number(db: sqlite3.Connection, name: str) -> int:
    """The next value of a counter that never repeats."""
    row = db.execute(
        "INSERT INTO counters (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
        " RETURNING value",
        (name,),
    ).fetchone()
    return int(row[0])
