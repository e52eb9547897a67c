"""`python -m tests.benchmarks.run NAME`: a benchmark on servers of its own, with the disk as in production."""

import os
import subprocess
import sys

from paymentsite.embedded import environment, servers
from paymentsite.embedded.rooms import PROJECT, Room

BENCH = Room(folder=PROJECT / ".run" / "bench", durable=True)


def main(name: str, arguments: list[str]) -> int:
    """Start the servers, run `tests.benchmarks.bench_<name>` on them, stop them."""
    given = [variable for variable in ("DATABASE_URL", "REDIS_URL") if os.environ.pop(variable, None)]
    if given:
        print(f"{' and '.join(given)} is not used: a benchmark has servers of its own.")
    servers.up(BENCH)
    try:
        command = [sys.executable, "-m", f"tests.benchmarks.bench_{name}", *arguments]
        return subprocess.call(command, cwd=PROJECT, env=environment.for_processes(BENCH))
    finally:
        servers.down(BENCH)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
