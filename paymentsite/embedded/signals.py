"""Ctrl-C, the end of the terminal and a plain kill all stop us the same way: in order, and once."""

import signal
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_by_exception() -> None:
    """From now on each of them raises KeyboardInterrupt, so that whoever started something stops it."""
    for number in ENDING:
        signal.signal(number, _interrupt)


def ignore() -> None:
    """While stopping: a second Ctrl-C must not leave half of it running."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
