"""Every address of the API: method, path, the operation's name (which fault rules match), and who handles it."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox_psp import challenge, disputes, payments, payouts, refunds, reports, risk, tokens
from sandbox_psp.control import Control
from sandbox_psp.errors import ApiError
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.work import Work

Handler = Callable[[Work, Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One address."""

    method: str
    pattern: tuple[str, ...]
    """Path segments; `*` is an id."""
    operation: str
    handler: Handler

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def is_control(self) -> bool:
        """Control is exempt from faults, latency and idempotency keys."""
        return self.operation.startswith("control.")


def _create_token(work: Work, request: Request) -> Response:
    return answer(201, tokens.create(work, request.fields, reusable=False))


def _create_payment_method(work: Work, request: Request) -> Response:
    return answer(201, tokens.create(work, request.fields, reusable=True))


def routes(control: Control) -> list[Route]:
    """The whole API."""
    table: list[tuple[str, str, Handler]] = [
        ("payments.create", "POST /v1/payments", payments.create),
        ("payments.get", "GET /v1/payments/*", payments.read),
        ("payments.list", "GET /v1/payments", payments.find),
        ("payments.confirm", "POST /v1/payments/*/confirm", payments.confirm),
        ("payments.capture", "POST /v1/payments/*/capture", payments.capture),
        ("payments.cancel", "POST /v1/payments/*/cancel", payments.cancel),
        ("refunds.create", "POST /v1/refunds", refunds.create),
        ("refunds.get", "GET /v1/refunds/*", refunds.read),
        ("refunds.list", "GET /v1/refunds", refunds.find),
        ("payouts.create", "POST /v1/payouts", payouts.create),
        ("payouts.get", "GET /v1/payouts/*", payouts.read),
        ("payouts.list", "GET /v1/payouts", payouts.find),
        ("disputes.get", "GET /v1/disputes/*", disputes.read),
        ("disputes.list", "GET /v1/disputes", disputes.find),
        ("disputes.submit", "POST /v1/disputes/*/evidence", disputes.submit),
        ("disputes.concede", "POST /v1/disputes/*/close", disputes.concede),
        ("tokens.create", "POST /v1/tokens", _create_token),
        ("payment_methods.create", "POST /v1/payment_methods", _create_payment_method),
        ("risk.score", "POST /v1/risk/score", risk.score),
        ("books.get", "GET /v1/books", reports.read_books),
        ("books.entries", "GET /v1/books/entries", reports.read_entries),
        ("balance.get", "GET /v1/balance", reports.read_balance),
        ("balance.transactions", "GET /v1/balance_transactions", reports.read_balance_transactions),
        ("charges.summary", "GET /v1/charges/summary", reports.summarise_charges),
        ("events.list", "GET /v1/events", reports.read_events),
        ("messages.list", "GET /v1/messages", reports.read_messages),
        ("control.review", "POST /v1/control/payments/*/review", control.review),
        ("control.advance", "POST /v1/control/payments/*/advance", control.advance),
        ("control.challenge", "POST /v1/control/payments/*/challenge", control.challenge),
        ("control.expire", "POST /v1/control/payments/*/expire", control.expire),
        ("control.dispute", "POST /v1/control/payments/*/dispute", control.dispute),
        ("control.decide_dispute", "POST /v1/control/disputes/*", control.decide_dispute),
        ("control.card", "POST /v1/control/cards", control.card),
        ("control.settings", "POST /v1/control/settings", control.settings),
        ("control.latency", "POST /v1/control/latency", control.settings),
        ("control.clock", "POST /v1/control/clock", control.clock),
        ("control.redeliver", "POST /v1/control/webhooks/redeliver", control.redeliver),
        ("control.add_fault", "POST /v1/control/faults", control.add_fault),
        ("control.read_faults", "GET /v1/control/faults", control.read_faults),
        ("control.clear_faults", "DELETE /v1/control/faults", control.clear_faults),
        ("challenge.show", "GET /3ds/*", challenge.show),
        ("challenge.decide", "POST /3ds/*", challenge.decide),
    ]
    return [
        Route(method, tuple(path.strip("/").split("/")), operation, handler)
        for operation, (method, path), handler in (
            (name, where.split(" "), handler) for name, where, handler in table
        )
    ]


class Router:
    """Finds the route of a request."""

    def __init__(self, table: list[Route]) -> None:
        self._by_shape: dict[tuple[str, int], list[Route]] = {}
        for route in table:
            self._by_shape.setdefault((route.method, len(route.pattern)), []).append(route)
        self._table = table

    def find(self, request: Request) -> Route:
        """The route; the ids in the path are put into the request.

        Raises:
            ApiError: 404 or 405.
        """
        segments = tuple(request.path.strip("/").split("/"))
        for route in self._by_shape.get((request.method, len(segments)), []):
            if _matches(route.pattern, segments):
                pairs = zip(route.pattern, segments, strict=True)
                request.ids = tuple(segment for part, segment in pairs if part == "*")
                return route
        allowed = {route.method for route in self._table if _matches(route.pattern, segments)}
        if allowed:
            raise ApiError(
                f"{request.method} is not possible here.",
                code="method_not_allowed",
                status=405,
                headers={"Allow": ", ".join(sorted(allowed))},
            )
        raise ApiError(f"Nothing is at {request.path!r}.", code="path_unknown", status=404)


def _matches(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    return len(pattern) == len(segments) and all(
        part in ("*", segment) for part, segment in zip(pattern, segments, strict=True)
    )
