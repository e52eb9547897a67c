"""An answer of a PSP ends in time, however slowly it comes, and only a whole one counts."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from payments.psp.base import PspNotReached, PspUncertain
from payments.psp.http import HttpAnswer, exchange, new_session

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = b'{"id": "pay_1"}'

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers one request with these pieces, with a pause between them; returns its address."""
    listeners: list[socket.socket] = []

    def start(*pieces: bytes, pause: float = 0.0) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def answer() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65_536)
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(pause)

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for listener in listeners:
        listener.close()


def get(url: str, *, total_seconds: float = 5.0) -> HttpAnswer:
    """Ask."""
    return exchange(new_session(), "GET", url, headers={}, total_seconds=total_seconds)


def chunked(*pieces: bytes) -> list[bytes]:
    """These pieces, each as one chunk."""
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]


@pytest.mark.parametrize("way", ["length", "chunks"])
def test_an_answer_that_drips_ends_at_the_deadline(serve: Serve, way: str) -> None:
    drops = [b" "] * 200
    if way == "length":
        url = serve(HEAD + b"Content-Length: 60000\r\n\r\n", *drops, pause=0.05)
    else:
        url = serve(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunked(*drops), pause=0.05)
    began = time.monotonic()
    with pytest.raises(PspUncertain):
        get(url, total_seconds=0.5)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"Content-Length: %d\r\n\r\n" % len(WHOLE), WHOLE[:3], WHOLE[3:]],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunked(WHOLE[:3], WHOLE[3:]), b"0\r\n\r\n"],
        [HEAD + b"Connection: close\r\n\r\n", WHOLE],
        [
            HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(WHOLE)),
            gzip.compress(WHOLE)[:7],
            gzip.compress(WHOLE)[7:],
        ],
    ],
    ids=["length", "chunks", "until closed", "compressed"],
)
def test_a_whole_answer_is_read_in_whatever_pieces_it_comes(serve: Serve, pieces: list[bytes]) -> None:
    assert get(serve(*pieces, pause=0.02)).body == {"id": "pay_1"}


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"Content-Length: 60\r\n\r\n", WHOLE],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunked(WHOLE)],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n", WHOLE],
        [HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(WHOLE), WHOLE],
        [b""],
        [HEAD],
    ],
    ids=["short", "no last chunk", "no chunk", "not compressed", "nothing", "no body"],
)
def test_half_an_answer_is_none(serve: Serve, pieces: list[bytes]) -> None:
    with pytest.raises(PspUncertain):
        get(serve(*pieces), total_seconds=2)


def test_an_answer_that_is_too_large_is_none(serve: Serve) -> None:
    with pytest.raises(PspUncertain, match="too large"):
        get(serve(HEAD + b"Connection: close\r\n\r\n", b" " * 1_100_000))


def test_where_nobody_listens_nothing_happened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(PspNotReached):
        get(f"http://127.0.0.1:{port}/")
