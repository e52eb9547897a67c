"""`manage.py sweep`: every few seconds, ring for the work that is due. It never does the work itself."""

import signal
import threading
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from payments.bell import ring
from payments.services.sweeping import due_bells

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Ring for due work, so that a lost message costs one sweep. Two sweepers do no harm."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=2.0, help="between two sweeps")
        parser.add_argument("--once", action="store_true", help="sweep once and end")

    def handle(self, *args: Any, seconds: float, once: bool, **options: Any) -> None:
        stop = threading.Event()
        if not once:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                for name, rings in due_bells().items():
                    for _ in range(rings):
                        ring(name)
            except DatabaseError as error:
                log.warning("sweep_failed", error=str(error))
                close_old_connections()
            if once:
                return
            stop.wait(seconds)
