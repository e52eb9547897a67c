"""Sandboxes for the tests: in a thread of this process, or as the process that users run."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_psp.app import App
from sandbox_psp.clockwork import Clockwork
from sandbox_psp.config import Config, Timing
from sandbox_psp.sandbox import Sandbox
from sandbox_psp.server import Server
from sandbox_psp.webhooks import Deliverer
from tests.sandbox_psp.client import SECRET_KEY, WEBHOOK_SECRET, Api, Receiver, free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook endpoint."""
    endpoint = Receiver()
    yield endpoint
    endpoint.stop()


@pytest.fixture
def api(tmp_path: Path, receiver: Receiver) -> Iterator[Api]:
    """A sandbox with short delays, in a thread of this process."""
    timing = Timing(
        processing_seconds=0.2,
        review_seconds=0,
        refund_seconds=0.2,
        payout_seconds=0.1,
        hang_seconds=0.3,
        webhook_retry_seconds=0.05,
    )
    sandbox = Sandbox(
        Config(
            database=str(tmp_path / "sandbox.sqlite3"),
            secret_key=SECRET_KEY,
            webhook_url=receiver.url,
            webhook_secret=WEBHOOK_SECRET,
            timing=timing,
        )
    )
    server = Server("127.0.0.1", 0, App(sandbox))
    sandbox.base_url = f"http://127.0.0.1:{server.server_port}"
    deliverer, clockwork = Deliverer(sandbox), Clockwork(sandbox, pause_seconds=0.02)
    listener = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    for thread in (deliverer, clockwork, listener):
        thread.start()
    caller = Api(server.server_port)
    yield caller
    caller.balances()
    server.finish(seconds=2)
    clockwork.stop()
    deliverer.stop()
    clockwork.join(2)
    deliverer.join(2)
    sandbox.close()


class Process:
    """The sandbox as its users run it."""

    def __init__(self, database: Path, *, webhook_url: str, log: Path) -> None:
        self.port = free_port()
        self.api = Api(self.port)
        self._database = database
        self._webhook_url = webhook_url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **variables: str) -> None:
        """Start it and wait until it answers."""
        environment = {
            **os.environ,
            "SANDBOX_PSP_SECRET_KEY": SECRET_KEY,
            "SANDBOX_PSP_WEBHOOK_URL": self._webhook_url,
            "SANDBOX_PSP_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SANDBOX_PSP_WEBHOOK_RETRY_SECONDS": "0.1",
            **variables,
        }
        command = [
            sys.executable,
            "-m",
            "sandbox_psp",
            "--port",
            str(self.port),
            "--database",
            str(self._database),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        wait_for(self._answers, what="the sandbox to start", within_seconds=15)

    def _answers(self) -> bool:
        try:
            return self.api.get("/healthz").status == 200
        except OSError:
            return False

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(10)
        self._process = None
        return status

    @property
    def log(self) -> str:
        """What it printed."""
        return self._log.read_text()


@pytest.fixture
def process(tmp_path: Path, receiver: Receiver) -> Iterator[Process]:
    """A sandbox that can be killed; the test starts it."""
    running = Process(tmp_path / "sandbox.sqlite3", webhook_url=receiver.url, log=tmp_path / "log")
    yield running
    running.stop(signal.SIGKILL)


PayFor = Callable[..., str]


@pytest.fixture
def paid(api: Api) -> PayFor:
    """Makes a payment that succeeds and returns its id."""

    def pay(source: str = "tok_visa", amount: int = 1000, **fields: Any) -> str:
        answer = api.pay(source, amount=amount, **fields)
        assert answer.status == 201, answer.raw
        return str(answer.json["id"])

    return pay
