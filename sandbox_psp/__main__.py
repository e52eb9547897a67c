"""`python -m sandbox_psp --host 127.0.0.1 --port 8100 --database .run/sandbox.sqlite3`."""

import argparse
import logging
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path

from sandbox_psp.app import App
from sandbox_psp.clockwork import Clockwork
from sandbox_psp.config import from_environment
from sandbox_psp.sandbox import Sandbox
from sandbox_psp.server import Server
from sandbox_psp.webhooks import Deliverer

logger = logging.getLogger("sandbox_psp")


def main() -> int:
    """Serve until SIGTERM or SIGINT. Exit status 2 when it cannot start."""
    arguments = _arguments()
    logging.basicConfig(level=arguments.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    try:
        config = from_environment(os.environ, database=arguments.database)
        Path(arguments.database).parent.mkdir(parents=True, exist_ok=True)
        sandbox = Sandbox(config)
    except (ValueError, OSError, sqlite3.Error) as error:
        logger.error("%s", error)
        return 2
    try:
        server = Server(arguments.host, arguments.port, App(sandbox))
    except OSError as error:
        logger.error("cannot listen on %s:%s: %s", arguments.host, arguments.port, error.strerror)
        return 2
    sandbox.base_url = config.public_url or f"http://{arguments.host}:{server.server_port}"
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    deliverer, clockwork = Deliverer(sandbox), Clockwork(sandbox)
    listener = threading.Thread(target=server.serve_forever, args=(0.1,), name="listener", daemon=True)
    for thread in (deliverer, clockwork, listener):
        thread.start()
    # A line that whoever started this process can wait for.
    sys.stdout.write(f"sandbox PSP listens on http://{arguments.host}:{server.server_port}\n")
    sys.stdout.flush()
    stop.wait()
    server.finish(seconds=5)
    clockwork.stop()
    deliverer.stop()
    clockwork.join(2)
    deliverer.join(2)
    sandbox.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox_psp", description="A simulated payment service provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100, help="0 picks a free one")
    parser.add_argument("--database", default=".run/sandbox.sqlite3")
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
