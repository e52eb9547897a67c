"""Storms over a whole system: broker, database and workers die under load; fifty ask at once; webhooks come as they like.

`make chaos-storms` runs them (CHAOS_STORMS=long for thousands of rounds) and prints what was measured.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.chaos.flows import MOST_CLAIMS, POISON, WEBHOOK_STORM
from tests.chaos.grounds import Lane
from tests.chaos.weather import Load, Shop, System, at_once, checkout, system

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(7200)]

LONG = os.environ.get("CHAOS_STORMS") == "long"
ROUNDS = 1000 if LONG else 3
AT_ONCE = 50
DEATHS = 10 if LONG else 1
GONE_SECONDS = 120 if LONG else 4
SHUFFLES = 1000 if LONG else 6
RECOVERY_SECONDS = 60
"""Nothing may take longer to be as it must be, once the fault has stopped."""


@dataclass
class Log:
    """What the storms measured, in one table at the end."""

    lines: list[str] = field(default_factory=list)

    def note(self, storm: str, what: str, recovered_seconds: float | None = None) -> None:
        """Keep a line."""
        after = "" if recovered_seconds is None else f"{recovered_seconds:.1f}"
        self.lines.append(f"| {storm} | {what} | {after} |")


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    """The table, printed when all storms are over."""
    log = Log()
    yield log
    print("\n| storm | what happened | at rest after, s |\n|---|---|--:|", *log.lines, sep="\n")


@pytest.fixture(scope="module")
def running() -> Iterator[System]:
    """One system for all storms, one after the other; it has to stand them all."""
    with system() as ready:
        yield ready


@pytest.fixture(autouse=True)
def no_network_inside_a_transaction() -> None:
    """The tests here have no transaction; the network is all they have."""


def test_fifty_posts_with_one_key_are_one_charge(running: System, log: Log) -> None:
    shop = Shop(running.stack)
    statuses: Counter[int] = Counter()
    for round_number in range(ROUNDS):
        name = f"fifty-{time.time_ns()}-{round_number}"
        answers = at_once(AT_ONCE, partial(shop.post, checkout(name), key=name))
        statuses.update(status for status, _ in answers)
        assert {status for status, _ in answers} <= {201, 409}, Counter(status for status, _ in answers)
        told = [json.loads(body) for status, body in answers if status == 201]
        assert all(body == told[0] for body in told)
    seconds = running.rest()
    running.assert_sound()
    log.note(f"{AT_ONCE} posts at once under one key, {ROUNDS} rounds", f"answers {dict(statuses)}", seconds)


def test_the_broker_is_flushed_and_killed_and_gone(running: System, log: Log) -> None:
    load = Load(Shop(running.stack))
    with load.during():
        for _ in range(8 * DEATHS):
            time.sleep(0.3)
            running.flush_broker()
        for _ in range(DEATHS):
            running.kill_broker()
            time.sleep(GONE_SECONDS / DEATHS)
            running.start_servers()
            time.sleep(1)
    seconds = running.rest(within_seconds=RECOVERY_SECONDS)
    running.assert_sound()
    assert set(load.statuses) <= {200, 201}, (
        f"a broker that is gone must not be seen by shops: {load.statuses}"
    )
    what = f"{8 * DEATHS} flushes, {DEATHS} kills, {GONE_SECONDS} s gone; {_said(load)}"
    log.note("broker", what, seconds)


def test_the_database_is_killed_under_load(running: System, log: Log) -> None:
    load = Load(Shop(running.stack))
    with load.during():
        for _ in range(DEATHS):
            time.sleep(2 + random.random())
            running.kill_database()
            time.sleep(0.5)
            running.start_servers()
        time.sleep(1)
    seconds = running.rest(within_seconds=RECOVERY_SECONDS)
    running.assert_sound()
    log.note("PostgreSQL killed", f"{DEATHS} kills; {_said(load)}", seconds)


@pytest.mark.parametrize("victim", ["worker-psp", "web", "sweeper"])
def test_a_process_is_killed_under_load(running: System, log: Log, victim: str) -> None:
    load = Load(Shop(running.stack))
    with load.during():
        for _ in range(DEATHS):
            time.sleep(1 + random.random())
            running.stack.kill(victim)
            running.stack.start(victim)
            running.stack.wait_until_ready()
    seconds = running.rest(within_seconds=RECOVERY_SECONDS)
    running.assert_sound()
    log.note(f"{victim} killed", f"{DEATHS} kills; {_said(load)}", seconds)


def test_webhooks_come_in_any_order_twice_or_never(two_lanes: Sequence[Lane], log: Log) -> None:
    outcomes: Counter[str] = Counter()
    lane = two_lanes[0]
    for seed in range(SHUFFLES):
        dies_at = [random.Random(seed).randrange(1, 450)] if seed % 2 else []
        lane.send({"flow": WEBHOOK_STORM.name, "seed": seed, "at": dies_at})
        result = lane.receive()
        assert result["outcome"] != "failed", f"seed {seed}, at {dies_at}\n{result['detail'][:3000]}"
        outcomes["died in the middle" if result.get("fell") else "played to the end"] += 1
    log.note("webhooks shuffled, doubled, lost", f"{SHUFFLES} seeds: {dict(outcomes)}")


def test_a_job_that_kills_its_worker_ends_in_the_dead_letters(two_lanes: Sequence[Lane], log: Log) -> None:
    kills = ["psp:send:sandbox:charge", *["psp:send:sandbox:query"] * (MOST_CLAIMS - 1)]
    two_lanes[0].send({"flow": POISON.name, "at": kills})
    result = two_lanes[0].receive()
    assert result["outcome"] == "recovered", result["detail"][:3000]
    log.note(
        "poison job",
        f"{len(kills)} workers killed, then a dead letter; the job beside it done; replayed: paid",
    )


def _said(load: Load) -> str:
    return (
        f"{len(load.accepted)} checkouts, answers {dict(sorted(load.statuses.items()))} (0: none), "
        f"slowest {load.slowest_seconds:.1f} s"
    )
