"""Signatures on what we send, as the Standard Webhooks specification has them (standardwebhooks.com, version 1)."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from standardwebhooks import Webhook

SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def new_secret() -> str:
    """A secret as shops are given it: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def signed_headers(
    *, message_id: str, at: datetime, body: str, secrets_now: Sequence[str]
) -> Mapping[str, str]:
    """The three headers that prove who sent `body` and when: one signature for each secret that is valid now."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(msg_id=message_id, timestamp=at, data=body) for secret in secrets_now
        ),
    }
