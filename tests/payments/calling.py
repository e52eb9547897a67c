"""Calling the API as a shop does, inside this process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.test import Client


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """The JSON; None for an empty body."""

    @property
    def code(self) -> str:
        """What a program reads of a problem."""
        return str(self.body["code"])

    @property
    def fields(self) -> list[str]:
        """The fields that a problem names."""
        return [error["field"] for error in self.body.get("errors", [])]


class Caller:
    """One caller with its API key."""

    def __init__(self, key: str = "") -> None:
        self._client = Client(raise_request_exception=False)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST a body: bytes and text as they are, anything else as JSON. `key` is the Idempotency-Key."""
        data = body if isinstance(body, bytes | str) else json.dumps({} if body is None else body)
        sent = {**self._headers, **(headers or {}), **({"Idempotency-Key": key} if key else {})}
        return _answer(self._client.post(path, data, content_type=content_type, headers=sent))

    def patch(self, path: str, body: Any) -> Answer:
        """PATCH with this body as JSON."""
        data = json.dumps(body)
        return _answer(self._client.patch(path, data, content_type="application/json", headers=self._headers))

    def delete(self, path: str) -> Answer:
        """DELETE a path."""
        return _answer(self._client.delete(path, headers=self._headers))

    def get(self, path: str) -> Answer:
        """GET a path."""
        return _answer(self._client.get(path, headers=self._headers))


def _answer(response: Any) -> Answer:
    return Answer(
        response.status_code,
        dict(response.items()),
        json.loads(response.content) if response.content else None,
    )
