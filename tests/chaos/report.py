"""The crash matrix as a table: for the terminal, and for `docs/reliability.md` between its markers."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.chaos.crash import Matrix
from tests.chaos.grounds import PROJECT

DOCUMENT = PROJECT / "docs" / "reliability.md"
BEGIN, END = "<!-- crash matrix: written by make chaos-crash -->", "<!-- end of the crash matrix -->"

HEAD = (
    "| flow | places | killed | recovered | pairs | tried | killed twice | recovered | longest wait, s | run, s |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
)


def table(matrix: Matrix, flows: Sequence[str]) -> list[str]:
    """One line per flow, and their sum."""
    rows = [_row(matrix, flow) for flow in flows]
    sums = [sum(row[column] for row in rows) for column in range(9)]
    sums[7] = max((row[7] for row in rows), default=0)
    lines = [_line(flow, row) for flow, row in zip(flows, rows, strict=True)]
    return [*HEAD, *lines, _line(f"**{len(flows)} flows**", sums)]


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


def _row(matrix: Matrix, flow: str) -> list[float]:
    once, twice = matrix.of(flow, kills=1), matrix.of(flow, kills=2)
    well = ("recovered", "not_reached")
    return [
        len(matrix.places(flow)),
        sum(len(found.get("killed", [])) == 1 for found in once),
        sum(found["outcome"] in well for found in once),
        len(matrix.pairs(flow)),
        len(twice),
        sum(len(found.get("killed", [])) == 2 for found in twice),
        sum(found["outcome"] in well for found in twice),
        max((found.get("waited_seconds", 0.0) for found in (*once, *twice)), default=0.0),
        matrix.seconds.get(flow, 0.0),
    ]


def _line(name: str, row: Sequence[float]) -> str:
    *counts, waited, spent = row
    return f"| {name} | {' | '.join(str(round(count)) for count in counts)} | {waited:.0f} | {spent:.0f} |"
