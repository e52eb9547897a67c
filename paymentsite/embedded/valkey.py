"""The embedded Valkey: the broker's bell and the cache. It keeps nothing on disk: losing it loses nothing."""

import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.ports import HOST, free_port, is_free
from paymentsite.embedded.rooms import Room
from paymentsite.embedded.servant import Servant
from paymentsite.embedded.speech import say

WAIT_SECONDS = 10
DATABASES = 64
"""The tests give every stack a number of its own."""


@dataclass(frozen=True)
class Valkey:
    """The server of one room."""

    room: Room
    servant: Servant

    def start(self, *, url_before: str) -> str:
        """Start it unless the server of `url_before` runs. Returns REDIS_URL.

        Raises:
            EmbeddedError: it does not start.
        """
        if answers(url_before):
            say(f"Valkey: already running on {HOST}:{urlsplit(url_before).port}")
            return url_before
        before = urlsplit(url_before)
        port = before.port if before.port and is_free(before.port) else free_port()
        url = f"redis://:{before.password or secrets.token_urlsafe(24)}@{HOST}:{port}/0"
        started = self.servant.run([self.servant.valkey(), self._configuration(url)])
        deadline = time.monotonic() + WAIT_SECONDS
        while not answers(url):
            if started.returncode != 0 or time.monotonic() > deadline:
                raise EmbeddedError(f"Valkey did not start: {self._reason(started.stdout + started.stderr)}")
            time.sleep(0.02)
        say(f"Valkey: started on {HOST}:{port}")
        return url

    def _configuration(self, url: str) -> Path:
        """Write the configuration; it holds the password, which a command line would show to everybody."""
        folder = self.room.valkey_folder
        self.servant.own(folder)
        path = folder / "valkey.conf"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        self.servant.give(path)
        lines = [
            *(f"bind {HOST}", f"port {urlsplit(url).port}", f"requirepass {urlsplit(url).password}"),
            *("daemonize yes", f"databases {DATABASES}", 'save ""', "appendonly no"),
            *(f'dir "{folder}"', f'logfile "{self.room.valkey_log}"', f'pidfile "{folder / "valkey.pid"}"'),
        ]
        path.write_text("\n".join(lines) + "\n")
        return path

    def _reason(self, output: str) -> str:
        log = self.room.valkey_log
        lines = log.read_text(errors="replace").splitlines()[-4:] if log.exists() else []
        return "\n".join([output.strip(), *lines])


def stop(url: str) -> bool:
    """Stop the server of `url`. False: it was not running."""
    if not answers(url):
        return False
    _ask(url, "SHUTDOWN NOSAVE")
    deadline = time.monotonic() + WAIT_SECONDS
    while answers(url):
        if time.monotonic() > deadline:
            raise EmbeddedError("Valkey did not stop.")
        time.sleep(0.02)
    return True


def answers(url: str) -> bool:
    """Does the server of `url` run, and know our password?"""
    return "+PONG" in _ask(url, "PING")


def _ask(url: str, command: str) -> str:
    """Send one command; what comes back, or nothing when there is no such server."""
    address = urlsplit(url)
    if address.port is None:
        return ""
    try:
        with socket.create_connection((HOST, address.port), timeout=2) as connection:
            connection.sendall(f"AUTH {address.password}\r\n{command}\r\nQUIT\r\n".encode())
            received = b""
            while chunk := connection.recv(4096):
                received += chunk
    except OSError:
        return ""
    return received.decode(errors="replace")
