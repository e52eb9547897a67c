"""The one clock. Everything that needs the time asks here, so that tests and simulations can move it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)
