"""The process that users run: it starts, stops, survives being killed, and goes on where it was."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sandbox_psp.client import Receiver, wait_for
from tests.sandbox_psp.conftest import ROOT, Process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(process: Process, number: signal.Signals, tmp_path: Path) -> None:
    process.start()
    process.api.pay()
    assert process.stop(number) == 0
    assert process.log == f"sandbox PSP listens on http://127.0.0.1:{process.port}\n"
    assert not list(tmp_path.glob("*.sqlite3-*")), "the write-ahead log is folded into the file"


def test_a_kill_loses_nothing_that_was_answered(process: Process) -> None:
    process.start()
    answered = [process.api.pay(reference=f"attempt-{n}", key=f"k{n}").json for n in range(10)]
    held = process.api.pay(capture=False).json["id"]
    token = process.api.post(
        "/v1/tokens", {"card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2040, "cvc": "123"}}
    ).json
    process.stop(signal.SIGKILL)
    process.start()
    for n, payment in enumerate(answered):
        again = process.api.pay(reference=f"attempt-{n}", key=f"k{n}")
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json == payment
        assert process.api.charged(f"attempt-{n}") == (1, 1, 1000)
    assert process.api.post(f"/v1/payments/{held}/capture").json["status"] == "succeeded"
    assert process.api.pay(token["id"]).status == 201
    process.api.balances()


def test_killed_in_the_middle_of_work_each_payment_is_whole_or_absent(process: Process) -> None:
    process.start()
    sent: list[str] = []

    def pay(n: int) -> None:
        try:
            process.api.pay(reference=f"attempt-{n}", key=f"k{n}")
        except OSError:
            return
        sent.append(f"attempt-{n}")
        if len(sent) == 60:
            process.stop(signal.SIGKILL)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pay, range(200)))
    process.start()
    balances = process.api.balances()
    rows = process.api.get("/v1/charges/summary").json["data"]
    assert {row["reference"] for row in rows} >= set(sent)
    assert balances["issuer:cardholder:visa"] == 10**15 - 1000 * len(rows)
    for row in rows:
        n = row["reference"].split("-")[1]
        assert (
            process.api.pay(reference=row["reference"], key=f"k{n}").headers["Idempotency-Replayed"] == "true"
        )
    assert len(process.api.get("/v1/charges/summary").json["data"]) == len(rows)


def test_undelivered_webhooks_are_delivered_after_a_restart(process: Process, receiver: Receiver) -> None:
    receiver.answers += [500] * 50
    process.start(SANDBOX_PSP_WEBHOOK_RETRY_SECONDS="0.5")
    payment_id = process.api.pay().json["id"]
    wait_for(lambda: receiver.of(payment_id), what="the first try")
    process.stop(signal.SIGKILL)
    receiver.answers.clear()
    receiver.deliveries.clear()
    process.start()
    wait_for(lambda: receiver.of(payment_id), what="the delivery after the restart", within_seconds=10)


def test_timers_settings_and_rules_survive_a_restart(process: Process) -> None:
    process.start(SANDBOX_PSP_PROCESSING_SECONDS="1")
    process.api.post("/v1/control/settings", {"payout_seconds": 77})
    process.api.post("/v1/control/clock", {"advance_seconds": 1000})
    process.api.post("/v1/control/faults", {"kind": "error_500", "count": 5})
    now = process.api.post("/v1/control/clock").json["now"]
    for _ in range(2):
        assert process.api.pay().status == 500
    process.api.call("DELETE", "/v1/control/faults")
    payment_id = process.api.pay("tok_processing").json["id"]
    process.api.post("/v1/control/faults", {"kind": "error_500", "count": 1})
    process.stop(signal.SIGKILL)
    process.start(SANDBOX_PSP_PROCESSING_SECONDS="1")
    assert process.api.post("/v1/control/settings").json["payout_seconds"] == 77
    assert process.api.post("/v1/control/clock").json["now"] >= now
    assert process.api.pay().status == 500
    assert process.api.pay().status == 201
    assert process.api.fired("error_500") == 3
    process.api.becomes(f"/v1/payments/{payment_id}", "succeeded")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "SANDBOX_PSP_SECRET_KEY is not set"),
        (
            {"SANDBOX_PSP_SECRET_KEY": "k", "SANDBOX_PSP_WEBHOOK_URL": "http://x"},
            "SANDBOX_PSP_WEBHOOK_SECRET is not",
        ),
        ({"SANDBOX_PSP_SECRET_KEY": "k", "SANDBOX_PSP_REVIEW_SECONDS": "soon"}, "must be a number"),
    ],
)
def test_it_says_what_is_missing(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_PSP_")}
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox_psp", "--port", "0", "--database", str(tmp_path / "s.sqlite3")],
        cwd=ROOT,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_gets_a_clear_sentence(process: Process, tmp_path: Path) -> None:
    process.start()
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "sandbox_psp",
            "--port",
            str(process.port),
            "--database",
            str(tmp_path / "2.sqlite3"),
        ],
        cwd=ROOT,
        env={**os.environ, "SANDBOX_PSP_SECRET_KEY": "k"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert str(process.port) in ended.stderr
    assert "Traceback" not in ended.stderr
