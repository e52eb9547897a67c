"""The user that the servers run as.

PostgreSQL refuses to run as root. So root hands over to the project's owner, or to `nobody` when that is root
too. That user may be unable to reach the project (a clone under a home with mode 0700); parents are never
opened for it. It gets the one capability to pass closed folders, and where even that is refused (some
containers), the servers' files move to a folder of their own under the system's variable temporary directory.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paymentsite.embedded.errors import EmbeddedError
from paymentsite.embedded.programs import copy_programs, postgres_binary, valkey_binary
from paymentsite.embedded.rooms import PROJECT, Room, shown
from paymentsite.embedded.speech import say

NOBODY = 65534
CAPABILITIES = ("dac_read_search", "dac_override")
"""The weaker first; Docker's default set has only the second."""
VARIABLE_TEMPORARY = Path("/var/tmp")  # noqa: S108 (survives a reboot; what we make there has a random name)


@dataclass(frozen=True)
class Servant:
    """How to start a program so that it runs as the servers' user."""

    uid: int | None = None
    """None: as ourselves, an ordinary user."""
    gid: int = NOBODY
    capability: str | None = None
    programs: Path | None = None
    """A copy of the servers' programs; None: where pip put them."""

    def run(self, arguments: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run to the end, output captured. Nothing of root's environment goes along."""
        words = [str(argument) for argument in arguments]
        if self.capability is not None:
            user = (f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups")
            capability = (f"--inh-caps=+{self.capability}", f"--ambient-caps=+{self.capability}")
            # access(2), which PostgreSQL asks, ignores capabilities of ordinary users without this.
            counted = "--securebits=+no_setuid_fixup"
            words = ["setpriv", *user, *capability, counted, "--", *words]
        elif self.uid is not None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        options |= {"env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}, "cwd": "/"}
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)

    def postgres(self, name: str) -> Path:
        return postgres_binary(name, copied_to=self.programs)

    def valkey(self) -> Path:
        return valkey_binary(copied_to=self.programs)

    def own(self, folder: Path) -> None:
        """Make the folder, for the servers' user alone."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self.give(folder)

    def give(self, path: Path) -> None:
        """The path belongs to the servers' user."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, servers: Path) -> bool:
        """Can that user start the programs and write into `servers`?"""
        script = '"$1" --version && "$2" --version && cd "$3" && : > reached && rm reached'
        try:
            tried = self.run(["/bin/sh", "-c", script, "sh", self.postgres("initdb"), self.valkey(), servers])
            # initdb that may run but not ask about itself only warns.
            return tried.returncode == 0 and not tried.stderr
        except OSError:  # setpriv is not installed, or the change of user is refused.
            return False


def servant_of(room: Room) -> Servant:
    """The user for the servers of this room, with a folder `room.servers` that it can write.

    Raises:
        EmbeddedError: the folder belongs to another user, or no user can be made to reach it.
    """
    room.make()
    if os.geteuid() != 0:
        _check_own(room)
        servant = Servant()
        servant.own(room.servers)
        return servant
    uid, gid = _whose(room)
    if room.elsewhere.exists():
        return _elsewhere(room, uid, gid)
    for capability in (None, *CAPABILITIES):
        servant = Servant(uid=uid, gid=gid, capability=capability)
        servant.own(room.servers)
        if servant.reaches(room.servers):
            return servant
    if room.postgres_data.exists():
        raise EmbeddedError(
            f"The servers' user (uid {uid}) can no longer reach {shown(room.servers)}. "
            "Run as the owner of the folder, or set DATABASE_URL and REDIS_URL to servers of yours."
        )
    return _elsewhere(room, uid, gid)


def _check_own(room: Room) -> None:
    for folder in (room.folder, room.servers):
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            raise EmbeddedError(
                f"{shown(folder)} belongs to another user (uid {folder.stat().st_uid}): root or someone else "
                "started the servers before. Go on as that user, or let it run `make reset`."
            )


def _whose(room: Room) -> tuple[int, int]:
    """Whom root hands over to: the owner of what is there, else of the project, else nobody."""
    for folder in (room.servers, PROJECT):
        if folder.exists() and folder.stat().st_uid != 0:
            return folder.stat().st_uid, folder.stat().st_gid
    return NOBODY, NOBODY


def _elsewhere(room: Room, uid: int, gid: int) -> Servant:
    """The servers' files in a folder outside the project that all may pass through and none may list."""
    if not room.elsewhere.exists():
        if room.servers.exists():
            room.servers.rmdir()
        home = Path(tempfile.mkdtemp(prefix="payments-", dir=VARIABLE_TEMPORARY))
        home.chmod(0o711)
        room.elsewhere.write_text(f"{home}\n")
        say(f"The servers' user cannot reach this folder, so their data and programs are in {home}.")
    home = room.servers.parent
    if not home.exists():
        raise EmbeddedError(
            f"The servers' data were in {home}, which is gone. `make reset` starts again with empty data."
        )
    servant = Servant(uid=uid, gid=gid, programs=copy_programs(home, uid=uid, gid=gid))
    servant.own(room.servers)
    if not servant.reaches(room.servers):
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and uid {uid} cannot be used here. "
            "Run as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of yours."
        )
    return servant
