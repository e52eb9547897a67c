"""Rows that a system needs from its first day. Idempotent: what staff have changed stays."""

from payments.retries import ensure_strategies
from payments.services.risk_rules import ensure_default_rules


def ensure_defaults() -> None:
    """Make what is missing."""
    ensure_strategies()
    ensure_default_rules()
