"""The embedded PostgreSQL: one cluster, reached over TCP with a generated password."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.ports import HOST, free_port, is_free
from paymentsite.embedded.processes import command_of
from paymentsite.embedded.rooms import Room, shown
from paymentsite.embedded.servant import Servant
from paymentsite.embedded.speech import say

NAME = "payments"
"""Of the role and of the database."""
STOP_SECONDS = 60
START_SECONDS = 60
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB"}


@dataclass(frozen=True)
class Postgres:
    """The cluster of one room."""

    room: Room
    servant: Servant

    def start(self, *, url_before: str) -> str:
        """Start it unless it runs, on the port of `url_before` when that is free. Returns DATABASE_URL.

        Raises:
            EmbeddedError: the data belong to another major version, or the server does not start.
        """
        version = self._version()
        self._check_data(version)
        if self.running_port() is None:
            if not self.room.postgres_data.exists():
                say(f"PostgreSQL {version}: making an empty cluster in {shown(self.room.postgres_data)}")
                self._initialise()
            self._start(urlsplit(url_before).port)
            say(f"PostgreSQL {version}: started on {HOST}:{self.running_port()}")
        else:
            say(f"PostgreSQL {version}: already running on {HOST}:{self.running_port()}")
        self._make_database()
        return self._url(NAME)

    def stop(self) -> bool:
        """Stop it, waiting for running transactions to be rolled back. False: it was not running."""
        if self.running_port() is None:
            return False
        stopped = self._control("stop", "-m", "fast", "-t", str(STOP_SECONDS))
        if stopped:
            raise EmbeddedError(f"PostgreSQL did not stop: {stopped}")
        return True

    def running_port(self) -> int | None:
        """The port it listens on; None: it does not run.

        A pid file that is damaged, or whose process is by now another program's, is removed with a sentence,
        because PostgreSQL would refuse to start beside it.
        """
        pid_file = self.room.postgres_data / "postmaster.pid"
        try:
            lines = pid_file.read_text().splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except FileNotFoundError:
            return None
        except (ValueError, IndexError):
            say(f"{shown(pid_file)} is damaged. The file is removed.")
            pid_file.unlink()
            return None
        command = command_of(pid)
        if command is None:
            say(f"{shown(pid_file)} is stale: PostgreSQL ended without stopping; it recovers when it starts.")
            return None
        if "postgres" not in command or str(self.room.postgres_data) not in command:
            what = "is another program" if command else "has ended"
            say(f"{shown(pid_file)} is stale: process {pid} {what}. The file is removed.")
            pid_file.unlink()
            return None
        return port

    def _version(self) -> str:
        """As in 18.6."""
        answer = self.servant.run([self.servant.postgres("postgres"), "--version"], check=True)
        return answer.stdout.split()[2]

    def _check_data(self, version: str) -> None:
        try:
            found = (self.room.postgres_data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        major = version.split(".")[0]
        if found != major:
            raise EmbeddedError(
                f"{shown(self.room.postgres_data)} was written by PostgreSQL {found}, and this is {version}. "
                f"Take the data out with pg_dump of version {found}, or throw them away with `make reset`."
            )

    def _initialise(self) -> None:
        """Make the cluster beside its place, then rename it: an interrupted start leaves no half of one."""
        unfinished = self.room.servers / "postgres.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        self._password_file.write_text(secrets.token_urlsafe(24))
        self._password_file.chmod(0o600)
        self.servant.give(self._password_file)
        arguments: list[str | Path] = [
            *(self.servant.postgres("initdb"), "-D", unfinished, "-U", NAME, "--pwfile", self._password_file),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        made = self.servant.run(arguments if self.room.durable else [*arguments, "--no-sync"])
        if made.returncode != 0:
            raise EmbeddedError(f"PostgreSQL could not make its cluster:\n{made.stdout}{made.stderr}")
        unfinished.rename(self.room.postgres_data)

    def _start(self, port_before: int | None) -> None:
        """Try the port of last time, then free ones: somebody may take one before we use it."""
        ports = [port_before] if port_before and is_free(port_before) else []
        for port in [*ports, free_port(), free_port()]:
            settings = SETTINGS if self.room.durable else SETTINGS | NOT_DURABLE
            options = " ".join(["-p", str(port), *(f"-c {name}={value}" for name, value in settings.items())])
            log = ("-l", str(self.room.postgres_log))
            failure = self._control("start", *log, "-t", str(START_SECONDS), "-o", options)
            if not failure:
                return
        lines = self.room.postgres_log.read_text(errors="replace").splitlines()[-8:]
        raise EmbeddedError("\n".join([f"PostgreSQL did not start: {failure}", "Its log ends:", *lines]))

    def _control(self, action: str, *arguments: str) -> str:
        """pg_ctl, waiting for the end of the action. Returns what went wrong, or nothing."""
        words = [str(self.servant.postgres("pg_ctl")), action, "-w", "-s", "-D", str(self.room.postgres_data)]
        result = self.servant.run([*words, *arguments])
        return "" if result.returncode == 0 else (result.stderr or result.stdout).strip() or "no reason given"

    def _make_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    def _url(self, database: str) -> str:
        return f"postgres://{NAME}:{self._password_file.read_text()}@{HOST}:{self.running_port()}/{database}"

    @property
    def _password_file(self) -> Path:
        return self.room.servers / "postgres.password"
