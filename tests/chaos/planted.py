"""Faults planted on purpose, which the matrix must find: they prove that the harness can see."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from django.db import connection, transaction

from payments import retries
from payments.facts import LockedAttempt
from payments.services import calls, cancellations
from tests.chaos.flows import FLOWS
from tests.chaos.scene import Scene
from tests.chaos.steps import Flow, Step

_kept: list[socket.socket] = []


def _psp() -> tuple[str, int]:
    address = urlsplit(os.environ["SANDBOX_PSP_URL"])
    return address.hostname or "", address.port or 0


def _open_a_socket(scene: Scene) -> None:
    socket.create_connection(_psp()).close()


def _open_early(scene: Scene) -> None:
    with scene.points.not_ours():
        _kept.append(socket.create_connection(_psp()))


def _talk_over_a_kept_connection(scene: Scene) -> None:
    _kept[0].sendall(b"GET /healthz HTTP/1.0\r\n\r\n")


def _connect_past_django(scene: Scene) -> None:
    psycopg.connect(os.environ["DATABASE_URL"]).close()


def _commit_past_django(scene: Scene) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert connection.connection is not None
        connection.connection.commit()


def _use_the_raw_connection(scene: Scene) -> None:
    connection.ensure_connection()
    assert connection.connection is not None
    connection.connection.execute("SELECT 1")


def _copy_past_the_counter(scene: Scene) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY (SELECT 1) TO STDOUT") as copy:
        copy.read()


def _use_another_thread(scene: Scene) -> None:
    def work() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _start_a_program(scene: Scene) -> None:
    subprocess.run([sys.executable, "--version"], check=True)


def _uncounted(name: str, *acts: Callable[[Scene], None]) -> Flow:
    def step(act: Callable[[Scene], None]) -> Step:
        def run(scene: Scene) -> bool:
            act(scene)
            return True

        return Step(act.__name__, run)

    return Flow(name=name, steps=tuple(map(step, acts)), ends={})


UNCOUNTED = (
    _uncounted("a socket is opened", _open_a_socket),
    _uncounted("a kept connection is used", _open_early, _talk_over_a_kept_connection),
    _uncounted("a connection to the database beside Django's", _connect_past_django),
    _uncounted("a commit beside Django's", _commit_past_django),
    _uncounted("the driver's connection is used", _use_the_raw_connection),
    _uncounted("a COPY", _copy_past_the_counter),
    _uncounted("SQL in another thread", _use_another_thread),
    _uncounted("another program is started", _start_a_program),
)


def _resend_without_asking_under_a_new_key() -> None:
    """What not knowing means is not understood: the call is made again, and the PSP cannot know that it is the same."""
    ask_before = calls._request

    def ask_anew(locked: LockedAttempt, operation_try: Any) -> Any:
        return replace(ask_before(locked, operation_try), key=uuid4())

    patch.object(calls, "_ask", calls._send).start()
    patch.object(calls, "_request", ask_anew).start()


def _hold_claims_for_hours() -> None:
    """A worker that dies takes its work with it for half a day."""
    patch.object(retries, "LEASE", timedelta(hours=12)).start()


def _cancel_without_the_psp() -> None:
    """We say that it is off, and the PSP goes on."""

    def forget(locked: LockedAttempt, *, reason: str, at: Any) -> None:
        cancellations._forget(locked, reason=reason, actor="nobody", at=at)

    patch.object(cancellations, "ask_to_cancel", forget).start()


def _planted(flow: str, name: str, breaks: Callable[[], None]) -> Flow:
    (sound,) = [one for one in FLOWS if one.name == flow]
    return replace(sound, name=name, breaks=breaks)


BROKEN = (
    _planted("charge, no webhook ever", "sent again under a new key", _resend_without_asking_under_a_new_key),
    _planted("charge, no webhook ever", "claims held for hours", _hold_claims_for_hours),
    _planted("cancel what is authorised", "canceled without the PSP", _cancel_without_the_psp),
)

PLANTED: tuple[Flow, ...] = (*UNCOUNTED, *BROKEN)
