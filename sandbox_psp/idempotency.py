"""Idempotency keys: what was answered under a key is answered again, and nothing happens twice.

The record commits with the effect. Which keys are being worked on is only known in memory, rightly: when the process
dies, so does the uncommitted work.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from sandbox_psp.errors import ApiError
from sandbox_psp.http import Request, Response

LONGEST = 255


class RunningKeys:
    """The keys whose first request is still being answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Keep others with this key out.

        Raises:
            ApiError: 409, somebody else holds it.
        """
        with self._lock:
            if key in self._keys:
                raise in_use()
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def in_use() -> ApiError:
    """The first request with this key still runs."""
    return ApiError(
        "Another request with this key is still running.",
        code="idempotency_key_in_use",
        status=409,
        error_type="idempotency_error",
        headers={"Retry-After": "1"},
    )


def key_of(request: Request) -> str:
    """The request's key, empty when it has none.

    Raises:
        ApiError: the key is too long or empty.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return ""
    if not 0 < len(key) <= LONGEST:
        raise ApiError(f"The key must have 1 to {LONGEST} characters.", code="idempotency_key_invalid")
    return key


def fingerprint(request: Request) -> str:
    """Equal for requests that ask the same; the order of JSON fields does not matter."""
    canonical = json.dumps(request.body, sort_keys=True, separators=(",", ":"))
    return sha256(f"{request.method} {request.path}\n{canonical}".encode(errors="surrogatepass")).hexdigest()


def replay(db: sqlite3.Connection, key: str, asked: str, *, oldest: float) -> Response | None:
    """The stored answer to what was `asked` (a fingerprint); None when the key is new or older than `oldest`.

    Raises:
        ApiError: 400, the key was used for another request.
    """
    row = db.execute("SELECT * FROM idempotency_keys WHERE key = ? AND created > ?", (key, oldest)).fetchone()
    if row is None:
        return None
    if row["fingerprint"] != asked:
        raise ApiError(
            "This key was used for another request.",
            code="idempotency_key_reused",
            error_type="idempotency_error",
        )
    return Response(status=row["status"], body=row["body"], headers={"Idempotency-Replayed": "true"})


def store(db: sqlite3.Connection, key: str, asked: str, response: Response, *, now: float) -> None:
    """Keep an answer."""
    db.execute(
        "INSERT OR REPLACE INTO idempotency_keys (key, fingerprint, status, body, created) VALUES (?, ?, ?, ?, ?)",
        (key, asked, response.status, response.body, now),
    )


def prune(db: sqlite3.Connection, *, oldest: float) -> None:
    """Forget keys that are older than `oldest`."""
    db.execute("DELETE FROM idempotency_keys WHERE created <= ?", (oldest,))
