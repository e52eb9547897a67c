"""Ctrl-C, the end of the terminal and a plain kill all stop us the same way: in order, and once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def ctrl_c_is_ours() -> Iterator[None]:
    """While we run in front of a terminal, its Ctrl-C reaches us and not make.

    make would end with an error although everything was stopped in order. Without a terminal, in the background,
    or started without make, nothing changes.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield
        return
    group = os.getpgrp()
    if group == os.getpid() or os.tcgetpgrp(terminal) != group:
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # Sent to those who hand the terminal on from behind.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # The shell waits for make and would not see us stop.
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, group)
        os.close(terminal)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
