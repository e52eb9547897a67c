"""Asking the system about processes."""

import os
import subprocess
from pathlib import Path


def command_of(pid: int) -> str | None:
    """The command line of a process; None when there is none, empty when it ended and nobody took notice."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # It exists, and belongs to somebody else.
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b" ".join(words).decode(errors="replace").strip()
    except FileNotFoundError:  # macOS has no /proc.
        question = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        listed = subprocess.run(question, capture_output=True, text=True)
        return listed.stdout.strip()
