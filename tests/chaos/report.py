"""The crash matrix as a table: for the terminal, and for `docs/reliability.md` between its markers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos.crash import CUT, DIE, SLEEP, Matrix
from tests.chaos.grounds import PROJECT

DOCUMENT = PROJECT / "docs" / "reliability.md"
BEGIN, END = "<!-- crash matrix: written by make chaos-crash -->", "<!-- end of the crash matrix -->"

HEAD = (
    "| flow | places | died | pairs there are | died twice | cut off | slept | longest wait, s | run, s |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
)


def table(matrix: Matrix, flows: Sequence[str]) -> list[str]:
    """One line per flow, and their sum. A cell with a failure says how many of how many recovered."""
    rows = [_row(matrix, flow) for flow in flows]
    lines = [_line(flow, row) for flow, row in zip(flows, rows, strict=True)]
    total = _Row(
        places=sum(row.places for row in rows),
        pairs=sum(row.pairs for row in rows),
        struck={way: _sum(row.struck[way] for row in rows) for way in WAYS},
        waited=max((row.waited for row in rows), default=0.0),
        seconds=sum(row.seconds for row in rows),
    )
    return [*HEAD, *lines, _line(f"**{len(flows)} flows**", total)]


def write(matrix: Matrix, flows: Sequence[str], *, seed: str) -> None:
    """Put the table into the document."""
    when = datetime.now(UTC).date().isoformat()
    failed = len(matrix.failed)
    text = "\n".join(
        [
            BEGIN,
            "",
            f"Run of {when}, seed `{seed}`: {failed} cases failed."
            if failed
            else f"Run of {when}, seed `{seed}`.",
            "",
            *table(matrix, flows),
            "",
            END,
        ]
    )
    document = DOCUMENT.read_text()
    DOCUMENT.write_text(
        re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: text, document, flags=re.S)
    )


WAYS = ((DIE, 1), (DIE, 2), (CUT, 1), (SLEEP, 1))


@dataclass(frozen=True, slots=True)
class _Row:
    places: int
    pairs: int
    struck: dict[tuple[str, int], tuple[int, int]]
    """How often the last blow fell, and how often it failed."""
    waited: float
    seconds: float


def _row(matrix: Matrix, flow: str) -> _Row:
    found = {(how, blows): matrix.of(flow, how, blows=blows) for how, blows in WAYS}
    return _Row(
        places=len(matrix.places(flow)),
        pairs=len(matrix.pairs(flow)),
        struck={
            way: (
                sum(len(one.get("fell", [])) == way[1] for one in results),
                sum(one["outcome"] == "failed" for one in results),
            )
            for way, results in found.items()
        },
        waited=max(
            (one.get("waited_seconds", 0.0) for results in found.values() for one in results), default=0.0
        ),
        seconds=matrix.seconds.get(flow, 0.0),
    )


def _sum(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    struck, failed = zip(*counts, strict=True)
    return sum(struck), sum(failed)


def _line(name: str, row: _Row) -> str:
    died, twice, cut, slept = (
        f"{struck}, {failed} FAILED" if failed else str(struck)
        for struck, failed in (row.struck[way] for way in WAYS)
    )
    cells = [name, row.places, died, row.pairs, twice, cut, slept, round(row.waited), round(row.seconds)]
    return f"| {' | '.join(map(str, cells))} |"
