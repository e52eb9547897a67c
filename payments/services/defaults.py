"""Rows that a system needs from its first day. Idempotent: what staff have changed stays."""

from payments.retries import ensure_strategies


def ensure_defaults() -> None:
    """Make what is missing."""
    ensure_strategies()
