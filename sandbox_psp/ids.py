"""Names of objects: a prefix that says what it is, the time, and chance; so that later ones sort later."""

import secrets
import time


def new_id(prefix: str) -> str:
    """A new id such as `pay_019a9f0c3b52d1f4...`."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
