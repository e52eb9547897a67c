"""The whole system as separate processes, for tests that drive it by HTTP alone.

Each stack has its own database (a copy of one that is migrated once), broker number, sandbox PSP's file and
ports. The commands are the Procfile's, so that what is tested is what runs.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import redis
from django.conf import settings
from django.db import connection
from psycopg import sql

from paymentsite.embedded.environment import addresses
from paymentsite.embedded.ports import free_port
from paymentsite.embedded.rooms import PROJECT, TEST

START_SECONDS = 60
STOP_SECONDS = 8
LEFT_OUT = ("beat",)
"""Tests ring and sweep by themselves; nightly work would only disturb them."""
BROKER_NUMBERS = 15
"""Redis has sixteen databases unless told otherwise; number 0 belongs to the unit tests."""


@dataclass
class Stack:
    """One running system. Its processes can be ended and started one by one."""

    name: str
    environment: dict[str, str]
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The site's address, without a slash at the end."""
        return f"http://127.0.0.1:{self.environment['WEB_PORT']}"

    @property
    def sandbox_url(self) -> str:
        """The sandbox PSP's address."""
        return self.environment["SANDBOX_PSP_URL"]

    @property
    def sample(self) -> dict[str, str]:
        """API keys and the staff user of the sample shop."""
        sample: dict[str, str] = json.loads((Path(self.environment["RUN_DIR"]) / "sample.json").read_text())
        return sample

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command of this system to its end, output captured."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=PROJECT, env=self.environment, capture_output=True, text=True)

    def start(self, name: str) -> None:
        """Start one process of the Procfile. Its session is its own: signals reach its children too."""
        with open(self.logs / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                ["/bin/sh", "-c", procfile()[name]],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, name: str, *, by: signal.Signals = signal.SIGTERM) -> None:
        """End one process and its children; what does not end in time is killed."""
        process = self.processes.pop(name)
        _signal(process, by)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        _signal(process, signal.SIGKILL)
        process.wait()

    def kill(self, name: str) -> None:
        """End one process and its children at once, without a word of warning."""
        self.stop(name, by=signal.SIGKILL)

    def wait_until_ready(self) -> None:
        """Return when the site and the sandbox PSP answer.

        Raises:
            AssertionError: a process ended, or they do not answer in time; with the ends of the logs.
        """
        deadline = time.monotonic() + START_SECONDS
        while not (answers(f"{self.url}/healthz") and answers(self.sandbox_url)):
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                what = f"ended: {', '.join(ended)}" if ended else f"no answer in {START_SECONDS} s"
                raise AssertionError(f"The stack {self.name} did not start ({what}).\n{self.tail()}")
            time.sleep(0.1)

    def tail(self, lines: int = 15) -> str:
        """The ends of all logs, for a failed test's report."""
        ends = []
        for path in sorted(self.logs.glob("*.log")):
            ends += [f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(ends)


class StackMaker:
    """Makes stacks and takes them down."""

    def __init__(self) -> None:
        self._stacks: list[Stack] = []
        self._databases: list[str] = []
        self._sample = ""

    def make(self, name: str) -> Stack:
        """A running system with the sample shop, called `name` in its logs and database."""
        if not self._databases:
            self._make_template()
        stack = self._new(name, database=self._create(name, template=self._databases[0]))
        Path(stack.environment["RUN_DIR"], "sample.json").write_text(self._sample)
        for process in procfile():
            if process not in LEFT_OUT:
                stack.start(process)
        stack.wait_until_ready()
        return stack

    def stop_all(self) -> None:
        """Stop every process and drop the databases."""
        for stack in self._stacks:
            for process in stack.processes.values():
                _signal(process, signal.SIGTERM)
        for stack in self._stacks:
            for name in list(stack.processes):
                stack.stop(name)
        with _server() as server:
            for database in self._databases:
                drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                server.execute(drop.format(sql.Identifier(database)))

    def _make_template(self) -> None:
        """Migrate and make the sample once; each stack gets a copy, which takes a fraction of the time."""
        stack = self._new("template", database=self._create("template", template="template1"))
        prepared = stack.manage("prepare")
        assert prepared.returncode == 0, f"manage.py prepare failed:\n{prepared.stdout}{prepared.stderr}"
        self._sample = json.dumps(stack.sample)
        self._stacks.remove(stack)

    def _new(self, name: str, *, database: str) -> Stack:
        folder = TEST.folder / "stacks" / f"{os.getpid()}-{name}"
        logs = TEST.logs / name
        for path in (folder, logs):
            path.mkdir(parents=True, exist_ok=True)
        for old in logs.glob("*.log"):
            old.unlink()
        broker = f"/{1 + (os.getpid() + len(self._stacks)) % BROKER_NUMBERS}"
        redis_url = urlunsplit(urlsplit(settings.REDIS_URL)._replace(path=broker))
        redis.Redis.from_url(redis_url).flushdb()
        ports = {"WEB_PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
        environment = (
            dict(os.environ)
            | {"DATABASE_URL": _url(database), "REDIS_URL": redis_url, "RUN_DIR": str(folder)}
            | {"PYTHONUNBUFFERED": "1", "DATABASE_POOL_SIZE": "8"}
            | ports
            | addresses(ports)
        )
        stack = Stack(name=name, environment=environment, logs=logs)
        self._stacks.append(stack)
        return stack

    def _create(self, name: str, *, template: str) -> str:
        """A new database, a copy of `template`, to which nobody may be connected."""
        database = f"{connection.settings_dict['NAME']}_{name}"
        names = {"database": sql.Identifier(database), "template": sql.Identifier(template)}
        with _server() as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {database} WITH (FORCE)").format(**names))
            server.execute(sql.SQL("CREATE DATABASE {database} TEMPLATE {template}").format(**names))
        self._databases.append(database)
        return database


def procfile() -> dict[str, str]:
    """The commands of the Procfile by their names."""
    lines = (PROJECT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, command in (line.split(":", 1) for line in lines if ":" in line)}


def answers(url: str) -> bool:
    """Is there a server that answers, and not with an error of its own?"""
    address = urlsplit(url)
    server = HTTPConnection(address.hostname or "", address.port, timeout=2)
    try:
        server.request("GET", address.path or "/")
        return server.getresponse().status < 500
    except (OSError, HTTPException):
        return False
    finally:
        server.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the process and its children, also when the process itself has ended before them."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _url(database: str) -> str:
    server = connection.settings_dict
    login = f"{quote(server['USER'])}:{quote(server['PASSWORD'])}"
    return f"postgres://{login}@{server['HOST']}:{server['PORT']}/{database}"


def _server() -> "psycopg.Connection[Any]":
    return psycopg.connect(_url("postgres"), autocommit=True)
