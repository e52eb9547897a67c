"""`python -m tests.chaos`: the crash matrix, whole or in part. `make chaos-crash` is its short name."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from paymentsite.embedded import environment, servers
from paymentsite.embedded.rooms import PROJECT, Room
from tests.chaos import crash, report
from tests.chaos.grounds import lanes

ROOM = Room(folder=PROJECT / ".run" / "chaos", durable=False)
"""Processes die here, not the machine: nothing has to wait for the disk."""

NICE = 5

WAYS = (crash.DIE, crash.CUT, crash.SLEEP)


def main(arguments: Sequence[str]) -> int:
    """0: everything recovered. 1: something did not."""
    options = _options(arguments)
    os.nice(NICE)
    if options.here:
        return _run(options, dict(os.environ), Path(os.environ["RUN_DIR"]) / "chaos")
    for variable in ("DATABASE_URL", "REDIS_URL"):
        if os.environ.pop(variable, None):
            print(f"{variable} is not used: the crash matrix has servers of its own.")
    servers.up(ROOM)
    try:
        return _run(options, environment.for_processes(ROOM), ROOM.folder)
    finally:
        servers.down(ROOM)


def _run(options: argparse.Namespace, values: dict[str, str], folder: Path) -> int:
    partly = bool(options.flow or options.at or options.seconds)
    name = "crash-part.jsonl" if partly else "crash.jsonl"
    matrix = crash.Matrix(folder / name, say=lambda text: print(text, flush=True))
    matrix.load(fresh=options.fresh or partly)
    seed = options.seed or crash.fingerprint()
    with lanes(options.lanes, folder / "lanes", values) as ready:
        known = ready[0].flows
        flows = [flow for flow in known if not options.flow or flow in options.flow]
        if options.at:
            crash.play(matrix, ready, [(flow, options.how[0], tuple(options.at)) for flow in flows])
            print("\n".join(f"{found['outcome']}: {found}" for found in matrix.results.values()))
        else:
            crash.run(
                matrix,
                ready,
                flows,
                ways=options.how,
                points=options.point,
                pairs_per_flow=None if options.pairs == "all" else int(options.pairs),
                seed=seed,
                seconds=options.seconds,
            )
            print("\n".join(report.table(matrix, flows)))
    if not partly:
        report.write(matrix, flows, seed=seed)
    return _verdict(matrix, folder)


def _verdict(matrix: crash.Matrix, folder: Path) -> int:
    if not matrix.failed:
        print(f"{len(matrix.results)} cases, all recovered: nothing lost, nothing doubled.")
        return 0
    kept = folder / "failures"
    kept.mkdir(exist_ok=True)
    for number, found in enumerate(matrix.failed, start=1):
        (kept / f"{number:03}.txt").write_text(
            f"{crash.command(found)}\nstruck at {found.get('fell')}\n\n{found['detail']}\n"
        )
    print(f"{len(matrix.failed)} of {len(matrix.results)} cases FAILED; see {kept}.")
    return 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--flow", action="append", default=[], help="only this flow; may be repeated")
    parser.add_argument("--point", action="append", type=int, default=[], help="only this place of each flow")
    parser.add_argument("--how", type=_ways, default=list(WAYS), help="die, cut, sleep; several with commas")
    parser.add_argument(
        "--at", type=_places, default=[], help="one case: struck at these places: 12 or 12,40"
    )
    parser.add_argument("--pairs", default="100", help="pairs drawn per flow, or all")
    parser.add_argument("--seed", default="", help="of the draw; without it, the code is the seed")
    parser.add_argument("--lanes", type=int, default=2, help="cases at once")
    parser.add_argument("--seconds", type=float, help="stop then; the most telling places come first")
    parser.add_argument("--fresh", action="store_true", help="forget what an interrupted run has found")
    parser.add_argument("--here", action="store_true", help="on the servers that the environment names")
    return parser.parse_args(arguments)


def _places(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _ways(text: str) -> list[str]:
    ways = text.split(",")
    if not set(ways) <= set(WAYS):
        raise ValueError(text)
    return ways


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
