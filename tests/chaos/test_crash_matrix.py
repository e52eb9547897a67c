"""The crash matrix in short, and the proof that it sees: planted bugs and I/O that nobody counts.

`make chaos-crash` runs all of it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import crash
from tests.chaos.grounds import Lane
from tests.chaos.planted import UNCOUNTED

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

SHORT_SECONDS = 45


def played(lane: Lane, flow: str, *at: str) -> dict[str, Any]:
    """One case, in which it dies at the first place of each name."""
    lane.send({"flow": flow, "at": at})
    return lane.receive()


@pytest.mark.parametrize("flow", [flow.name for flow in UNCOUNTED])
def test_io_that_nobody_counts_fails_the_run(two_lanes: Sequence[Lane], flow: str) -> None:
    result = played(two_lanes[0], flow)
    assert result["outcome"] == "failed"
    assert result["detail"].startswith("uncounted I/O: ")


@pytest.mark.parametrize(
    ("flow", "place", "found"),
    [
        ("sent again under a new key", "psp:received:sandbox:charge", "doubled: 2 payments took money"),
        ("claims held for hours", "psp:send:sandbox:charge", "at rest only"),
        ("canceled without the PSP", "psp:send:sandbox:cancel", "the PSP still holds payment"),
    ],
)
def test_a_planted_bug_is_found(two_lanes: Sequence[Lane], flow: str, place: str, found: str) -> None:
    result = played(two_lanes[0], flow, place)
    assert result["outcome"] == "failed"
    assert found in result["detail"]


def test_every_flow_survives_its_crashes(two_lanes: Sequence[Lane], tmp_path: Path) -> None:
    matrix = crash.Matrix(tmp_path / "crash.jsonl", say=print)
    matrix.load(fresh=True)
    crash.run(
        matrix,
        two_lanes,
        two_lanes[0].flows,
        pairs_per_flow=3,
        seed=crash.fingerprint(),
        seconds=SHORT_SECONDS,
    )
    assert [f"{crash.command(found)}\n{found['detail'][:3000]}" for found in matrix.failed] == []
    struck = {(found["how"], len(found.get("fell", ()))) for found in matrix.results.values()}
    assert struck >= {("die", 1), ("die", 2), ("cut", 1), ("sleep", 1)}
