"""The file `.run/env`: addresses, generated passwords and keys of this working copy.

What the environment already says is never replaced: a DATABASE_URL or REDIS_URL there means that the
operator has a server, and none is started for it.
"""

import base64
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from paymentsite.embedded.ports import free_port, is_free
from paymentsite.embedded.rooms import MAIN, Room, give_to_owner

HEADER = "# Written by `make up`: secrets of this working copy. What the environment says goes before it.\n"
USUAL_PORTS = {"WEB_PORT": 8000, "SANDBOX_PORT": 8001}
"""Used when nobody has them, so that the addresses in the README hold; else the system chooses."""


def read(room: Room) -> dict[str, str]:
    """The room's file as a dictionary; empty when there is none."""
    if not room.env_path.exists():
        return {}
    lines = room.env_path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def write(room: Room, values: Mapping[str, str]) -> None:
    """Replace the room's file at once, so that no reader sees half of it. Mode 0600."""
    room.make()
    fresh = room.env_path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(HEADER + "".join(f"{name}={value}\n" for name, value in values.items()))
    give_to_owner(fresh)
    fresh.rename(room.env_path)


def complete(room: Room, values: Mapping[str, str]) -> dict[str, str]:
    """The values with every missing key and port made; keys that are there stay, for data depend on them.

    A port that the environment names is kept from then on.
    """
    known = dict(values) | {name: os.environ[name] for name in USUAL_PORTS if os.environ.get(name)}
    for name, usual in USUAL_PORTS.items():
        if name not in known:
            takes_usual = room is MAIN and is_free(usual) and str(usual) not in known.values()
            known[name] = str(usual if takes_usual else free_port())
    made = {
        "DEBUG": "true",
        "WEBHOOKS_ALLOW_LOOPBACK": "true",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "FIELD_DIGEST_KEY": secrets.token_urlsafe(32),
        "SANDBOX_PSP_SECRET_KEY": f"sk_sandbox_{secrets.token_urlsafe(24)}",
        "SANDBOX_PSP_WEBHOOK_SECRET": f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}",
    }
    return made | known | addresses(known)


def addresses(values: Mapping[str, str]) -> dict[str, str]:
    """Where the site and the sandbox PSP find each other; they follow from the ports."""
    return {
        "SANDBOX_PSP_URL": f"http://127.0.0.1:{values['SANDBOX_PORT']}",
        "SANDBOX_PSP_WEBHOOK_URL": f"http://127.0.0.1:{values['WEB_PORT']}/webhooks/sandbox",
    }


def for_processes(room: Room) -> dict[str, str]:
    """What a process of this room gets: the room's file, above it the environment, and our Python first."""
    values = read(room) | dict(os.environ)
    values["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{values.get('PATH', os.defpath)}"
    values["RUN_DIR"] = str(room.folder)
    values["PYTHONUNBUFFERED"] = "1"
    if os.geteuid() == 0:  # Root on this machine knows it; Celery would say it at every start.
        values.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser privileges")
    return values


def for_postgres_tools(url: str) -> dict[str, str]:
    """The environment with which psql, pg_dump and the like reach the database of `url`."""
    address = urlsplit(url)
    libpq = {
        "PGHOST": address.hostname,
        "PGPORT": str(address.port or 5432),
        "PGUSER": address.username,
        "PGPASSWORD": address.password,
        "PGDATABASE": address.path.lstrip("/"),
    }
    return dict(os.environ) | {name: unquote(value) for name, value in libpq.items() if value}
