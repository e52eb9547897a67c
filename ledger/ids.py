"""Time-ordered identifiers, made before anything is sent or stored."""

import secrets
from uuid import UUID

from ledger import clock


def uuid7() -> UUID:
    """A UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits.

    Made in Python because PostgreSQL has `uuidv7()` only from version 18 on.
    """
    milliseconds = int(clock.now().timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    random_a = secrets.randbits(12)
    random_b = secrets.randbits(62)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
