"""The embedded servers, really started, in a copy of the package in a folder that only its owner can enter."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

import paymentsite

SOURCE = Path(paymentsite.__file__).parent
OURS = {"DATABASE_URL", "REDIS_URL", "WEB_PORT", "SANDBOX_PORT", "RUN_DIR"}

pytestmark = pytest.mark.stack


class Copy:
    """A working copy with nothing but the package that is tested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(SOURCE / "embedded", folder / "paymentsite" / "embedded")
        (folder / "paymentsite" / "__init__.py").touch()

    def run(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        return subprocess.run(
            [sys.executable, "-m", "paymentsite.embedded", command],
            cwd=self.folder,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def env_path(self) -> Path:
        return self.folder / ".run" / "env"

    @property
    def env(self) -> dict[str, str]:
        lines = self.env_path.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    @property
    def data(self) -> Path:
        return self.folder / ".run" / "servers" / "postgres"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder = tmp_path_factory.mktemp("clone")
    folder.chmod(0o700)
    copy = Copy(folder)
    yield copy
    copy.run("down")


@pytest.fixture
def running(copy: Copy) -> Copy:
    started = copy.run("up")
    assert started.returncode == 0, started.stdout + started.stderr
    return copy


@pytest.fixture
def stopped(running: Copy) -> Copy:
    assert running.run("down").returncode == 0
    return running


def test_up_starts_both_servers_for_those_who_know_the_password(running: Copy) -> None:
    with psycopg.connect(running.env["DATABASE_URL"]) as connection:
        row = connection.execute("SHOW server_version_num").fetchone()
        assert row is not None and row[0].startswith("18")
    assert redis.Redis.from_url(running.env["REDIS_URL"]).ping()


def test_without_the_password_nobody_gets_in(running: Copy) -> None:
    address = urlsplit(running.env["DATABASE_URL"])
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgres://payments:guess@127.0.0.1:{address.port}/payments")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=urlsplit(running.env["REDIS_URL"]).port or 0).ping()


def test_the_file_with_the_secrets_is_its_owners_alone(running: Copy) -> None:
    assert stat.S_IMODE(running.env_path.stat().st_mode) == 0o600


def test_a_second_up_changes_nothing(running: Copy) -> None:
    before = running.env
    again = running.run("up")
    assert again.returncode == 0
    assert "already running" in again.stdout
    assert running.env == before


def test_the_folder_and_its_parents_are_as_closed_as_before(running: Copy) -> None:
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(running.data.parent.stat().st_mode) == 0o700


def test_data_and_keys_outlive_down(running: Copy) -> None:
    before = running.env
    with psycopg.connect(before["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    assert running.run("down").returncode == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(before["DATABASE_URL"], connect_timeout=2)
    assert running.run("up").returncode == 0
    assert {**before, "DATABASE_URL": "", "REDIS_URL": ""} == {
        **running.env,
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    with psycopg.connect(running.env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP TABLE kept")


def test_servers_of_the_environment_are_used_and_none_is_started(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "clone")
    up = copy.run("up", DATABASE_URL="postgres://somewhere/else", REDIS_URL="redis://somewhere")
    assert up.returncode == 0
    assert "as DATABASE_URL says" in up.stdout
    assert "DATABASE_URL" not in copy.env
    assert not (copy.folder / ".run" / "servers").exists()


def test_a_server_killed_without_a_chance_to_stop_comes_back(running: Copy) -> None:
    pid = int((running.data / "postmaster.pid").read_text().splitlines()[0])
    subprocess.run(["kill", "-9", str(pid)], check=True)
    up = running.run("up")
    assert up.returncode == 0, up.stderr
    assert "stale" in up.stdout
    psycopg.connect(running.env["DATABASE_URL"]).close()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{pid}\n{data}\n0\n5432\n", "is another program"),
        ("not a pid\n", "is damaged"),
    ],
)
def test_a_pid_file_that_is_not_ours_is_named_and_removed(stopped: Copy, content: str, sentence: str) -> None:
    pid_file = stopped.data / "postmaster.pid"
    pid_file.write_text(content.format(pid=os.getpid(), data=stopped.data))
    shutil.chown(pid_file, stopped.data.stat().st_uid, stopped.data.stat().st_gid)
    up = stopped.run("up")
    assert up.returncode == 0, up.stderr
    assert sentence in up.stdout


def test_data_of_another_major_version_are_left_alone_with_a_sentence(stopped: Copy) -> None:
    version = stopped.data / "PG_VERSION"
    version.write_text("17\n")
    try:
        up = stopped.run("up")
    finally:
        version.write_text("18\n")
    assert up.returncode == 1
    assert "was written by PostgreSQL 17, and this is 18" in up.stderr
    assert "Traceback" not in up.stderr


def test_a_taken_port_is_left_and_another_chosen(stopped: Copy) -> None:
    port = urlsplit(stopped.env["DATABASE_URL"]).port
    holder = f"import socket, sys; s = socket.create_server(('127.0.0.1', {port})); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        up = stopped.run("up")
        other.kill()
    assert up.returncode == 0, up.stderr
    assert urlsplit(stopped.env["DATABASE_URL"]).port != port
    psycopg.connect(stopped.env["DATABASE_URL"]).close()


def test_reset_leaves_nothing(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "clone")
    assert copy.run("up").returncode == 0
    url = copy.env["DATABASE_URL"]
    assert copy.run("reset").returncode == 0
    assert not (copy.folder / ".run").exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=2)
