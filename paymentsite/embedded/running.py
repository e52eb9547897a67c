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

from paymentsite.embedded import environment, servers, signals
from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.rooms import DEMO, MAIN, PROJECT, Room
from paymentsite.embedded.speech import say
from paymentsite.embedded.system import System


def run() -> int:
    """The whole system until Ctrl-C. Returns the exit code: 0 when it was asked to stop."""
    signals.end_by_exception()
    try:
        with signals.ctrl_c_is_ours(), _only_one(MAIN), _started(MAIN, quiet=False) as system:
            _play_sample(MAIN)
            _welcome(system)
            system.wait()
            say("A process ended by itself, so everything is stopped. The lines above say which.")
            return 1
    except KeyboardInterrupt:
        return 0


def demo() -> int:
    """The story of `manage.py demo`, on servers and processes of its own. Nothing is left of it."""
    for variable in ("DATABASE_URL", "REDIS_URL", *environment.USUAL_PORTS):
        os.environ.pop(variable, None)  # The story is told on empty books, never on somebody's.
    signals.end_by_exception()
    with _only_one(DEMO):
        _throw_away(DEMO)
        try:
            with _started(DEMO, quiet=True) as system:
                return _manage(system.environment, "demo")
        finally:
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
def _started(room: Room, *, quiet: bool) -> Iterator[System]:
    """The system of the room, prepared and answering; afterwards its processes are stopped, then its servers."""
    system: System | None = None
    try:
        servers.up(room)
        values = environment.for_processes(room)
        system = System(environment=values, log=room.logs / "run.log", quiet=quiet)
        system.check_ports()
        say("Migrations, sample shop, sellers and staff user")
        if _manage(values, "prepare") != 0:
            raise EmbeddedError("`manage.py prepare` failed; the lines above say why.")
        say("Processes: site, workers, beat, sweeper, sandbox PSP")
        system.start()
        system.wait_until_healthy()
        yield system
    finally:
        signals.ignore()
        if system is not None:
            say("\nStopping ...")
            system.stop()
        servers.down(room)


def _manage(values: dict[str, str], *arguments: str) -> int:
    return subprocess.run([sys.executable, "manage.py", *arguments], cwd=PROJECT, env=values).returncode


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
