"""The processes of the Procfile, under honcho: start, wait until the site answers, stop."""

import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.ports import is_free
from paymentsite.embedded.rooms import PROJECT, shown
from paymentsite.embedded.speech import say

HEALTH_SECONDS = 60
STOP_SECONDS = 15
"""honcho itself kills what does not end within five."""
LISTENERS = {"WEB_PORT": "the site", "SANDBOX_PORT": "the sandbox PSP"}


class System:
    """One run of all processes. They live in a session of their own, so that Ctrl-C reaches us alone and
    everything is stopped in order."""

    def __init__(self, *, environment: dict[str, str], log: Path, quiet: bool) -> None:
        self.environment = environment
        self.log = log
        self._quiet = quiet
        self._honcho: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where the site listens."""
        return f"http://127.0.0.1:{self.environment['WEB_PORT']}"

    def check_ports(self) -> None:
        """Before anything is prepared, see that we shall be able to listen.

        Raises:
            EmbeddedError: somebody else listens on one of our ports.
        """
        for variable, what in LISTENERS.items():
            port = self.environment[variable]
            if not is_free(int(port)):
                raise EmbeddedError(
                    f"Port {port}, where {what} would listen, is used by another program. "
                    f"End that program, or choose another port: make run {variable}=8765"
                )

    def start(self) -> None:
        """Start all processes."""
        # /dev/null: honcho would read .env and let it win over the environment.
        command = [sys.executable, "-m", "honcho", "start", "--no-colour", "--env", "/dev/null"]
        self._honcho = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._copy_output, daemon=True).start()

    def wait_until_healthy(self) -> None:
        """Return when the site answers its health check.

        Raises:
            EmbeddedError: a process ended, or the site does not answer in time.
        """
        deadline = time.monotonic() + HEALTH_SECONDS
        while not self._healthy():
            if self.ended():
                raise EmbeddedError(f"A process ended while starting; {shown(self.log)} says which and why.")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"The site did not answer in {HEALTH_SECONDS} s; see {shown(self.log)}.")
            time.sleep(0.1)

    def ended(self) -> bool:
        """honcho stops all processes when one ends."""
        return self._honcho is None or self._honcho.poll() is not None

    def wait(self) -> None:
        """Wait until one of the processes ends by itself."""
        if self._honcho is not None:
            self._honcho.wait()

    def stop(self) -> None:
        """Stop all processes; those that do not end in time are killed."""
        if self._honcho is None or self.ended():
            return
        self._honcho.terminate()
        try:
            self._honcho.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._honcho.kill()
            say("Some processes had to be killed.")

    def _healthy(self) -> bool:
        try:
            connection = HTTPConnection("127.0.0.1", int(self.environment["WEB_PORT"]), timeout=2)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False

    def _copy_output(self) -> None:
        """honcho's lines go to the log, and to the terminal unless quiet."""
        if self._honcho is None or self._honcho.stdout is None:
            return
        with open(self.log, "w") as log:
            for line in self._honcho.stdout:
                log.write(line)
                log.flush()
                if not self._quiet:
                    say(line.rstrip("\n"))
