"""The sample company of a development machine: one shop, three sellers, a member of staff, and their keys."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from payments.services.sellers import open_seller
from payments.services.shops import COMPANY_SCOPES, SHOP_SCOPES, issue_api_key, open_shop

SHOP_SLUG = "sample-shop"
STAFF_USERNAME = "staff"

SELLERS: tuple[dict[str, Any], ...] = (
    {
        "seller_account": "seller-books",
        "name": "Nairobi Books",
        "email": "pay@books.example.org",
        "country": "KE",
    },
    {"seller_account": "seller-tea", "name": "Kericho Tea", "email": "pay@tea.example.org", "country": "KE"},
    {
        "seller_account": "seller-lamps",
        "name": "Lumen Lamps",
        "email": "pay@lamps.example.org",
        "country": "DE",
    },
)


def sample_path() -> Path:
    """Where the sample's keys are kept, readable by its owner only."""
    return Path(settings.RUN_DIR) / "sample.json"


def read_sample() -> dict[str, Any]:
    """The sample's keys; empty when there are none yet."""
    path = sample_path()
    return dict(json.loads(path.read_text())) if path.exists() else {}


def write_sample(values: Mapping[str, Any]) -> None:
    """Keep the sample's keys, mode 0600."""
    path = sample_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(dict(values), file, indent=2)


def ensure_sample() -> dict[str, Any]:
    """Make what is missing of the sample and return its keys; what is there stays as it is."""
    shop = open_shop(slug=SHOP_SLUG, name="Sample Shop")
    for seller in SELLERS:
        open_seller(**seller)
    known = read_sample()
    known["site"] = f"http://127.0.0.1:{os.environ.get('WEB_PORT', '8000')}"
    if not known.get("api_key") or not shop.api_keys.exists():
        _, known["api_key"] = issue_api_key(shop=shop, label="sample shop", scopes=SHOP_SCOPES)
        _, known["company_api_key"] = issue_api_key(shop=None, label="sample company", scopes=COMPANY_SCOPES)
    users = get_user_model().objects
    if not known.get("staff_password") or not users.filter(username=STAFF_USERNAME).exists():
        password = secrets.token_urlsafe(12)
        users.filter(username=STAFF_USERNAME).delete()
        users.create_superuser(username=STAFF_USERNAME, email="staff@example.org", password=password)
        known |= {"staff_username": STAFF_USERNAME, "staff_password": password}
    write_sample(known)
    return known
