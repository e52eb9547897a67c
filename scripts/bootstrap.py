"""Make the environment in `.venv` hold exactly what the lock files name. Standard library only.

`python3 scripts/bootstrap.py runtime` is enough to run the system; `development` adds the tools of
requirements-dev.txt. A stamp in the environment remembers the lock files' hashes, so a second call costs
nothing. What was installed for development stays installed when only the runtime is asked for.

It starts under any Python 3, so that an old one gets a sentence and not a traceback.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "bootstrap.json"
INSTALLER = PROJECT / "requirements-bootstrap.txt"
LOCK_FILES = {"runtime": PROJECT / "requirements.txt", "development": PROJECT / "requirements-dev.txt"}
OLDEST = (3, 11)


def say(sentence: str) -> None:
    print("bootstrap: " + sentence, flush=True)


def stop(sentence: str) -> NoReturn:
    sys.exit("bootstrap: " + sentence)


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def usable() -> bool:
    """Is there an environment, made here, whose Python runs? A moved one has old paths in its scripts."""
    try:
        made_here = str(ENVIRONMENT) in (PYTHON.parent / "activate").read_text()
    except OSError:
        return False
    return made_here and new_enough(str(PYTHON))


def installed() -> "dict[str, str]":
    """What the stamp says is in the environment."""
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def new_enough(command: str) -> bool:
    question = f"import sys; sys.exit(sys.version_info < {OLDEST!r})"
    try:
        return subprocess.run([command, "-c", question], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def continue_under_a_newer_python() -> NoReturn:
    """Replace this process by the first newer Python on the path, or say what to install."""
    for minor in (11, 12, 13, 14):
        command = shutil.which(f"python3.{minor}")
        if command and new_enough(command):
            os.execv(command, [command, *sys.argv])
    stop(
        f"Python 3.11 or newer is needed, and {sys.executable} is {sys.version.split()[0]}. Install one "
        "(Debian 12, Ubuntu 24.04 and Fedora have it), or name it: make PYTHON=/path/to/python3.11"
    )


def pip_wheel() -> "str | None":
    """The pip that comes with Python. It runs from its own archive, which is quicker than installing it first."""
    try:
        import ensurepip  # noqa: PLC0415 (Debian splits it out; asking is the way to know)
        import venv  # noqa: F401, PLC0415
    except ImportError:
        return None
    folders = [sysconfig.get_config_var("WHEEL_PKG_DIR"), Path(ensurepip.__file__).parent / "_bundled"]
    found = [wheel for folder in folders if folder for wheel in sorted(Path(folder).glob("pip-*.whl"))]
    return str(found[0]) if found else None


def make_environment() -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    instead = (
        " instead of what is there, which is unfinished or was made elsewhere" if ENVIRONMENT.exists() else ""
    )
    say(f"making the environment .venv with Python {version}{instead}")
    if pip_wheel() is None:
        stop(
            "this Python cannot make environments: its venv or ensurepip module is not installed. On Debian and "
            f"Ubuntu: apt-get install python{version}-venv   (then run make again)"
        )
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(ENVIRONMENT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode != 0:
        stop("python -m venv failed:\n" + made.stdout.decode(errors="replace").strip())


def pip(*arguments: str) -> bool:
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    environment = dict(os.environ, PIP_ROOT_USER_ACTION="ignore", PYTHONPATH=pip_wheel() or "")
    return subprocess.run(command, env=environment).returncode == 0


def uv_sync(paths: "list[Path]") -> bool:
    """Install with uv: seconds where pip takes a minute. False when uv itself cannot be had here."""
    uv = ENVIRONMENT / "bin" / "uv"
    pinned = ["--quiet", "--require-hashes", "--requirement", str(INSTALLER)]
    if not pip("install", *pinned):
        return False
    # Compiled once here, instead of by each of the first processes for itself.
    command = [
        str(uv),
        "pip",
        "sync",
        "--quiet",
        "--compile-bytecode",
        "--require-hashes",
        "--python",
        str(PYTHON),
    ]
    if not os.access(os.environ.get("HOME", "/nonexistent"), os.W_OK):
        command.append("--no-cache")  # nowhere to keep it
    command += [str(INSTALLER), *map(str, paths)]
    for certificates in ([], ["--system-certs"]):  # The second for networks that inspect what they carry.
        try:
            tried = subprocess.run([*command, *certificates], cwd=str(PROJECT), stderr=subprocess.PIPE)
        except OSError:
            return False
        if tried.returncode == 0:
            return True
    sys.stderr.write(tried.stderr.decode(errors="replace"))
    return False


def pip_install(paths: "list[Path]") -> bool:
    requirements = [word for path in paths for word in ("--requirement", str(path))]
    return pip("install", "--quiet", "--require-hashes", *requirements)


def main(wanted: str) -> None:
    if sys.version_info < OLDEST:
        continue_under_a_newer_python()
    ready = usable()
    stamp = installed() if ready else {}
    names = ["runtime", "development"] if wanted == "development" or "development" in stamp else ["runtime"]
    target = {name: fingerprint(LOCK_FILES[name]) for name in names}
    if all(stamp.get(name) == digest for name, digest in target.items()):
        return
    started = time.monotonic()
    try:
        if not ready:
            make_environment()
        paths = [LOCK_FILES[name] for name in names]
        say(f"installing {' and '.join(path.name for path in paths)}, each package checked against its hash")
        STAMP.unlink(missing_ok=True)
        if not uv_sync(paths):
            say("uv did not manage here; going on with pip, which takes about a minute")
            if not pip_install(paths):
                stop("the packages could not be installed; the lines above say why (no package index?)")
        STAMP.write_text(json.dumps(target))
    except PermissionError as error:
        stop(f"may not write to {error.filename}; it belongs to another user: remove it or run as that user")
    say(f"ready after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    if sys.argv[1:] not in (["runtime"], ["development"]):
        stop("say what for: runtime or development")
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        stop("interrupted; the next make goes on from here")
