"""The WSGI application: who may call, which route, under which key, meeting which faults."""

import hmac
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from sandbox_psp import idempotency
from sandbox_psp.api import Route, Router, routes
from sandbox_psp.control import Control
from sandbox_psp.errors import ApiError
from sandbox_psp.http import Request, Response, answer, refusal
from sandbox_psp.sandbox import Sandbox
from sandbox_psp.spoil import instead_of, spoil
from sandbox_psp.strikes import Strikes, strikes_for
from sandbox_psp.work import Fault

logger = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
_REASONS = {
    200: "OK",
    201: "Created",
    303: "See Other",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class App:
    """`application(environ, start_response)`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._router = Router(routes(Control(sandbox)))
        self._running = idempotency.RunningKeys()
        self._authorization = f"Bearer {sandbox.config.secret_key}".encode()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI. `sandbox.hang_up` in environ asks the server to spoil the connection; any other server ignores it."""
        try:
            response = self._respond(environ)
        except ApiError as error:
            response = refusal(error)
        except Exception:
            logger.exception("a bug of the sandbox at %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            response = refusal(
                ApiError("The sandbox has a bug.", code="internal", status=500, error_type="api_error")
            )
        headers = [("Content-Type", response.content_type), ("Content-Length", str(len(response.body)))]
        headers += response.headers.items()
        environ["sandbox.hang_up"] = (response.hang_up, response.hang_seconds)
        start_response(f"{response.status} {_REASONS[response.status]}", headers)
        return [response.body]

    def _respond(self, environ: dict[str, Any]) -> Response:
        request = _request(environ)
        if request.path == "/healthz":
            with self._sandbox.reading() as work:
                work.db.execute("SELECT 1 FROM accounts LIMIT 1").fetchone()
            return answer(200, {"status": "ok"})
        if not request.path.startswith("/3ds/"):
            given = request.headers.get("authorization", "").encode(errors="replace")
            if not hmac.compare_digest(given, self._authorization):
                raise ApiError(
                    "Send the secret key as a bearer token.",
                    code="secret_key_invalid",
                    status=401,
                    error_type="authentication_error",
                )
        route = self._router.find(request)
        if request.path.startswith("/3ds/"):
            return self._plain(route, request)
        request.parse()
        if route.is_control:
            return self._plain(route, request)
        key = idempotency.key_of(request) if route.writes else ""
        if not key:
            return self._struck(route, request, key)
        with self._running.hold(key):
            return self._struck(route, request, key)

    def _plain(self, route: Route, request: Request) -> Response:
        """Without faults and keys."""
        if not route.writes:
            with self._sandbox.reading() as work:
                return route.handler(work, request)
        with self._sandbox.writing() as work:
            return route.handler(work, request)

    def _struck(self, route: Route, request: Request, key: str) -> Response:
        """With the latency and the faults that strike this request."""
        if self._sandbox.timing.latency_ms:
            time.sleep(self._sandbox.timing.latency_ms / 1000)
        strikes = strikes_for(self._sandbox, route, request, key)
        if strikes.instead is not None:
            response = instead_of(strikes.instead, self._sandbox.timing)
            if strikes.instead.kind == "error_500_stored" and key:
                return self._stored_error(request, key, response)
            return response
        response = self._once(route, request, key, strikes)
        if strikes.answer is not None:
            return spoil(response, strikes.answer, self._sandbox.timing)
        return response

    def _once(self, route: Route, request: Request, key: str, strikes: Strikes) -> Response:
        """Carry the request out, or answer as the first time."""
        if not route.writes:
            with self._sandbox.reading() as work:
                return route.handler(work, request)
        asked = idempotency.fingerprint(request) if key else ""
        with self._sandbox.writing(strikes.object) as work:
            if key:
                replayed = idempotency.replay(work.db, key, asked, oldest=work.now - work.timing.key_seconds)
                if replayed is not None:
                    return replayed
            response = route.handler(work, request)
            record = Fault("") if strikes.record is None else strikes.record
            if record.kind == "error_500_charged":
                response = instead_of(record, work.timing)
            if key and record.kind != "key_forgotten":
                idempotency.store(work.db, key, asked, response, now=work.now)
        if record.kind == "key_forgotten" and record.params["answer"] == "lost":
            response.hang_up = "close"
        return response

    def _stored_error(self, request: Request, key: str, response: Response) -> Response:
        """Answer 500 for ever under this key; a key that has an answer keeps it."""
        asked = idempotency.fingerprint(request)
        with self._sandbox.writing() as work:
            replayed = idempotency.replay(work.db, key, asked, oldest=work.now - work.timing.key_seconds)
            if replayed is None:
                idempotency.store(work.db, key, asked, response, now=work.now)
            return replayed or response


def _request(environ: dict[str, Any]) -> Request:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        raise ApiError("Content-Length is not a number.", code="content_length_invalid")
    if int(length) > LARGEST_BODY:
        raise ApiError(f"The body may have {LARGEST_BODY} bytes.", code="body_too_large", status=413)
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        raw=environ["wsgi.input"].read(int(length)) if int(length) else b"",
    )
