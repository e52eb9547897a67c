"""Both servers of a room: up, down, status, reset."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paymentsite.embedded import environment, valkey
from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.postgres import Postgres
from paymentsite.embedded.rooms import MAIN, Room, shown
from paymentsite.embedded.servant import servant_of
from paymentsite.embedded.speech import say


def up(room: Room) -> None:
    """Start what the environment does not name, and write the room's file. Calling it again changes nothing.

    Raises:
        EmbeddedError: a server does not start, or data of another version or owner are in the way.
    """
    with _one_at_a_time(room):
        before = environment.read(room)
        values = dict(before)
        for variable, server in (("DATABASE_URL", "PostgreSQL"), ("REDIS_URL", "Valkey")):
            if os.environ.get(variable):
                say(f"{server}: yours, as {variable} says")
        if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
            servant = servant_of(room)
            if not os.environ.get("DATABASE_URL"):
                url_before = before.get("DATABASE_URL", "")
                values["DATABASE_URL"] = Postgres(room, servant).start(url_before=url_before)
            if not os.environ.get("REDIS_URL"):
                url_before = before.get("REDIS_URL", "")
                values["REDIS_URL"] = valkey.Valkey(room, servant).start(url_before=url_before)
        values = environment.complete(room, values)
        if values != before:
            environment.write(room, values)
            say(f"Written: {shown(room.env_path)}")


def down(room: Room) -> None:
    """Stop what `up` started. Data and keys stay."""
    if not room.folder.exists():
        say("Nothing was started here.")
        return
    with _one_at_a_time(room):
        if valkey.stop(environment.read(room).get("REDIS_URL", "")):
            say("Valkey: stopped")
        if room.postgres_data.exists() and Postgres(room, servant_of(room)).stop():
            say("PostgreSQL: stopped")


def status(room: Room) -> None:
    """Say what runs and where."""
    port = Postgres(room, servant_of(room)).running_port() if room.postgres_data.exists() else None
    broker = valkey.answers(environment.read(room).get("REDIS_URL", ""))
    say(f"PostgreSQL: {f'running on 127.0.0.1:{port}' if port else 'not running'}")
    say(f"Valkey: {'running' if broker else 'not running'}")


def reset() -> None:
    """Stop the servers of this folder and throw their data and keys away.

    Servers that the environment names are not touched.

    Raises:
        EmbeddedError: tests, the demo or the system are running here.
    """
    for lock in (*MAIN.folder.glob("*/users"), *MAIN.folder.glob("*/running"), *MAIN.folder.glob("running")):
        if _is_held(lock):
            what = "`make test`" if lock.name == "users" else "`make run` or `make demo`"
            raise EmbeddedError(f"{what} is running in this folder; wait for it or stop it first.")
    rooms = [Room(folder=lock.parent, durable=False) for lock in MAIN.folder.glob("*/lock")]
    for room in (*rooms, MAIN):
        if room.folder.exists():
            down(room)
        if room.elsewhere.exists():
            shutil.rmtree(room.servers.parent, ignore_errors=True)
    if MAIN.folder.exists():
        shutil.rmtree(MAIN.folder)
        say(f"Removed: {shown(MAIN.folder)}")


def _is_held(lock: Path) -> bool:
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _one_at_a_time(room: Room) -> Iterator[None]:
    """Two calls at once would both start a server in the same folder."""
    room.make()
    try:
        lock = open(room.folder / "lock", "w")  # noqa: SIM115 (closed below; the with statement is the caller's)
    except PermissionError as error:
        raise EmbeddedError(f"{shown(room.folder)} belongs to another user; go on as that user.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
