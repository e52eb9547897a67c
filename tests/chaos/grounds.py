"""What a run stands on: a prepared database, a copy of it per lane, and the lanes themselves as processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent.parent
HIGHEST_NUMBERS = 40
"""Broker numbers from here on are ours, where the server has as many."""


@dataclass(slots=True)
class Lane:
    """One process that plays cases."""

    process: subprocess.Popen[str]
    flows: list[str]

    def send(self, case: Mapping[str, Any]) -> None:
        """Play this case next."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next result.

        Raises:
            AssertionError: the lane has ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"a lane ended with {self.process.wait()}; its log is lane.log in its folder"
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def lanes(count: int, folder: Path, environment: Mapping[str, str]) -> Iterator[list[Lane]]:
    """Lanes on databases of their own; everything is gone afterwards but the logs."""
    url = environment["DATABASE_URL"]
    name = f"{urlsplit(url).path.strip('/')}_chaos{os.getpid()}"
    databases = [f"{name}_template", *(f"{name}_{number}" for number in range(count))]
    made: list[Lane] = []
    try:
        _create(url, databases[0], template="template1")
        folder.mkdir(parents=True, exist_ok=True)
        prepared = dict(environment) | {"DATABASE_URL": _named(url, databases[0]), "RUN_DIR": str(folder)}
        subprocess.run(
            [sys.executable, "manage.py", "prepare"],
            cwd=PROJECT,
            env=prepared | {"DEBUG": "true"},  # No static files are collected then.
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for number, database in enumerate(databases[1:]):
            _create(url, database, template=databases[0])
            made.append(_start(number, folder, prepared | {"DATABASE_URL": _named(url, database)}))
        for lane in made:
            lane.flows = lane.receive()["flows"]
        yield made
    finally:
        for lane in made:
            with suppress(ProcessLookupError):
                os.killpg(lane.process.pid, signal.SIGKILL)
            lane.process.communicate()
        for database in databases:
            _drop(url, database)


def _start(number: int, folder: Path, environment: Mapping[str, str]) -> Lane:
    own = folder / f"lane-{number}"
    own.mkdir(exist_ok=True)
    (own / "sample.json").write_bytes((folder / "sample.json").read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.lane"],
        cwd=PROJECT,
        env=dict(environment)
        | {"RUN_DIR": str(own), "REDIS_URL": _broker(environment["REDIS_URL"], number), "DEBUG": "false"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return Lane(process, [])


def _broker(url: str, number: int) -> str:
    """A broker number that nobody else uses; emptied."""
    server = redis.Redis.from_url(url)
    most = int(server.config_get("databases")["databases"] or 16)
    number += HIGHEST_NUMBERS if most > HIGHEST_NUMBERS + 10 else most - 8
    own = urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
    redis.Redis.from_url(own).flushdb()
    return own


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _create(url: str, database: str, *, template: str) -> None:
    _drop(url, database)
    names = {"database": sql.Identifier(database), "template": sql.Identifier(template)}
    with psycopg.connect(_named(url, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {database} TEMPLATE {template}").format(**names))


def _drop(url: str, database: str) -> None:
    with psycopg.connect(_named(url, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
