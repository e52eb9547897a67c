"""A caller of the sandbox's API, and a receiver of its webhooks."""

import contextlib
import hmac
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

SECRET_KEY = "sk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.raw)

    @property
    def error(self) -> Any:
        """The error in the body."""
        return self.json["error"]


class Api:
    """One caller; a fresh connection per request unless it is told otherwise."""

    def __init__(self, port: int, *, secret_key: str = SECRET_KEY, timeout: float = 10) -> None:
        self.port = port
        self._secret_key = secret_key
        self._timeout = timeout

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send one request; `body` may be bytes."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout or self._timeout)
        sent = {"Authorization": f"Bearer {self._secret_key}", **(headers or {})}
        if key is not None:
            sent["Idempotency-Key"] = key
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Answer:
        """GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        """POST."""
        return self.call("POST", path, body, **options)

    def pay(self, source: str = "tok_visa", *, key: str | None = None, **fields: Any) -> Answer:
        """Create a payment: 10.00 EUR unless told otherwise, under a new key and reference."""
        body = {"amount": 1000, "currency": "EUR", "source": source, "reference": str(uuid4()), **fields}
        return self.post("/v1/payments", body, key=key or str(uuid4()))

    def payment(self, payment_id: str) -> Any:
        """A payment as it is now."""
        return self.get(f"/v1/payments/{payment_id}").json

    def becomes(self, path: str, status: str, *, within_seconds: float = 5) -> Any:
        """Wait until an object has this status."""
        return wait_for(
            lambda: (found := self.get(path).json)["status"] == status and found,
            what=f"{path} to become {status}",
            within_seconds=within_seconds,
        )

    def balances(self, currency: str = "EUR") -> dict[str, int]:
        """The books' accounts in one currency; asserts that they balance."""
        books = self.get("/v1/books").json
        assert all(total == 0 for total in books["total"].values())
        rows = [row for row in books["accounts"] if row["currency"] == currency]
        assert sum(row["balance"] for row in rows) == 0
        return {row["account"]: row["balance"] for row in rows}

    def charged(self, reference: str) -> tuple[int, int, int]:
        """What really happened under a reference: payments that took money, captures, amount captured."""
        rows = self.get(f"/v1/charges/summary?reference={reference}").json["data"]
        return len(rows), sum(row["charges"] for row in rows), sum(row["amount_captured"] for row in rows)

    def fired(self, kind: str) -> int:
        """How often a fault struck."""
        return int(self.get("/v1/control/faults").json["fired"].get(kind, 0))


def wait_for(probe: Callable[[], Any], *, what: str, within_seconds: float = 5) -> Any:
    """Ask until the answer is true."""
    until = time.monotonic() + within_seconds
    while not (found := probe()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {within_seconds} s for {what}")
        time.sleep(0.02)
    return found


def free_port() -> int:
    """A port that was free a moment ago, from below the range that outgoing connections take theirs from."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request as it arrived."""

    body: bytes
    signature: str | None
    at: float

    @property
    def event(self) -> Any:
        """The event, read."""
        return json.loads(self.body)

    @property
    def genuine(self) -> bool:
        """Whether a careful receiver would believe it: right secret, signed in the last five minutes."""
        if self.signature is None:
            return False
        parts = dict(part.split("=", 1) for part in self.signature.split(","))
        expected = hmac.new(
            WEBHOOK_SECRET.encode(), f"{parts['t']}.".encode() + self.body, sha256
        ).hexdigest()
        return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300


class Receiver:
    """A webhook endpoint that keeps what it gets and answers what it is told to."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: list[int] = []
        """Statuses of the next answers; 200 when used up."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.deliveries.append(
                    Delivery(body, self.headers.get("Sandbox-Signature"), time.monotonic())
                )
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks?shop=1"

    def of(self, object_id: str, *, genuine: bool = True) -> list[Any]:
        """The events about an object in the order of their arrival."""
        return [
            delivery.event
            for delivery in list(self.deliveries)
            if delivery.event["data"]["object"]["id"] == object_id and (delivery.genuine or not genuine)
        ]

    def types(self, object_id: str) -> list[str]:
        """Their types."""
        return [event["type"] for event in self.of(object_id)]

    def stop(self) -> None:
        """Close the endpoint."""
        self._server.shutdown()
        self._server.server_close()
