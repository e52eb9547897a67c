"""The crash matrix: each flow is killed at each of its places, and again at places of its recovery.

First every flow is played unharmed, which tells its places. Then it is killed at each of them; each recovery tells its
own places, and pairs of both are drawn by a seed. Results are kept as they come, so that a long run can go on where it
was interrupted, as long as the code is the same.
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

FOR_SINGLES = 0.75
"""The share of a short run for cases that are killed once; the rest is for pairs."""

Case = tuple[str, tuple[int, ...]]
"""A flow, and at which place of each life it is killed."""


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
        case = (result["flow"], tuple(result.get("kills", ())))
        self.results[case] = result
        self.seconds[case[0]] = self.seconds.get(case[0], 0.0) + result.get("seconds", 0.0)

    def of(self, flow: str, *, kills: int) -> list[dict[str, Any]]:
        """The results of a flow that was killed so many times."""
        return [found for (name, at), found in self.results.items() if name == flow and len(at) == kills]

    def places(self, flow: str) -> list[str]:
        """Every place of a flow."""
        names: list[str] = self.results[flow, ()].get("points", [])
        return names

    def pairs(self, flow: str) -> list[tuple[int, int]]:
        """Every pair of a place of the flow and a place of the recovery after it, as far as they are known."""
        return [
            (first, second)
            for first in range(1, len(self.places(flow)) + 1)
            for second in range(1, self.results.get((flow, (first,)), {}).get("recovery_points", 0) + 1)
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
    points: Sequence[int],
    pairs_per_flow: int | None,
    seed: str,
    seconds: float | None,
) -> None:
    """Play what is not known yet. `points` empty: all of them. `pairs_per_flow` None: all. `seconds`: kill no longer."""
    play(matrix, lanes, [(flow, ()) for flow in flows])
    if matrix.failed:
        return
    singles = _singles(matrix, flows, points, seed, ordered=seconds is None)
    play(matrix, lanes, singles, seconds=None if seconds is None else seconds * FOR_SINGLES)
    pairs = _drawn_pairs(matrix, flows, points, pairs_per_flow, seed)
    play(matrix, lanes, pairs, seconds=None if seconds is None else seconds * (1 - FOR_SINGLES))


def _singles(
    matrix: Matrix, flows: Sequence[str], points: Sequence[int], seed: str, *, ordered: bool
) -> list[Case]:
    """One kill each. When time is short: by turns of the flows, the telling places first, the others by chance."""
    by_flow = []
    for flow in flows:
        names = matrix.places(flow)
        chosen = [point for point in range(1, len(names) + 1) if not points or point in points]
        if not ordered:
            random.Random(f"{seed}:{flow}").shuffle(chosen)
            chosen.sort(key=lambda point: 0 if names[point - 1].startswith(TELLING) else 1)
        by_flow.append([(flow, (point,)) for point in chosen])
    return [case for cases in by_flow for case in cases] if ordered else list(_by_turns(by_flow))


def _drawn_pairs(
    matrix: Matrix, flows: Sequence[str], points: Sequence[int], per_flow: int | None, seed: str
) -> list[Case]:
    by_flow = []
    for flow in flows:
        pairs = [pair for pair in matrix.pairs(flow) if not points or pair[0] in points]
        if per_flow is not None and len(pairs) > per_flow:
            pairs = random.Random(f"{seed}:{flow}").sample(pairs, per_flow)
        by_flow.append([(flow, pair) for pair in pairs])
    return list(_by_turns(by_flow))


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
                flow, kills = waiting.get_nowait()
                lane.send({"flow": flow, "kills": kills})
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
    kills = ",".join(map(str, result.get("kills", ())))
    return f"make chaos-crash ARGS=\"--flow '{result['flow']}' --kills '{kills}'\""


def _first_lines(text: str, most: int = 12) -> str:
    return "\n".join(f"    {line[:300]}" for line in text.splitlines()[:most])
