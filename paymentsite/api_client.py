"""A small client of the public API, for the sample checkout and the demo: they play by a shop's rules."""

import time
from collections.abc import Mapping
from typing import Any

import requests


class ApiClient:
    """Calls the API as a shop would."""

    def __init__(self, *, base_url: str, api_key: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {api_key}"

    def get(self, path: str) -> requests.Response:
        """GET a path under the API's root."""
        return self._session.get(self._base_url + path, timeout=10)

    def post(self, path: str, body: Mapping[str, Any], *, idempotency_key: str = "") -> requests.Response:
        """POST JSON to a path under the API's root."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._session.post(self._base_url + path, json=dict(body), headers=headers, timeout=10)

    def wait_for_checkout(self, checkout_id: str, *, seconds: float = 30) -> dict[str, Any]:
        """The checkout once nothing of it is pending, or as it is when the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            response = self.get(f"/v1/checkouts/{checkout_id}")
            response.raise_for_status()
            checkout: dict[str, Any] = response.json()
            if checkout["checkout_status"] != "pending" or time.monotonic() > deadline:
                return checkout
            time.sleep(0.1)
