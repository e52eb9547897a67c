"""`make run` and `make demo`: servers, migrations, sample data, then all processes, until Ctrl-C."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from paymentsite.embedded import environment, servers
from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.rooms import DEMO, MAIN, PROJECT, Room
from paymentsite.embedded.speech import say
from paymentsite.embedded.system import System

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run() -> int:
    """The whole system until Ctrl-C. Returns the exit code: 0 when it was asked to stop."""
    with _only_one(MAIN), interruptible():
        try:
            system = _start(MAIN, quiet=False)
        except BaseException:
            _stop(None, MAIN)
            raise
        try:
            system.wait_until_healthy()
            _play_sample(MAIN)
            _welcome(system)
            system.wait()
            say("A process ended by itself, so everything is stopped. The lines above say which.")
            return 1
        except KeyboardInterrupt:
            say("\nStopping ...")
            return 0
        finally:
            _stop(system, MAIN)


def demo() -> int:
    """The story of `manage.py demo`, on servers and processes of its own. Nothing is left of it."""
    for variable in ("DATABASE_URL", "REDIS_URL", "WEB_PORT", "SANDBOX_PORT"):
        os.environ.pop(variable, None)  # The story is told on empty books, never on somebody's.
    with _only_one(DEMO), interruptible():
        _throw_away(DEMO)
        system: System | None = None
        try:
            system = _start(DEMO, quiet=True)
            system.wait_until_healthy()
            return _manage(system.environment, "demo")
        finally:
            _stop(system, DEMO)
            _throw_away(DEMO)


def end_running(room: Room) -> None:
    """Ask the `make run` of this folder, if there is one, to stop, and wait for it."""
    path = room.folder / "running"
    if not path.exists():
        return
    with open(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Stopping the `make run` of this folder ...")
            os.kill(int(lock.read()), signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_EX)


@contextmanager
def interruptible() -> Iterator[None]:
    """The end of the terminal and a plain kill stop us the way Ctrl-C does."""
    for number in ENDING:
        signal.signal(number, _interrupt)
    yield


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _start(room: Room, *, quiet: bool) -> System:
    servers.up(room)
    values = environment.for_processes(room)
    system = System(environment=values, log=room.logs / "run.log", quiet=quiet)
    system.check_ports()
    say("Migrations, sample shop, sellers and staff user")
    _must(values, "prepare")
    say("Processes: site, workers, beat, sweeper, sandbox PSP")
    system.start()
    return system


def _stop(system: System | None, room: Room) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # A second Ctrl-C must not leave half of it running.
    if system is not None:
        system.stop()
    servers.down(room)


def _manage(values: dict[str, str], *arguments: str) -> int:
    return subprocess.run([sys.executable, "manage.py", *arguments], cwd=PROJECT, env=values).returncode


def _must(values: dict[str, str], *arguments: str) -> None:
    if _manage(values, *arguments) != 0:
        raise EmbeddedError(f"`manage.py {arguments[0]}` failed; the lines above say why.")


def _play_sample(room: Room) -> None:
    """One checkout through the public API, at the first start only."""
    played = room.folder / "sample-played"
    if played.exists():
        return
    say("Playing a first checkout through the public API")
    if _manage(environment.for_processes(room), "play_sample_checkout") == 0:
        played.touch()
    else:
        say("The sample checkout did not go through; the lines above say why. The system runs all the same.")


def _welcome(system: System) -> None:
    sample = json.loads((MAIN.folder / "sample.json").read_text())
    say(
        f"""
  API             {system.url}/v1/payments
  its pages       {system.url}/docs/
  Admin           {system.url}/admin/     {sample["staff_username"]} / {sample["staff_password"]}
  API key         {sample["api_key"]}     (the sample shop)
                  {sample["company_api_key"]}     (the company: sellers, wallets)
  Sandbox PSP     {system.environment["SANDBOX_PSP_URL"]}

  All of this is also in .run/sample.json. Ctrl-C stops everything; the data stay for next time.
"""
    )


def _throw_away(room: Room) -> None:
    """Everything of the room but the lock that we hold and the logs."""
    servers.down(room)
    if room.elsewhere.exists():
        shutil.rmtree(room.servers.parent, ignore_errors=True)
    for path in room.folder.iterdir():
        if path.is_dir() and path != room.logs:
            shutil.rmtree(path)
        elif path.is_file() and path.name not in ("lock", "running"):
            path.unlink()


@contextmanager
def _only_one(room: Room) -> Iterator[None]:
    room.make()
    with open(room.folder / "running", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbeddedError("It is already running in this folder; `make down` stops it.") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
