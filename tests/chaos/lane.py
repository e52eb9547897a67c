"""`python -m tests.chaos.lane`: plays cases, one after the other, on its own database, broker number and sandbox PSP.

One JSON line in (`{"flow": ..., "kills": [...]}`), one JSON line out. It loads everything once and forks for every life
of a case; so it has no thread and no connection itself.
"""

import importlib
import os
import sys
from pathlib import Path

import django


def main() -> int:
    """Until the input ends."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")
    results = os.fdopen(os.dup(1), "w", buffering=1)
    log = os.open(Path(os.environ["RUN_DIR"]) / "lane.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    django.setup()
    stage = importlib.import_module("tests.chaos.stage")  # It needs the settings.
    stage.play_all(sys.stdin, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
