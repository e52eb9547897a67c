"""How benchmarks tell what they measured: a table for people, a file for programs."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from paymentsite.embedded.rooms import PROJECT
from paymentsite.tables import text_table


@dataclass(frozen=True)
class Target:
    """One measured figure beside its baseline of the same run. `ratio` is ours over the baseline."""

    id: int
    name: str
    value: float
    baseline: float
    ratio: float
    unit: str


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
    }


def report(name: str, targets: Sequence[Target]) -> Path:
    """Print the table and write `.run/bench/<name>.json`."""
    rows = [
        (str(t.id), t.name, f"{t.value:,.1f}", f"{t.baseline:,.1f}", f"{t.ratio:.2f}", t.unit)
        for t in targets
    ]
    print(text_table(("#", "what", "ours", "baseline", "ratio", "unit"), rows, right=(2, 3, 4)))
    path = PROJECT / ".run" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "targets": [asdict(t) for t in targets]}, indent=2))
    print(f"\nWritten to {path.relative_to(PROJECT)}.")
    return path
