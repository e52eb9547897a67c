"""Shops and their API keys."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ledger import clock
from payments.models import ApiKey, Shop

SCOPES = (
    "payments:read",
    "payments:write",
    "webhooks:read",
    "webhooks:write",
    "sellers:read",
    "sellers:write",
    "operations:read",
    "operations:write",
)
"""What a key may be allowed to do. `sellers:*` and `operations:*` belong to the company, not to its shops."""

SHOP_SCOPES = ("payments:read", "payments:write", "webhooks:read", "webhooks:write")
COMPANY_SCOPES = ("sellers:read", "sellers:write", "operations:read", "operations:write")


@transaction.atomic
def open_shop(*, slug: str, name: str) -> Shop:
    """The shop with this slug, made if it is not there."""
    shop, _ = Shop.objects.get_or_create(slug=slug, defaults={"name": name})
    return shop


@transaction.atomic
def issue_api_key(
    *, shop: Shop | None, label: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key; the second value is the secret, which nobody can read again."""
    prefix = "sk_" + secrets.token_hex(5)
    secret = f"{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        shop=shop,
        label=label,
        prefix=prefix,
        digest=digest_of(secret),
        scopes=list(scopes),
        expires_at=expires_at,
    )
    return key, secret


def find_api_key(secret: str) -> ApiKey | None:
    """The living key with this secret, its shop loaded; None for any other text."""
    prefix = "_".join(secret.split("_", 2)[:2])
    key = ApiKey.objects.select_related("shop").filter(prefix=prefix).first()
    if key is None or not secrets.compare_digest(bytes(key.digest), digest_of(secret)):
        return None
    now = clock.now()
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return None
    return key


def digest_of(secret: str) -> bytes:
    """SHA-256: the secret is 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(secret.encode()).digest()
