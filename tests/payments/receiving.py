"""A shop's own server, for real calls over loopback: it keeps what it was sent and answers as it is told."""

import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answering = Callable[[BaseHTTPRequestHandler], None]
"""Writes an answer by hand."""


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Which message it is."""
        return self.headers["webhook-id"]


@dataclass
class ShopServer:
    """What came, and what is answered next; 204 when nothing is told."""

    url: str = ""
    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: deque[int | Answering] = field(default_factory=deque)
    always: int | Answering = 204

    @property
    def ids(self) -> list[str]:
        """The messages in the order in which they came."""
        return [request.id for request in self.received]


@contextmanager
def shop_server(tls: ssl.SSLContext | None = None) -> Iterator[ShopServer]:
    """A server on a free port of 127.0.0.1."""
    shop = ShopServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            shop.received.append(Received(self.path, headers, body))
            answer = shop.answers.popleft() if shop.answers else shop.always
            if callable(answer):
                with suppress(OSError):
                    answer(self)
                self.close_connection = True
                return
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at what was received."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    shop.port = server.server_address[1]
    shop.url = f"{'https' if tls else 'http'}://127.0.0.1:{shop.port}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
