"""What shall happen later, as rows, so that it happens after a restart too."""

from sandbox_psp.work import Work


def schedule(work: Work, *, kind: str, object_id: str, seconds: float) -> None:
    """Let `kind` happen to an object when `seconds` have passed by the sandbox's clock."""
    work.db.execute(
        "INSERT INTO timers (due_at, kind, object) VALUES (?, ?, ?)", (work.now + seconds, kind, object_id)
    )
