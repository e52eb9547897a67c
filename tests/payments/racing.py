"""Many at once, each on a connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection

from paymentsite.invariants import all_violations


def at_once(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each job returned or raised; all of them start together."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        try:
            barrier.wait(timeout=30)
            return job()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def everything_holds() -> None:
    """No invariant is broken, here and now."""
    found = all_violations()
    assert not found, "\n".join(f"{item.invariant}. {item.message}: {item.rows}" for item in found)
