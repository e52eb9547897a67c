"""What the cases of a lane share: everything loaded, a sandbox PSP, and our site to receive its webhooks."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from celery import current_app
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from tests.chaos.case import Case
from tests.chaos.flows import FLOWS, STORMS
from tests.chaos.forking import freeze
from tests.chaos.planted import PLANTED
from tests.chaos.receiver import SHOP_PATH, listen, serve

BY_NAME = {flow.name: flow for flow in (*FLOWS, *STORMS, *PLANTED)}

LOADED_ON_FIRST_USE = ("payments.tasks", "payments.webhooks", "payments.psp.sandbox", "kombu.transport.redis")
"""Here before the first fork."""


def play_all(cases: Iterable[str], results: TextIO) -> None:
    """Play each case of the input and write down what became of it."""
    settings.DATABASES["default"]["OPTIONS"].pop("pool")  # Its threads would not survive a fork.
    settings.DATABASES["default"]["CONN_MAX_AGE"] = None
    _load()
    marks: dict[str, int] = {}
    with _outside():
        freeze()
        results.write(json.dumps({"flows": [flow.name for flow in FLOWS]}) + "\n")
        for number, line in enumerate(cases):
            wanted = json.loads(line)
            case = Case(
                flow=BY_NAME[wanted["flow"]],
                name=f"case-{os.getpid()}-{number}",
                how=wanted.get("how", "die"),
                at=wanted.get("at", []),
                seed=wanted.get("seed", 0),
                marks=marks,
            )
            results.write(json.dumps(case.run().as_json()) + "\n")


def _load() -> None:
    for name in LOADED_ON_FIRST_USE:
        importlib.import_module(name)
    assert get_resolver().url_patterns and get_wsgi_application()
    current_app.finalize()
    assert current_app.amqp.queues is not None and current_app.events


@contextmanager
def _outside() -> Iterator[None]:
    """The receiver and the sandbox PSP, which delivers to it."""
    listening = listen()
    receiver = os.fork()
    if receiver == 0:
        try:
            serve(listening)
        finally:
            os._exit(1)
    site = f"http://127.0.0.1:{listening.getsockname()[1]}"
    os.environ["SHOP_URL"] = site + SHOP_PATH
    listening.close()
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox_psp", "--port", "0", "--database", _fresh("sandbox.sqlite3")],
        env=os.environ
        | {
            "SANDBOX_PSP_WEBHOOK_URL": f"{site}/webhooks/sandbox",
            "SANDBOX_PSP_WEBHOOK_RETRY_SECONDS": "0.05",
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as sandbox:
        assert sandbox.stdout is not None
        address = sandbox.stdout.readline().split()[-1]
        os.environ["SANDBOX_PSP_URL"] = address
        settings.PAYMENT_PROVIDERS["sandbox"]["OPTIONS"]["base_url"] = address
        assert settings.RISK_PROVIDER is not None
        settings.RISK_PROVIDER["OPTIONS"]["base_url"] = address
        try:
            yield
        finally:
            sandbox.terminate()
            os.kill(receiver, 9)
            os.waitpid(receiver, 0)


def _fresh(name: str) -> str:
    folder = Path(os.environ["RUN_DIR"])
    for old in folder.glob(f"{name}*"):
        old.unlink()
    return str(folder / name)
