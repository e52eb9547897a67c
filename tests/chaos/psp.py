"""The outside world's side: the sandbox PSP over HTTP, its books, and what a buyer or a test may do there."""

import json
import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

PAGE = 1000


class Outside:
    """The sandbox PSP, as somebody sees it who trusts nothing that we say."""

    def __init__(self) -> None:
        self._address = urlsplit(os.environ["SANDBOX_PSP_URL"])
        self._headers = {"Authorization": f"Bearer {os.environ['SANDBOX_PSP_SECRET_KEY']}"}
        self._line: HTTPConnection | None = None

    def get(self, path: str) -> Any:
        """What GET answers."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What POST answers; the body also when it refuses."""
        return self._call("POST", path, body or {})

    def clear_faults(self) -> None:
        """Nothing goes wrong at the PSP any more."""
        self._call("DELETE", "/v1/control/faults", None)

    def payments(self, reference: str) -> list[dict[str, Any]]:
        """All payments under one of our references, oldest first."""
        found: list[dict[str, Any]] = self.get(f"/v1/payments?reference={quote(reference)}")["data"]
        return found

    def charges(self, *, after: int) -> list[dict[str, Any]]:
        """What every payment since `after` (a `seq`) really took."""
        return self._pages("/v1/charges/summary", after)

    def events(self, *, after: int) -> list[dict[str, Any]]:
        """Every event since `after` (a `seq`), delivered or not."""
        return self._pages("/v1/events", after)

    def books_balance(self) -> bool:
        """Whether the PSP's own books sum to zero."""
        return all(total == 0 for total in self.get("/v1/books")["total"].values())

    def _pages(self, path: str, after: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self.get(f"{path}?after={after}&limit={PAGE}")["data"]
            rows += page
            if len(page) < PAGE:
                return rows
            after = page[-1]["seq"]

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({"Content-Type": "application/json"} if data else {})
        for fresh in (False, True):
            if fresh or self._line is None:
                self._line = HTTPConnection(self._address.hostname or "", self._address.port, timeout=20)
            try:
                self._line.request(method, path, body=data, headers=headers)
                return json.loads(self._line.getresponse().read())
            except (OSError, HTTPException):
                if fresh:
                    raise
        raise AssertionError("not reached")
