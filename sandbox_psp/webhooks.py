"""Delivery of events: signed, retried with growing pauses, remembered over restarts.

Header `Sandbox-Signature: t=<unix>,v1=<hex of HMAC-SHA256(secret, "<t>." + raw body)>`. Any 2xx means delivered.
Deliveries of one object go through one worker, so they arrive in order unless one has to be repeated.
"""

import hmac
import http.client
import logging
import queue
import sqlite3
import threading
import time
import zlib
from hashlib import sha256
from urllib.parse import urlsplit

from sandbox_psp.sandbox import Sandbox

logger = logging.getLogger(__name__)

WORKERS = 4
BATCH = 200
MOST_ATTEMPTS = 25
LONGEST_PAUSE_SECONDS = 3600.0


def sign(secret: str, body: bytes, *, at: int) -> str:
    """The signature header's value."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
    return f"t={at},v1={digest}"


def signature_for(signing: str, secret: str, body: bytes, *, at: int) -> str | None:
    """The header for a genuine delivery, or for a forged one of some variant."""
    if signing == "unsigned":
        return None
    if signing == "wrong_secret":
        return sign("somebody else's secret", body, at=at)
    if signing == "stale":
        return sign(secret, body, at=at - 86400)
    return sign(secret, body, at=at)


class Deliverer(threading.Thread):
    """Hands due deliveries to its workers."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(name="webhooks", daemon=True)
        self._sandbox = sandbox
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._in_hand: set[int] = set()
        self._queues: list[queue.Queue[int | None]] = [queue.Queue() for _ in range(WORKERS)]
        self._workers = [
            threading.Thread(target=self._work, args=(own,), name=f"webhooks-{n}", daemon=True)
            for n, own in enumerate(self._queues)
        ]

    def stop(self) -> None:
        """End after the deliveries that are on their way; the others wait for the next start."""
        self._stopped.set()
        self._sandbox.events_waiting.set()
        for own in self._queues:
            own.put(None)

    def run(self) -> None:
        """Until stopped."""
        if not self._sandbox.config.webhook_url:
            return
        for worker in self._workers:
            worker.start()
        while not self._stopped.is_set():
            self._sandbox.events_waiting.clear()
            try:
                full = self._hand_out()
            except Exception:
                logger.exception("the deliverer stumbled; it goes on")
                full = False
            self._sandbox.events_waiting.wait(0.02 if full else 0.2)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the workers too."""
        super().join(timeout)
        for worker in self._workers:
            if worker.ident is not None:
                worker.join(timeout)

    def _hand_out(self) -> bool:
        with self._lock:
            in_hand = set(self._in_hand)
        if len(in_hand) >= BATCH:
            return True
        with self._sandbox.store.read() as db:
            rows = db.execute(
                "SELECT seq, object FROM deliveries WHERE status = 'waiting' AND next_at <= ? ORDER BY next_at, seq"
                " LIMIT ?",
                (time.time(), 2 * BATCH),
            ).fetchall()
        for row in rows:
            if row["seq"] not in in_hand:
                with self._lock:
                    self._in_hand.add(row["seq"])
                self._queues[zlib.crc32(row["object"].encode()) % WORKERS].put(row["seq"])
        return len(rows) == 2 * BATCH

    def _work(self, own: "queue.Queue[int | None]") -> None:
        line = _Line(self._sandbox.config.webhook_url)
        while (seq := own.get()) is not None and not self._stopped.is_set():
            try:
                self._deliver(line, seq)
            except Exception:
                logger.exception("delivery %s stumbled", seq)
                time.sleep(0.1)
            finally:
                with self._lock:
                    self._in_hand.discard(seq)
        line.close()

    def _deliver(self, line: "_Line", seq: int) -> None:
        sandbox = self._sandbox
        with sandbox.store.read() as db:
            row = db.execute(
                "SELECT deliveries.*, events.payload AS genuine FROM deliveries JOIN events ON events.id = event"
                " WHERE deliveries.seq = ? AND status = 'waiting'",
                (seq,),
            ).fetchone()
        if row is None:
            return
        body: bytes = row["payload"] if row["payload"] is not None else row["genuine"]
        signature = signature_for(row["signing"], sandbox.config.webhook_secret, body, at=int(time.time()))
        delivered, told = line.post(body, signature, timeout=sandbox.timing.webhook_timeout_seconds)
        with sandbox.store.write() as db:
            self._note(db, row, delivered=delivered, told=told)

    def _note(self, db: sqlite3.Connection, row: sqlite3.Row, *, delivered: bool, told: str) -> None:
        attempts = row["attempts"] + 1
        pause = min(self._sandbox.timing.webhook_retry_seconds * 2.0 ** (attempts - 1), LONGEST_PAUSE_SECONDS)
        if delivered:
            status = "delivered"
        elif row["signing"] != "genuine" or attempts >= MOST_ATTEMPTS:
            status = "given_up"
        else:
            status = "waiting"
        db.execute(
            "UPDATE deliveries SET status = ?, attempts = ?, next_at = ?, last_answer = ? WHERE seq = ?",
            (status, attempts, time.time() + pause, told, row["seq"]),
        )


class _Line:
    """A kept connection to the receiver."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, signature: str | None, *, timeout: float) -> tuple[bool, str]:
        """Whether the receiver took it, and what it said."""
        headers = {"Content-Type": "application/json", "User-Agent": "sandbox-psp-webhooks"}
        if signature is not None:
            headers["Sandbox-Signature"] = signature
        path = self._parts.path or "/"
        if self._parts.query:
            path += f"?{self._parts.query}"
        for fresh in (False, True):
            if fresh or self._connection is None:
                self._connection = self._open(timeout)
            was_used = not fresh and self._connection.sock is not None
            try:
                self._connection.request("POST", path, body=body, headers=headers)
                response = self._connection.getresponse()
                response.read(64 * 1024)
                if response.will_close:
                    self.close()
                return 200 <= response.status < 300, str(response.status)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # The receiver may have closed a kept connection while it was idle: that is no failed delivery.
                if not was_used:
                    return False, f"{type(error).__name__}: {error}"[:200]
        return False, "no connection"

    def _open(self, timeout: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "127.0.0.1", self._parts.port, timeout=timeout)

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
