"""The crash matrix: each flow is struck at each of its places, and again at places of its recovery.

First every flow is played unharmed, which tells its places. Then it dies at each of them; each recovery tells its own
places, and pairs of both are drawn by a seed. Then, at each place of the flow, its connection to the database is cut, and
it sleeps while others do its work. Results are kept as they come, so that a long run can go on where it was interrupted,
as long as the code is the same.
"""

import hashlib
import json
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.grounds import PROJECT, Lane

CODE = ("ledger", "wallet", "payments", "reconciliation", "paymentsite", "sandbox_psp", "tests/chaos")
TELLING = ("commit", "committed", "psp:", "broker:")
"""Names of places where most has been found; a short run goes there first."""

UNHARMED, DIE, TWICE, CUT, SLEEP = "unharmed", "die", "twice", "cut", "sleep"
SHARES = {DIE: 0.5, TWICE: 0.2, CUT: 0.15, SLEEP: 0.15}
"""Of the time of a short run."""

Case = tuple[str, str, tuple[int, ...]]
"""A flow, what happens to it, and at which place of each life."""


@dataclass(slots=True)
class Matrix:
    """All results of a run, in memory and in its file."""

    path: Path
    say: Callable[[str], None]
    results: dict[Case, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def load(self, *, fresh: bool) -> None:
        """Go on with what an earlier run of the same code has found, or begin anew."""
        known = [] if fresh or not self.path.exists() else self.path.read_text().splitlines()
        head = {"code": fingerprint()}
        if known and json.loads(known[0]) == head:
            for line in known[1:]:
                self._take(json.loads(line))
            self.say(f"{len(self.results)} cases are known from before")
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(head) + "\n")

    def keep(self, result: dict[str, Any]) -> None:
        """Add a result."""
        self._take(result)
        with self.path.open("a") as file:
            file.write(json.dumps(result) + "\n")

    def _take(self, result: dict[str, Any]) -> None:
        case = (result["flow"], result["how"], tuple(result.get("at", ())))
        self.results[case] = result
        self.seconds[case[0]] = self.seconds.get(case[0], 0.0) + result.get("seconds", 0.0)

    def of(self, flow: str, how: str, *, blows: int = 1) -> list[dict[str, Any]]:
        """The results of a flow that was struck so, so many times."""
        return [
            found
            for (name, blow, at), found in self.results.items()
            if (name, blow) == (flow, how) and len(at) == blows
        ]

    def places(self, flow: str) -> list[str]:
        """Every place of a flow."""
        names: list[str] = self.results[flow, UNHARMED, ()].get("points", [])
        return names

    def pairs(self, flow: str) -> list[tuple[int, int]]:
        """Every pair of a place of the flow and a place of the recovery after it, as far as they are known."""
        return [
            (first, second)
            for first in range(1, len(self.places(flow)) + 1)
            for second in range(1, self.results.get((flow, DIE, (first,)), {}).get("recovery_points", 0) + 1)
        ]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """What did not end as it must."""
        return [found for found in self.results.values() if found["outcome"] == "failed"]


def fingerprint() -> str:
    """Changes when any code changes that a result depends on."""
    digest = hashlib.sha256()
    for folder in CODE:
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.suffix in (".py", ".sql"):
                digest.update(path.relative_to(PROJECT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def run(
    matrix: Matrix,
    lanes: Sequence[Lane],
    flows: Sequence[str],
    *,
    ways: Sequence[str] = (DIE, CUT, SLEEP),
    points: Sequence[int] = (),
    pairs_per_flow: int | None,
    seed: str,
    seconds: float | None = None,
) -> None:
    """Play what is not known yet. `points` empty: all. `pairs_per_flow` None: all. `seconds`: strike no longer.

    When time is short: by turns of the flows, the telling places first, the others by chance.
    """
    play(matrix, lanes, [(flow, UNHARMED, ()) for flow in flows])
    if matrix.failed:
        return
    draw = _Draw(matrix, flows, points, seed, hurried=seconds is not None)
    shares = {way: None if seconds is None else seconds * SHARES[way] for way in SHARES}
    if DIE in ways:
        play(matrix, lanes, draw.singles(DIE), seconds=shares[DIE])
        play(matrix, lanes, draw.pairs(pairs_per_flow), seconds=shares[TWICE])
    for way in (CUT, SLEEP):
        if way in ways:
            play(matrix, lanes, draw.singles(way), seconds=shares[way])


@dataclass(slots=True)
class _Draw:
    """Which cases, in which order."""

    matrix: Matrix
    flows: Sequence[str]
    points: Sequence[int]
    seed: str
    hurried: bool

    def singles(self, way: str) -> list[Case]:
        """One blow each."""
        by_flow = []
        for flow in self.flows:
            names = self.matrix.places(flow)
            chosen = [n for n in range(1, len(names) + 1) if not self.points or n in self.points]
            if self.hurried:
                self._chance(flow, way).shuffle(chosen)
                telling = [point for point in chosen if names[point - 1].startswith(TELLING)]
                chosen = telling + [point for point in chosen if point not in telling]
            by_flow.append([(flow, way, (point,)) for point in chosen])
        return list(_by_turns(by_flow)) if self.hurried else [case for cases in by_flow for case in cases]

    def pairs(self, per_flow: int | None) -> list[Case]:
        """Two deaths each."""
        by_flow = []
        for flow in self.flows:
            pairs = [pair for pair in self.matrix.pairs(flow) if not self.points or pair[0] in self.points]
            if per_flow is not None and len(pairs) > per_flow:
                pairs = self._chance(flow, TWICE).sample(pairs, per_flow)
            by_flow.append([(flow, DIE, pair) for pair in pairs])
        return list(_by_turns(by_flow))

    def _chance(self, flow: str, way: str) -> random.Random:
        return random.Random(f"{self.seed}:{flow}:{way}")


def _by_turns(lists: Sequence[Sequence[Case]]) -> Iterable[Case]:
    for turn in range(max(map(len, lists), default=0)):
        for cases in lists:
            if turn < len(cases):
                yield cases[turn]


def play(
    matrix: Matrix, lanes: Sequence[Lane], cases: Iterable[Case], *, seconds: float | None = None
) -> None:
    """Play these cases on all lanes, and keep what comes. After `seconds` no case begins."""
    deadline = None if seconds is None else time.monotonic() + seconds
    left = [case for case in cases if case not in matrix.results]
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in left:
        waiting.put(case)
    lock, broken = threading.Lock(), list[BaseException]()
    progress = _Progress(matrix, len(left))

    def drive(lane: Lane) -> None:
        try:
            while not broken and (deadline is None or time.monotonic() < deadline):
                flow, how, at = waiting.get_nowait()
                lane.send({"flow": flow, "how": how, "at": at})
                result = lane.receive()
                with lock:
                    matrix.keep(result)
                    progress.one_more(result)
        except queue.Empty:
            return
        except BaseException as error:
            broken.append(error)

    drivers = [threading.Thread(target=drive, args=(lane,), daemon=True) for lane in lanes]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    if broken:
        raise broken[0]
    progress.end()


class _Progress:
    """A line now and then."""

    EVERY_SECONDS = 10

    def __init__(self, matrix: Matrix, total: int) -> None:
        self._matrix, self._total, self._done, self._failed = matrix, total, 0, 0
        self._began = self._said = time.monotonic()

    def one_more(self, result: Mapping[str, Any]) -> None:
        self._done += 1
        if result["outcome"] == "failed":
            self._failed += 1
            self._matrix.say(f"FAILED: {command(result)}\n{_first_lines(result['detail'])}")
        if time.monotonic() - self._said > self.EVERY_SECONDS:
            self._say()

    def end(self) -> None:
        if self._total:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        spent = self._said - self._began
        rate = self._done / spent if spent else 0.0
        left = (
            f", about {(self._total - self._done) / rate:.0f} s left"
            if rate and self._done < self._total
            else ""
        )
        self._matrix.say(
            f"{self._done} of {self._total} cases, {self._failed} failed, {rate:.1f} a second{left}"
        )


def command(result: Mapping[str, Any]) -> str:
    """How to see this case again."""
    at = ",".join(map(str, result.get("at", ())))
    where = f" --how {result['how']} --at {at}" if at else ""
    return f"make chaos-crash ARGS=\"--flow '{result['flow']}'{where}\""


def _first_lines(text: str, most: int = 12) -> str:
    return "\n".join(f"    {line[:300]}" for line in text.splitlines()[:most])
