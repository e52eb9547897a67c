#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    run_dir = Path(os.environ.get("RUN_DIR", Path(__file__).resolve().parent / ".run"))
    if not os.environ.get("DATABASE_URL") and not (run_dir / "env").exists():
        sys.exit("There is no database yet: run `make up` first, or set DATABASE_URL.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")
    execute_from_command_line(sys.argv)
