"""`python -m paymentsite.embedded up|down|status|reset`: what the Makefile calls."""

import argparse
import sys

from paymentsite.embedded import servers
from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.rooms import MAIN, TEST


def main(arguments: list[str]) -> int:
    """Run one command; the exit code of the process."""
    parser = argparse.ArgumentParser(prog="python -m paymentsite.embedded")
    parser.add_argument("command", choices=["up", "down", "status", "reset"])
    parser.add_argument("--tests", action="store_true", help="the servers of the tests")
    options = parser.parse_args(arguments)
    room = TEST if options.tests else MAIN
    match options.command:
        case "up":
            servers.up(room)
        case "down":
            servers.down(room)
        case "status":
            return 0 if servers.status(room) else 1
        case "reset":
            servers.reset()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedError as error:
        sys.exit(f"{error}")
    except PermissionError as error:
        sys.exit(f"{error.filename} belongs to another user, who started this before; go on as that user.")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
