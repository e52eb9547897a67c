"""What the commands say when the machine is not as they need it, and what they write."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from paymentsite.embedded import environment
from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.rooms import PROJECT, TEST, Room
from paymentsite.embedded.system import System
from scripts import bootstrap


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in environment.USUAL_PORTS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_port_in_use_gets_a_sentence(taken_port: int, tmp_path: Path) -> None:
    values = {"WEB_PORT": str(taken_port), "SANDBOX_PORT": "1"}
    system = System(environment=values, log=tmp_path / "log", quiet=True)
    with pytest.raises(EmbeddedError, match=f"Port {taken_port}, where the site would listen, is used"):
        system.check_ports()


def test_keys_that_are_there_stay_and_missing_ones_are_made(bare_environment: pytest.MonkeyPatch) -> None:
    values = environment.complete(TEST, {"SECRET_KEY": "kept"})
    assert values["SECRET_KEY"] == "kept"
    assert len(values["FIELD_ENCRYPTION_KEYS"]) == 44
    assert environment.complete(TEST, values) == values


def test_a_chosen_port_is_kept_and_the_addresses_follow(bare_environment: pytest.MonkeyPatch) -> None:
    before = environment.complete(TEST, {})
    bare_environment.setenv("WEB_PORT", "8765")
    after = environment.complete(TEST, before)
    assert after["SANDBOX_PSP_WEBHOOK_URL"] == "http://127.0.0.1:8765/webhooks/sandbox"
    assert after["SANDBOX_PSP_URL"] == before["SANDBOX_PSP_URL"]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    room = Room(folder=tmp_path, durable=False)
    (tmp_path / "logs").mkdir()
    environment.write(room, {"SECRET_KEY": "a=b=", "DEBUG": "true"})
    assert environment.read(room) == {"SECRET_KEY": "a=b=", "DEBUG": "true"}


def test_every_variable_that_is_made_is_explained_in_the_example() -> None:
    example = (PROJECT / ".env.example").read_text()
    missing = [name for name in environment.complete(TEST, {}) if f"\n{name}=" not in example]
    assert missing == []


def test_a_missing_venv_module_gets_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "pip_wheel", lambda: None)
    with pytest.raises(SystemExit, match=r"apt-get install python3\.\d+-venv"):
        bootstrap.make_environment()


def test_an_old_python_without_a_newer_one_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed"):
        bootstrap.continue_under_a_newer_python()


def test_a_moved_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "activate").write_text("VIRTUAL_ENV=/somewhere/else/.venv\n")
    monkeypatch.setattr(bootstrap, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / "bin" / "python")
    assert not bootstrap.usable()
