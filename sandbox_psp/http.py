"""What the API is asked and what it answers, without sockets."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox_psp import compact
from sandbox_psp.errors import ApiError
from sandbox_psp.fields import Fields


@dataclass(slots=True, kw_only=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    raw: bytes = b""
    ids: tuple[str, ...] = ()
    """What stood at the places of `*` in the route."""
    body: dict[str, Any] = field(default_factory=dict)

    def parse(self) -> None:
        """Read the JSON body.

        Raises:
            ApiError: not a JSON object.
        """
        if not self.raw:
            return
        try:
            body = json.loads(self.raw, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise ApiError("The body is not JSON.", code="json_invalid") from None
        if not isinstance(body, dict):
            raise ApiError("The body is not a JSON object.", code="json_invalid")
        self.body = body

    @property
    def fields(self) -> Fields:
        """The body, to be read field by field."""
        return Fields(self.body)

    def question(self) -> "Question":
        """The query string, read once."""
        try:
            return Question(dict(parse_qsl(self.query, keep_blank_values=True, max_num_fields=20)))
        except ValueError:
            raise ApiError("The query string cannot be read.", code="parameter_invalid") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Question:
    """The parameters of a GET."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """A parameter as it was written."""
        return self._values.get(name)

    def whole(self, name: str, default: int, *, most: int) -> int:
        """A parameter that counts.

        Raises:
            ApiError: not a number from 0 to `most`.
        """
        text = self._values.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= most):
            raise ApiError(f"{name} must be a number from 0 to {most}.", code="parameter_invalid", param=name)
        return int(text)


@dataclass(slots=True, kw_only=True)
class Response:
    """One HTTP answer. `hang_up` is for the faults that spoil the connection itself."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: str = ""
    """Empty: answer; close: without an answer; reset: so, with a TCP reset; cut: in the middle of the body."""
    hang_seconds: float = 0
    """How long to keep the caller waiting before hanging up."""


def answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(status=status, body=compact.encode(body).encode(), headers=headers or {})


def refusal(error: ApiError) -> Response:
    """An error as an answer."""
    return answer(error.status, error.body(), error.headers)
