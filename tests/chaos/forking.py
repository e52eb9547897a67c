"""Running something in a child process that may be killed in the middle, and reading what it had to say."""

import gc
import json
import os
import random
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.points import Tell


@dataclass(slots=True)
class Story:
    """What a child told before it ended."""

    said: dict[str, Any] = field(default_factory=dict)
    """The last of each thing it said; lists grow."""
    how: str = ""
    """`finished`, `killed` (by itself, at its point), or what went wrong."""

    @property
    def went_wrong(self) -> bool:
        """Neither finished nor killed where it should be, or caught at I/O that nobody counts."""
        return self.how not in ("finished", "killed") or bool(self.said.get("uncounted"))

    @property
    def complaint(self) -> str:
        """What went wrong, for people."""
        uncounted = self.said.get("uncounted")
        return f"uncounted I/O: {uncounted}" if uncounted else self.how


def in_child(run: Callable[[Tell], None], *, seconds: float = 60) -> Story:
    """Run in a forked child. The parent must have no thread and no connection open."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(run, writing)
    os.close(writing)
    try:
        return _listen(child, reading, seconds)
    finally:
        os.close(reading)


def freeze() -> None:
    """Before many forks: what is loaded stays shared with the children."""
    gc.collect()
    gc.freeze()


def _live(run: Callable[[Tell], None], writing: int) -> None:
    """The child's whole life. It leaves without cleaning up: nothing of the parent's is its own."""
    code = 1
    try:
        random.seed()

        def tell(**what: Any) -> None:
            left = json.dumps(what).encode() + b"\n"
            while left:
                left = left[os.write(writing, left) :]

        try:
            run(tell)
            code = 0
        except BaseException:
            tell(failed=traceback.format_exc(limit=-12))
    finally:
        os._exit(code)


def _listen(child: int, reading: int, seconds: float) -> Story:
    story, heard = Story(), b""
    deadline = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            _take(story, heard)
            story.how = f"hung for {seconds:.0f} s"
            return story
        chunk = os.read(reading, 65_536)
        if not chunk:
            break
        heard += chunk
    _take(story, heard)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and "killed" in story.said:
        story.how = "killed"
    elif os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        story.how = "finished"
    else:
        story.how = story.said.get("failed") or f"ended with status {status}"
    return story


def _take(story: Story, heard: bytes) -> None:
    for line in heard.splitlines():
        for name, value in json.loads(line).items():
            if name in story.said and isinstance(value, list):
                story.said[name] += value
            else:
                story.said[name] = value
