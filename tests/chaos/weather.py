"""A whole system on servers of its own, with the disk as in production, that storms may kill; and a load upon it."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import psycopg
import redis

from ledger.ids import uuid7
from paymentsite.embedded import environment, servers
from paymentsite.embedded.environment import addresses
from paymentsite.embedded.ports import free_port
from paymentsite.embedded.rooms import PROJECT, Room
from tests.chaos.psp import Outside
from tests.stack import Stack, procfile

ROOM = Room(folder=PROJECT / ".run" / "storms", durable=True)
TWICE = ("sweeper", "beat")
"""Two of each from the beginning: they do each other no harm."""


Answer = tuple[int, bytes]
"""Status and body; status 0 when no answer came."""


@dataclass(slots=True)
class System:
    """The running system, its servers, and the PSP's books."""

    stack: Stack
    second: Stack
    """The other sweeper and the other beat."""

    def kill_database(self) -> None:
        """SIGKILL to every process of PostgreSQL: no checkpoint, no farewell."""
        pid = int((ROOM.postgres_data / "postmaster.pid").read_text().splitlines()[0])
        for one in (pid, *_children(pid)):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)

    def kill_broker(self) -> None:
        """SIGKILL to Valkey; it keeps nothing."""
        os.kill(int((ROOM.valkey_folder / "valkey.pid").read_text()), signal.SIGKILL)

    def flush_broker(self) -> None:
        """Every message is gone, and who listens to what."""
        with suppress(redis.RedisError):
            redis.Redis.from_url(self.stack.environment["REDIS_URL"]).flushall()

    def start_servers(self) -> None:
        """Start what was killed, where it was."""
        with _no_servers_named():
            servers.up(ROOM)
        assert environment.read(ROOM)["DATABASE_URL"] == self.stack.environment["DATABASE_URL"]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database past everything."""
        with psycopg.connect(self.stack.environment["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def open_orders(self) -> int:
        """Orders that are not final, and work that is not done."""
        ((orders, tries, webhooks),) = self.query(
            "SELECT (SELECT count(*) FROM payments_paymentorder WHERE status IN ('NOT_STARTED', 'EXECUTING')),"
            " (SELECT count(*) FROM payments_operationtry WHERE next_try_at IS NOT NULL),"
            " (SELECT count(*) FROM payments_inboundwebhook WHERE next_try_at IS NOT NULL)"
        )
        return int(orders + tries + webhooks)

    def rest(self, *, within_seconds: float = 60) -> float:
        """Wait until nothing is open; how long that took.

        Raises:
            AssertionError: it takes longer.
        """
        began = time.monotonic()
        while left := self.open_orders():
            spent = time.monotonic() - began
            assert spent < within_seconds, f"{left} things open after {spent:.0f} s\n{self.stack.tail()}"
            time.sleep(0.25)
        return time.monotonic() - began

    def assert_sound(self) -> None:
        """The PSP's books are ours, charge by charge; every invariant holds; nothing went to the dead letters."""
        with patch.dict(os.environ, self.stack.environment):
            charges = Outside().charges(after=0)
        theirs = sorted((row["reference"], row["amount_captured"], row["currency"]) for row in charges)
        ours = self.query(
            "SELECT id::text, (captured * 100)::bigint, currency FROM payments_paymentattempt WHERE captured > 0"
        )
        assert theirs == sorted(ours)
        unpaid = self.query("SELECT payment_order_id FROM payments_paymentorder WHERE status <> 'SUCCESS'")
        assert unpaid == []
        assert self.query("SELECT id FROM payments_operationtry WHERE dead_at IS NOT NULL") == []
        assert self.query("SELECT id FROM payments_inboundwebhook WHERE handled_at IS NULL") == []
        checked = self.stack.manage("check_invariants")
        assert checked.returncode == 0, checked.stdout + checked.stderr


def _children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, rest = path.parent.name, path.read_text().rpartition(")")[2].split()
            found += [int(number)] if int(rest[1]) == pid else []
    return found


@contextmanager
def system() -> Iterator[System]:
    """Everything of the Procfile, with two sweepers and two beats."""
    with _no_servers_named():
        servers.up(ROOM)
        values = environment.for_processes(ROOM) | {"DEBUG": "false", "DATABASE_POOL_SIZE": "8"}
    ports = {"WEB_PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    stack = Stack("storms", values | ports | addresses(ports), ROOM.logs)
    other = ROOM.folder / "second"
    other.mkdir(exist_ok=True)
    second = Stack("second", stack.environment | {"RUN_DIR": str(other)}, other)
    for old in (*ROOM.folder.glob("sandbox.sqlite3*"), *ROOM.logs.glob("*.log"), *other.glob("*.log")):
        old.unlink()
    try:
        _empty(stack.environment["DATABASE_URL"])
        prepared = stack.manage("prepare")
        assert prepared.returncode == 0, prepared.stdout + prepared.stderr
        for name in procfile():
            stack.start(name)
        for name in TWICE:
            second.start(name)
        stack.wait_until_ready()
        yield System(stack, second)
    finally:
        for one in (second, stack):
            for name in list(one.processes):
                one.stop(name)
        servers.down(ROOM)


@contextmanager
def _no_servers_named() -> Iterator[None]:
    """The servers of the other tests are not to be killed."""
    with patch.dict(os.environ):
        for variable in ("DATABASE_URL", "REDIS_URL"):
            os.environ.pop(variable, None)
        yield


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def checkout(name: str, *, card: str = "tok_visa") -> dict[str, Any]:
    """A checkout for two sellers."""
    amounts = (("seller-books", "10.00"), ("seller-tea", "20.50"))
    return {
        "checkout_id": name,
        "buyer_info": {"buyer_id": f"buyer-{name}", "email": "buyer@example.org"},
        "payment_method": {"type": "card", "token": card},
        "payment_orders": [
            {"payment_order_id": f"{name}-{n}", "seller_account": seller, "amount": amount, "currency": "EUR"}
            for n, (seller, amount) in enumerate(amounts, start=1)
        ],
    }


@dataclass(slots=True)
class Shop:
    """A shop that posts checkouts and does not give up: the same key again until there is an answer."""

    stack: Stack
    key: str = ""

    def __post_init__(self) -> None:
        sample = json.loads((Path(self.stack.environment["RUN_DIR"]) / "sample.json").read_text())
        self.key = sample["api_key"]

    def post(self, body: dict[str, Any], *, key: str) -> Answer:
        """One request on a new connection; status 0: no answer came."""
        address = urlsplit(self.stack.url)
        line = HTTPConnection(address.hostname or "", address.port, timeout=30)
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        try:
            line.request("POST", "/v1/payments", body=json.dumps(body), headers=headers)
            response = line.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            line.close()


@dataclass(slots=True)
class Load:
    """Some shops post checkouts as long as it lasts."""

    shop: Shop
    accepted: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    slowest_seconds: float = 0.0

    @contextmanager
    def during(self, *, threads: int = 3, pause_seconds: float = 0.1) -> Iterator["Load"]:
        """Posts are made until the end of the block; then every one that was begun is brought to an answer."""
        stop = threading.Event()
        shops = [
            threading.Thread(target=self._post_until, args=(stop, pause_seconds), daemon=True)
            for _ in range(threads)
        ]
        for one in shops:
            one.start()
        try:
            yield self
        finally:
            stop.set()
            for one in shops:
                one.join(60)

    def _post_until(self, stop: threading.Event, pause_seconds: float) -> None:
        cards = ("tok_visa", "tok_visa", "tok_mastercard", "tok_fault_reset_after", "tok_fault_reset_before")
        while not stop.is_set():
            name = f"load-{uuid7()}"
            body = checkout(name, card=random.choice(cards))
            if self._bring_to_an_answer(body, key=name):
                self.accepted.append(name)
            time.sleep(pause_seconds)

    def _bring_to_an_answer(self, body: dict[str, Any], *, key: str) -> bool:
        for _ in range(300):
            began = time.monotonic()
            status, _ = self.shop.post(body, key=key)
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if 200 <= status < 300:
                return True
            time.sleep(0.2)
        return False


def at_once(count: int, act: Callable[[], Answer]) -> list[Answer]:
    """Do something in many threads that all begin at the same moment."""
    gate, results = threading.Barrier(count), list[Answer]()

    def run() -> None:
        gate.wait()
        results.append(act())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
