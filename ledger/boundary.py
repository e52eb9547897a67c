"""Names for the places where a crash may fall between us and the outside.

Every PSP send and receive and every broker call passes through `boundary(name)`. It does nothing until a test
installs a hook; the crash matrix installs one that counts the places and kills the process at the chosen one.
"""

from collections.abc import Callable

Hook = Callable[[str], None]

_hook: Hook | None = None


def boundary(name: str) -> None:
    """Tell the installed hook, if any, that this place has been reached."""
    if _hook is not None:
        _hook(name)


def install(hook: Hook | None) -> None:
    """Install `hook` for this process; None removes it."""
    global _hook
    _hook = hook
