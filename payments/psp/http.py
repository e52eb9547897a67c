"""Talking to a PSP over HTTP so that every way of going wrong is told apart by what it says about the money."""

import json as json_module
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from payments.psp.base import PspNotReached, PspUncertain

CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
TOTAL_SECONDS = 15.0
"""From the first byte sent to the last byte read; shorter than the lease of a claim."""

LARGEST_ANSWER_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer that could be read as a JSON object."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]


def new_session(*, pool_size: int = 32) -> requests.Session:
    """A session that never retries by itself and never follows a redirect with our secrets in its hand."""
    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=pool_size, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.trust_env = False
    return session


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    json: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
    total_seconds: float = TOTAL_SECONDS,
) -> HttpAnswer:
    """One request and its whole answer.

    Raises:
        PspNotReached: no connection was made, so nothing can have happened.
        PspUncertain: the request may have arrived, and there is no answer that can be read.
    """
    deadline = time.monotonic() + total_seconds
    try:
        with session.request(
            method,
            url,
            headers=dict(headers),
            json=json,
            params=params,
            timeout=(min(CONNECT_SECONDS, total_seconds), min(READ_SECONDS, total_seconds)),
            allow_redirects=False,
            stream=True,
        ) as response:
            content = _read(response, deadline)
            status, answer_headers = response.status_code, dict(response.headers)
    except requests.ConnectionError as error:
        if _never_connected(error):
            raise PspNotReached(f"no connection: {_reason(error)}") from error
        raise PspUncertain(f"connection lost: {_reason(error)}") from error
    except (requests.RequestException, HTTPError, OSError) as error:
        raise PspUncertain(f"no complete answer: {type(error).__name__}") from error
    return HttpAnswer(status, answer_headers, _as_object(content, status))


def _read(response: requests.Response, deadline: float) -> bytes:
    """The whole body, within the deadline: requests' own time-out starts anew with every byte that arrives, and its
    reading in chunks waits until a chunk is full.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(65_536, decode_content=True):
        size += len(chunk)
        if size > LARGEST_ANSWER_BYTES:
            raise PspUncertain("the answer is too large")
        if time.monotonic() > deadline:
            raise PspUncertain("the answer took too long")
        chunks.append(chunk)
    return b"".join(chunks)


def _as_object(content: bytes, status: int) -> dict[str, Any]:
    try:
        body = json_module.loads(content)
    except ValueError as error:
        raise PspUncertain(f"status {status} with a body that is not JSON", code=str(status)) from error
    if not isinstance(body, dict):
        raise PspUncertain(f"status {status} with JSON that is not an object", code=str(status))
    return body


def _never_connected(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(
        reason, NewConnectionError | ConnectTimeoutError
    )


def _reason(error: Exception) -> str:
    """What went wrong, without the address, which may hold a secret."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason or error).__name__
