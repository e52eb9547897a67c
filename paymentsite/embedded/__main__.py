"""`python -m paymentsite.embedded up|down|run|test|...`: what the Makefile calls."""

import os
import sys
from collections.abc import Callable, Sequence

from paymentsite.embedded import environment, running, servers, testing
from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.programs import postgres_binary
from paymentsite.embedded.rooms import MAIN


def up() -> int:
    """Start PostgreSQL and Valkey."""
    servers.up(MAIN)
    return 0


def down() -> int:
    """Stop them, and a `make run` that uses them."""
    running.end_running(MAIN)
    servers.down(MAIN)
    return 0


def status() -> int:
    """Say what runs."""
    servers.status(MAIN)
    return 0


def reset() -> int:
    """Throw away data and keys of this folder."""
    running.end_running(MAIN)
    servers.reset()
    return 0


def psql() -> int:
    """Become psql on the database."""
    url = environment.for_processes(MAIN).get("DATABASE_URL")
    if not url:
        raise EmbeddedError("There is no database yet: run `make up` first, or set DATABASE_URL.")
    # The address goes along in the environment: a command line is shown to everybody.
    os.execve(postgres_binary("psql"), ["psql"], environment.for_postgres_tools(url))


def logs() -> int:
    """Become tail on all logs."""
    files = [*MAIN.logs.glob("*.log"), *MAIN.servers.glob("*.log")] if MAIN.folder.exists() else []
    if not files:
        raise EmbeddedError("There are no logs yet: `make run` or `make up` writes them.")
    os.execvp("tail", ["tail", "-n", "30", "-F", *map(str, files)])


COMMANDS: dict[str, Callable[[], int]] = {
    "up": up,
    "down": down,
    "status": status,
    "reset": reset,
    "psql": psql,
    "logs": logs,
    "run": running.run,
    "demo": running.demo,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code of the process.

    Raises:
        EmbeddedError: it cannot be done; the text is for the person who asked.
    """
    command, *rest = arguments or [""]
    if command == "test":
        return testing.test(rest)
    if command not in COMMANDS or rest:
        raise EmbeddedError(f"python -m paymentsite.embedded {' | '.join(COMMANDS)} | test [arguments]")
    return COMMANDS[command]()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedError as error:
        sys.exit(f"{error}")
    except PermissionError as error:
        sys.exit(f"{error.filename} belongs to another user, who started this before; go on as that user.")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
