"""Where the sandbox PSP delivers its webhooks: our real site, in a process of its own, with a door that can be shut."""

import base64
import json
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.core.wsgi import get_wsgi_application

WebApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Door:
    """Files in the lane's folder through which its processes shut and open the receiver."""

    folder: Path

    @property
    def shut(self) -> Path:
        """While it exists, nothing is taken and the PSP is told to come again."""
        return self.folder / "door-is-shut"

    @property
    def knocked(self) -> Path:
        """The last request before the shut door."""
        return self.folder / "knocked.json"

    def last_request(self) -> tuple[bytes, dict[str, str]]:
        """Body and headers of that request."""
        kept = json.loads(self.knocked.read_text())
        return base64.b64decode(kept["body"]), kept["headers"]

    def reset(self) -> None:
        """Open, and nobody has knocked."""
        self.shut.unlink(missing_ok=True)
        self.knocked.unlink(missing_ok=True)


def door() -> Door:
    """The door of this lane."""
    return Door(Path(os.environ["RUN_DIR"]))


def listen() -> socket.socket:
    """A socket for the receiver; its address must be known before the sandbox starts."""
    return socket.create_server(("127.0.0.1", 0))


def serve(listening: socket.socket) -> None:
    """Serve until the parent is gone."""
    parent = os.getppid()

    class Server(WSGIServer):
        def service_actions(self) -> None:
            if os.getppid() != parent:
                os._exit(0)

    server = Server(listening.getsockname()[:2], _Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.server_name, server.server_port = "127.0.0.1", listening.getsockname()[1]
    server.setup_environ()
    server.set_app(_with_door(get_wsgi_application()))
    server.serve_forever(poll_interval=1)


def _with_door(application: WebApplication) -> WebApplication:
    our_door = door()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not our_door.shut.exists():
            return application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {"Sandbox-Signature": environ.get("HTTP_SANDBOX_SIGNATURE", "")}
        fresh = our_door.knocked.with_suffix(".new")
        fresh.write_text(json.dumps({"body": base64.b64encode(body).decode(), "headers": headers}))
        fresh.rename(our_door.knocked)
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"come again"]

    return answer


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Every delivery is in the database."""

    def address_string(self) -> str:
        return "127.0.0.1"
