"""Where the servers of this working copy live: `.run` for people, `.run/test` for tests, `.run/demo`.

Each has its own servers, ports and passwords, so that they work side by side.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Room:
    """A folder with one PostgreSQL, one Valkey, and the file that tells how to reach them."""

    folder: Path
    durable: bool
    """False: the data need not survive a power cut, so nothing waits for the disk (tests)."""

    @property
    def env_path(self) -> Path:
        """DATABASE_URL and the rest, readable by its owner alone."""
        return self.folder / "env"

    @property
    def logs(self) -> Path:
        """Logs of the processes of `make run`, or of the tests' stacks."""
        return self.folder / "logs"

    @property
    def elsewhere(self) -> Path:
        """Names the folder outside the project that holds the servers' files, when they cannot live here."""
        return self.folder / "servers-are-in"

    @property
    def servers(self) -> Path:
        """Data and logs of PostgreSQL and Valkey; belongs to the user that they run as."""
        if self.elsewhere.exists():
            return Path(self.elsewhere.read_text().strip()) / "servers"
        return self.folder / "servers"

    @property
    def postgres_data(self) -> Path:
        return self.servers / "postgres"

    @property
    def postgres_log(self) -> Path:
        return self.servers / "postgres.log"

    @property
    def valkey_folder(self) -> Path:
        return self.servers / "valkey"

    @property
    def valkey_log(self) -> Path:
        return self.servers / "valkey.log"

    def make(self) -> None:
        """Make the folder. What root makes is given to the project's owner, who may come next."""
        for folder in (MAIN.folder, self.folder, self.logs):
            if not folder.exists():
                folder.mkdir()
                give_to_owner(folder)


MAIN = Room(folder=PROJECT / ".run", durable=True)
TEST = Room(folder=PROJECT / ".run" / "test", durable=False)
DEMO = Room(folder=PROJECT / ".run" / "demo", durable=False)


def give_to_owner(path: Path) -> None:
    """As root: `path` belongs to whom the project belongs to."""
    if os.geteuid() == 0:
        owner = PROJECT.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def shown(path: Path) -> str:
    """The path as people write it: relative to the project when it is inside."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
