"""One POST to a shop's endpoint, with everything that an unknown server may do to us kept small.

The name is resolved once, every address it has must be allowed, and the connection goes to that very address: a name
that resolves to something else a moment later (DNS rebinding) changes nothing. TLS still proves the name. Redirects
are not followed, time is capped as a whole, and of the answer little more than its status is read.
"""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Any

import certifi

from payments.outbound.addresses import is_allowed
from payments.outbound.targets import Target

RESOLVE_SECONDS = 3.0
CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
TOTAL_SECONDS = 10.0
"""From the look-up of the name to the last byte read; a third of a claim's lease."""

MOST_ADDRESSES = 4
"""Of a name's addresses that are tried, one after the other."""

LARGEST_ANSWER_BYTES = 64 * 1024
"""Read of an answer, its headers included. Only the status counts, so what goes beyond is left unread."""

Resolver = Callable[[str, int], Sequence[str]]
"""Name and port to addresses."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint answered."""

    status: int
    retry_after_seconds: float | None = None


class NotAnswered(Exception):
    """There is no answer: it was not sent, or nobody knows whether it arrived. `error_class` is one word for why."""

    def __init__(self, error_class: str, detail: str) -> None:
        super().__init__(detail)
        self.error_class = error_class
        self.detail = detail


def post(
    target: Target,
    *,
    body: bytes,
    headers: Mapping[str, str],
    allow_loopback: bool,
    resolver: Resolver | None = None,
) -> Answer:
    """Send `body` to `target` and return what the endpoint answered, whatever its status.

    Raises:
        NotAnswered: an address that is not allowed, no such name, no connection, no complete answer in time.
    """
    deadline = time.monotonic() + TOTAL_SECONDS
    addresses = _addresses(target, resolver or look_up, allow_loopback=allow_loopback)
    try:
        with closing(_connect(target, addresses, deadline)) as connected:
            return _exchange(_Timed(connected, deadline), target, body, headers)
    except TimeoutError as error:
        raise NotAnswered("timeout", "no complete answer in time") from error
    except ssl.SSLError as error:
        raise NotAnswered("tls", f"TLS failed: {error.reason or type(error).__name__}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise NotAnswered("no_answer", f"no answer: {type(error).__name__}") from error


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, by the system's resolver, which knows no time limit of its own."""
    found: SimpleQueue[list[Any] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = found.get(timeout=RESOLVE_SECONDS)
    except Empty as error:
        raise NotAnswered("name_not_found", "the name was not resolved in time") from error
    if isinstance(answer, OSError):
        raise NotAnswered("name_not_found", "the name has no address") from answer
    return [str(entry[4][0]) for entry in answer]


def _addresses(target: Target, resolver: Resolver, *, allow_loopback: bool) -> Sequence[str]:
    """Where to connect to. One address that is not allowed spoils the name: it is a mistake or an attack."""
    texts = [str(target.address)] if target.address else list(resolver(target.host, target.port))
    if not texts:
        raise NotAnswered("name_not_found", "the name has no address")
    for text in texts:
        if not is_allowed(ip_address(text), allow_loopback=allow_loopback):
            raise NotAnswered("address_refused", "the name has an address that is not on the public internet")
    return list(dict.fromkeys(texts))[:MOST_ADDRESSES]


def _connect(target: Target, addresses: Sequence[str], deadline: float) -> socket.socket:
    """A connection to the first address that takes one, with TLS for the target's name where it has TLS."""
    plain = None
    for address in addresses:
        try:
            plain = socket.create_connection(
                (address, target.port), timeout=_left(deadline, at_most=CONNECT_SECONDS)
            )
            break
        except OSError as error:
            refused = error
    if plain is None:
        raise NotAnswered("no_connection", f"no connection: {type(refused).__name__}") from refused
    if target.scheme == "http":
        return plain
    try:
        plain.settimeout(_left(deadline, at_most=CONNECT_SECONDS))
        return tls_context().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the authorities that browsers trust, names included."""
    return ssl.create_default_context(cafile=certifi.where())


def _exchange(connected: "_Timed", target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection = HTTPConnection(target.host, target.port)
    connection.sock = connected
    connection.request(
        "POST",
        target.path,
        body=body,
        headers={
            "Host": target.authority,
            "User-Agent": "payments-webhooks/1",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        },
    )
    response = connection.getresponse()
    answer = Answer(response.status, _retry_after(response.getheader("Retry-After", "")))
    with suppress(OSError, HTTPException, ValueError):  # The status is here; the rest is read for politeness.
        while response.read(8192):
            pass
    return answer


def _retry_after(text: str) -> float | None:
    """Seconds that the endpoint asks for; the form with a date is left alone."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _left(deadline: float, *, at_most: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the whole call took too long")
    return min(left, at_most)


class _Timed:
    """A socket as `http.client` uses one, with a deadline for all of it and a cap on what is read.

    A time-out of the socket itself starts anew with every byte, so a server could hold a worker for hours.
    """

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline, at_most=READ_SECONDS))
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._socket, self._deadline))

    def close(self) -> None:
        """Whoever opened the socket closes it."""


class _TimedReader(io.RawIOBase):
    """Reads until the deadline or the cap, whichever comes first."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        super().__init__()
        self._socket = connected
        self._deadline = deadline
        self._room = LARGEST_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._room <= 0:
            raise ValueError("the answer is too large")
        self._socket.settimeout(_left(self._deadline, at_most=READ_SECONDS))
        count = self._socket.recv_into(buffer, min(len(buffer), self._room))
        self._room -= count
        return count
