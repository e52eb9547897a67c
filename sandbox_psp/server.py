"""A threading HTTP/1.1 server for one WSGI application, with the means to break a connection on purpose."""

import contextlib
import io
import logging
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import unquote
from wsgiref.simple_server import WSGIServer

logger = logging.getLogger(__name__)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

IDLE_SECONDS = 75
"""How long a connection may wait for its next request."""


class Server(ThreadingMixIn, WSGIServer):
    """One thread per connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application_to_serve = application
        self.stopping = threading.Event()
        self._working = 0
        self._changed = threading.Condition()
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    @contextlib.contextmanager
    def working(self) -> Any:
        """Count a request that is being answered."""
        with self._changed:
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def finish(self, *, seconds: float) -> None:
        """Take no more requests and wait for those that are being answered, but no longer than `seconds`."""
        self.stopping.set()
        self.shutdown()
        with self._changed:
            self._changed.wait_for(lambda: self._working == 0, timeout=seconds)
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection: requests one after the other until either side closes it."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox-psp"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # The head and the body of an answer leave in one packet.
    server: Server

    def _serve(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.close_connection = True
            self.send_error(411)
            return
        with self.server.working():
            self._answer()

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = _serve

    def _answer(self) -> None:
        environ = self._environ()
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started[:] = [status, headers]

        body = b"".join(self.server.application_to_serve(environ, start_response))
        hang_up, hang_seconds = environ.get("sandbox.hang_up", ("", 0))
        if (
            environ["wsgi.input"].tell() < int(environ["CONTENT_LENGTH"] or 0)
            or self.server.stopping.is_set()
        ):
            self.close_connection = True
        if hang_up in ("close", "reset"):
            self._hang_up(reset=hang_up == "reset", seconds=hang_seconds)
            return
        status, headers = started
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection or hang_up:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if hang_up == "cut" else body)
        self.wfile.flush()

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length", "")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path, "iso-8859-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": length,
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": _Body(self.rfile, int(length) if length.isdigit() else 0),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ.setdefault(f"HTTP_{name.upper().replace('-', '_')}", value)
        return environ

    def _hang_up(self, *, reset: bool, seconds: float) -> None:
        """Say nothing for a while, or until the caller has lost patience; then close."""
        self.close_connection = True
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.1)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
            if readable:
                time.sleep(0.1)
        if reset:
            # Closing with a linger time of zero sends a TCP reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def handle(self) -> None:
        """Callers who vanish are no news."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are logged only when somebody asked for it; the answers are in the database."""
        logger.debug(format, *args)


class _Body:
    """A request body that ends where Content-Length says."""

    def __init__(self, stream: Any, length: int) -> None:
        self._stream = stream
        self._length = length
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most to the end of the body."""
        left = self._length - self._read
        data: bytes = self._stream.read(left if size < 0 else min(size, left))
        self._read += len(data)
        return data

    def tell(self) -> int:
        """How much was read."""
        return self._read
