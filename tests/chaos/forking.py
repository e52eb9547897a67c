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

LIFE_SECONDS = 60
"""What a child may take before it is given up."""

FINISHED, KILLED, ASLEEP = "finished", "killed", "asleep"


@dataclass(slots=True)
class Story:
    """What a child told so far."""

    said: dict[str, Any] = field(default_factory=dict)
    """The last of each thing it said; lists grow."""
    how: str = ""
    """How it is now: `finished`, `killed` by its blow, `asleep`, or what went wrong."""

    @property
    def went_wrong(self) -> bool:
        """Neither of the ends that it may come to, or caught at I/O that nobody counts."""
        return self.how not in (FINISHED, KILLED, ASLEEP) or bool(self.said.get("uncounted"))

    @property
    def complaint(self) -> str:
        """What went wrong, for people."""
        uncounted = self.said.get("uncounted")
        return f"uncounted I/O: {uncounted}" if uncounted else self.how


class Child:
    """A forked process. The parent must have no thread and no connection open."""

    def __init__(self, run: Callable[[Tell, int], None]) -> None:
        """`run` gets a way to tell us things, and a descriptor from which it reads one line when it is woken."""
        self._reading, writing = os.pipe()
        waking, self._wake = os.pipe()
        self._heard = b""
        self._ended = False
        self.story = Story()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._reading)
            os.close(self._wake)
            _live(run, writing, waking)
        os.close(writing)
        os.close(waking)

    def wake(self, **what: Any) -> None:
        """Let a sleeping child go on."""
        self.story.said.pop("asleep")
        os.write(self._wake, json.dumps(what).encode() + b"\n")

    def kill(self) -> None:
        """Nobody waits for it any more."""
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
            self._end("given up")

    def listen(self) -> Story:
        """Until it ends or falls asleep."""
        deadline = time.monotonic() + LIFE_SECONDS
        while not self.story.said.get("asleep"):
            ready, _, _ = select.select([self._reading], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                os.kill(self._pid, signal.SIGKILL)
                self._end(f"hung for {LIFE_SECONDS} s")
                return self.story
            chunk = os.read(self._reading, 65_536)
            if not chunk:
                self._end()
                return self.story
            self._take(chunk)
        self.story.how = ASLEEP
        return self.story

    def _end(self, how: str = "") -> None:
        _, status = os.waitpid(self._pid, 0)
        self._ended = True
        os.close(self._reading)
        os.close(self._wake)
        if how:
            self.story.how = how
        elif os.WIFSIGNALED(status) and "fell" in self.story.said:
            self.story.how = KILLED
        elif os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            self.story.how = FINISHED
        else:
            self.story.how = self.story.said.get("failed") or f"ended with status {status}"

    def _take(self, chunk: bytes) -> None:
        *lines, self._heard = (self._heard + chunk).split(b"\n")
        for line in lines:
            for name, value in json.loads(line).items():
                if name in self.story.said and isinstance(value, list):
                    self.story.said[name] += value
                else:
                    self.story.said[name] = value


def freeze() -> None:
    """Before many forks: what is loaded stays shared with the children."""
    gc.collect()
    gc.freeze()


def _live(run: Callable[[Tell, int], None], writing: int, waking: int) -> None:
    """The child's whole life. It leaves without cleaning up: nothing of the parent's is its own."""
    code = 1
    try:
        random.seed()

        def tell(**what: Any) -> None:
            left = json.dumps(what).encode() + b"\n"
            while left:
                left = left[os.write(writing, left) :]

        try:
            run(tell, waking)
            code = 0
        except BaseException:
            tell(failed=traceback.format_exc(limit=-12))
    finally:
        os._exit(code)
