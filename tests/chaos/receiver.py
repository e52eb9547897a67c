"""Where the sandbox PSP delivers its webhooks: our real site, in a process of its own, with a door that can be shut."""

import base64
import json
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.core.wsgi import get_wsgi_application

Knock = tuple[bytes, dict[str, str]]
"""Body and headers of a request."""

WebApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Door:
    """Files in the lane's folder through which its processes shut and open the receiver, and see what came."""

    folder: Path

    @property
    def shut(self) -> Path:
        """While it exists, nothing is taken and the PSP is told to come again."""
        return self.folder / "door-is-shut"

    @property
    def knocks(self) -> Path:
        """The requests before the shut door, one file per event."""
        return self.folder / "knocks"

    @property
    def shop(self) -> Path:
        """What the shop was told by our webhooks: a line per call, as it came."""
        return self.folder / "told-to-shop.jsonl"

    @property
    def forgotten(self) -> Path:
        """Ids of events of earlier cases; the PSP may still try to deliver them, and nobody wants them."""
        return self.folder / "forgotten"

    def requests(self) -> list[Knock]:
        """All of them, in the order in which they came."""
        files = sorted(self.knocks.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        kept = [json.loads(path.read_text()) for path in files]
        return [(base64.b64decode(one["body"]), one["headers"]) for one in kept]

    def told(self) -> list[dict[str, Any]]:
        """The messages that the shop has taken, also repeated ones."""
        lines = self.shop.read_text().splitlines() if self.shop.exists() else []
        return [json.loads(line) for line in lines]

    def reset(self, *, old_events: Iterable[str]) -> None:
        """Open, nobody has knocked, the shop knows nothing. What comes of an earlier case is thrown away."""
        with self.forgotten.open("a") as file:
            file.writelines(f"{event}\n" for event in old_events)
        # The receiver takes one request after the other: behind this one, nothing older is under way.
        site = urlsplit(os.environ["SHOP_URL"])
        line = HTTPConnection(site.hostname or "", site.port, timeout=20)
        line.request("POST", site.path)
        assert line.getresponse().status == 204
        line.close()
        self.shut.unlink(missing_ok=True)
        self.shop.unlink(missing_ok=True)
        self.knocks.mkdir(exist_ok=True)
        for path in self.knocks.iterdir():
            path.unlink()


SHOP_PATH = "/shop"
"""Where the shop hears our webhooks."""


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
        body = _body(environ)
        if environ["PATH_INFO"] == SHOP_PATH:
            if body:
                _tell_shop(our_door, environ["HTTP_WEBHOOK_ID"], body)
            start_response("204 No Content", [])
            return []
        if json.loads(body)["id"] in our_door.forgotten.read_text().split():
            start_response("204 No Content", [])
            return []
        if not our_door.shut.exists():
            return application(environ | {"wsgi.input": BytesIO(body)}, start_response)
        _keep(our_door, body, environ.get("HTTP_SANDBOX_SIGNATURE", ""))
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"come again"]

    return answer


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def _tell_shop(our_door: Door, message_id: str, body: bytes) -> None:
    with our_door.shop.open("a") as file:
        file.write(json.dumps({"id": message_id, "body": json.loads(body)}) + "\n")


def _keep(our_door: Door, body: bytes, signature: str) -> None:
    """Once per event, whole or not at all: the flow reads while we write."""
    kept = our_door.knocks / f"{json.loads(body)['id']}.json"
    if not kept.exists():
        fresh = kept.with_suffix(".new")
        headers = {"Sandbox-Signature": signature}
        fresh.write_text(json.dumps({"body": base64.b64encode(body).decode(), "headers": headers}))
        fresh.rename(kept)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Every delivery is in the database."""

    def address_string(self) -> str:
        return "127.0.0.1"
