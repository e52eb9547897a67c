"""Every error of the API is a problem document, whoever raised it."""

import json
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.test import Client
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import exceptions, serializers
from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger import money
from ledger.errors import MoneyError
from paymentsite.problems import MAX_ERRORS, field_errors, refuse_unreadable_content_type
from wallet.api.fields import CallerIdField, StrictBooleanField, StrictCharField, StrictSerializer
from wallet.api.parsers import MAX_BODY_BYTES
from wallet.errors import SellerNotFound, WalletError

pytestmark = pytest.mark.urls("tests.test_problems")

raise_in_view: Callable[[], Any]
"""What the view at /v1/raise does; each test says it."""


class Line(StrictSerializer):
    amount = StrictCharField(trim_whitespace=False)
    note = StrictCharField(required=False)

    def validate_amount(self, value: str) -> Any:
        try:
            return money.parse_amount(value, "EUR")
        except MoneyError as error:
            raise serializers.ValidationError(str(error), error.code) from error


class Order(StrictSerializer):
    name = CallerIdField()
    gift = StrictBooleanField(required=False)
    lines = Line(many=True)


class RaisingView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        raise_in_view()
        return Response({})


class OrderView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        order = Order(data=request.data)
        order.is_valid(raise_exception=True)
        return Response({"lines": len(order.validated_data["lines"])})


class PrivateView(APIView):
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({})


def page(request: HttpRequest) -> HttpResponse:
    raise_in_view()
    return HttpResponse("page")


urlpatterns = [
    path("v1/raise", RaisingView.as_view()),
    path("v1/orders", OrderView.as_view()),
    path("v1/private", PrivateView.as_view()),
    path("v1/page", page),
    path("page", page),
]
handler400 = "paymentsite.problems.bad_request"
handler403 = "paymentsite.problems.permission_denied"
handler404 = "paymentsite.problems.page_not_found"
handler500 = "paymentsite.problems.server_error"


@pytest.fixture
def api() -> Client:
    """A client that gets the 500 instead of the exception."""
    return Client(raise_request_exception=False)


def raising(error: Exception) -> None:
    """Let the views raise `error`."""

    def call() -> None:
        raise error

    global raise_in_view
    raise_in_view = call


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document in `response`, which must be whole."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(response.content)
    assert found["status"] == status
    assert found["code"] == code
    assert found["type"] == f"/problems/{code}"
    assert found["title"]
    assert found["detail"]
    return found


def caused_by(cause: Exception) -> OperationalError:
    """The error that Django makes of one of psycopg's."""
    error = OperationalError("no")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (exceptions.ParseError(), 400, "parse_error"),
        (exceptions.ParseError("x", "malformed_json"), 400, "malformed_json"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/csv"), 415, "unsupported_media_type"),
        (exceptions.Throttled(), 429, "throttled"),
        (exceptions.APIException(), 500, "error"),
        (Http404("secret"), 404, "not_found"),
        (PermissionDenied("secret"), 403, "permission_denied"),
        (SuspiciousOperation("secret"), 400, "bad_request"),
        (RequestDataTooBig("secret"), 413, "body_too_large"),
        (UnreadablePostError("secret"), 400, "unreadable_body"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret"), 400, "invalid_utf8"),
        (SellerNotFound(), 404, "seller_not_found"),
        (caused_by(psycopg.errors.LockNotAvailable("secret")), 409, "try_again"),
        (caused_by(psycopg.errors.DeadlockDetected("secret")), 409, "try_again"),
        (caused_by(psycopg.errors.SerializationFailure("secret")), 409, "try_again"),
        (caused_by(psycopg.errors.AdminShutdown("secret")), 503, "unavailable"),
        (OperationalError("secret"), 503, "unavailable"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
        (SystemError("secret"), 500, "internal_error"),
    ],
)
def test_every_error_is_a_problem(api: Client, error: Exception, status: int, code: str) -> None:
    raising(error)
    assert "secret" not in str(problem(api.get("/v1/raise"), status, code))


def test_a_caller_without_credentials_is_told_how(api: Client) -> None:
    response = api.get("/v1/private")
    problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Token"
    response = api.get("/v1/private", headers={"Authorization": "Token a b c"})
    problem(response, 401, "authentication_failed")


def test_a_wrong_method_is_told_the_right_ones(api: Client) -> None:
    response = api.put("/v1/orders")
    problem(response, 405, "method_not_allowed")
    assert "POST" in response["Allow"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (exceptions.Throttled(wait=12.3), "13"),
        (exceptions.Throttled(wait=0.01), "1"),
        (caused_by(psycopg.errors.LockNotAvailable()), "1"),
        (OperationalError(), "5"),
    ],
)
def test_who_shall_come_again_is_told_when(api: Client, error: Exception, seconds: str) -> None:
    raising(error)
    assert api.get("/v1/raise")["Retry-After"] == seconds


def test_an_error_of_ours_may_name_its_field_and_when_to_come_again(api: Client) -> None:
    class Busy(WalletError):
        status_code = 409
        code = "busy"
        default_detail = "Somebody is working on it."
        retry_after = 2

    raising(Busy(field="payment_orders[1].seller_account"))
    response = api.get("/v1/raise")
    assert problem(response, 409, "busy")["errors"] == [
        {"field": "payment_orders[1].seller_account", "code": "busy", "detail": "Somebody is working on it."}
    ]
    assert response["Retry-After"] == "2"


def test_an_exception_that_only_looks_like_ours_is_a_bug(api: Client) -> None:
    class Foreign(Exception):
        status_code = "404"
        code = 7

    raising(Foreign("secret"))
    problem(api.get("/v1/raise"), 500, "internal_error")


@pytest.mark.django_db(transaction=True)
def test_a_row_that_stays_locked_means_try_again(api: Client) -> None:
    parameters = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in ("host", "port", "user", "password", "dbname")
    }

    def wait_for_it() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            cursor.execute("LOCK TABLE wallet_wallet IN SHARE MODE")

    global raise_in_view
    raise_in_view = wait_for_it
    with psycopg.connect(**parameters) as other:
        other.execute("LOCK TABLE wallet_wallet IN ACCESS EXCLUSIVE MODE")
        response = api.get("/v1/raise")
    problem(response, 409, "try_again")
    assert response["Retry-After"] == "1"
    assert api.get("/v1/raise").status_code == 200


def test_outside_the_views_of_the_api_too(api: Client) -> None:
    problem(api.get("/v1/nothing-here"), 404, "not_found")
    problem(api.get("/webhooks/nothing/here"), 404, "not_found")
    problem(api.get("/v1/nul%00"), 404, "not_found")
    problem(api.get("/v1/page", headers={"host": "evil.example"}), 400, "bad_request")
    for error, status, code in (
        (Http404("secret"), 404, "not_found"),
        (PermissionDenied("secret"), 403, "permission_denied"),
        (SuspiciousOperation("secret"), 400, "bad_request"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
    ):
        raising(error)
        assert "secret" not in str(problem(api.get("/v1/page"), status, code))


@pytest.mark.parametrize(
    ("error", "status"),
    [(Http404(), 404), (PermissionDenied(), 403), (SuspiciousOperation(), 400), (ZeroDivisionError(), 500)],
)
def test_people_get_pages(api: Client, error: Exception, status: int) -> None:
    raising(error)
    response = api.get("/page")
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")


def post(api: Client, body: Any, content_type: str = "application/json") -> Any:
    """Post `body` (bytes as they are, anything else as JSON) to the orders."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.post("/v1/orders", data, content_type=content_type)


def order(**changes: Any) -> dict[str, Any]:
    """A good order, changed."""
    return {"name": "order-1", "lines": [{"amount": "12.50"}], **changes}


def errors_of(response: Any) -> dict[str, str]:
    """Field and code of each error of an invalid request."""
    return {error["field"]: error["code"] for error in problem(response, 400, "validation_error")["errors"]}


def test_a_good_order_is_taken(api: Client) -> None:
    assert post(api, order()).json() == {"lines": 1}
    assert post(api, order(), "application/json; charset=utf-8").status_code == 200


def test_all_errors_are_named_with_their_paths(api: Client) -> None:
    body = order(
        name="4242424242424242",
        nmae=1,
        gift="yes",
        lines=[{"amount": "1.00"}, {"amount": 1.5, "note": "a\tb", "x": 1}, {}, "line"],
    )
    assert errors_of(post(api, body)) == {
        "name": "bare_digits",
        "nmae": "unknown_field",
        "gift": "invalid",
        "lines[1].amount": "not_a_string",
        "lines[1].note": "control_character",
        "lines[1].x": "unknown_field",
        "lines[2].amount": "required",
        "lines[3]": "invalid",
    }


@pytest.mark.parametrize(
    "amount",
    [
        1,
        12.5,
        10**19,
        True,
        None,
        [],
        {},
        "",
        " ",
        "1,00",
        "1.000,00",
        "1 000",
        "1_000",
        "+1",
        "1e3",
        "1e308",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "\uff11\uff12",  # full-width digits
        "\u0661\u0662",  # Arabic digits
        "12.345",
        "10000000000000000000",
        "9" * 5000,
        ".5",
        "5.",
        "01",
        "١٢",
        "1\u200b2",
        "12\u00a0",
        "true",
    ],
)
def test_what_is_no_amount_is_refused_by_name(api: Client, amount: Any) -> None:
    assert set(errors_of(post(api, order(lines=[{"amount": amount}])))) == {"lines[0].amount"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (rb'{"name": "a\u0000", "lines": []}', "name"),
        (rb'{"name": "a", "lines": [{"amount": "\ud800"}]}', "lines[0].amount"),
        (rb'{"name": "a", "lines": [{"amount": "1", "amount": "2"}]}', "lines[0].amount"),
        (rb'{"name": "a", "name": "a", "lines": []}', "name"),
    ],
)
def test_what_two_readers_may_understand_differently_is_refused_by_name(
    api: Client, body: bytes, field: str
) -> None:
    assert set(errors_of(post(api, body))) == {field}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "validation_error"),
        (b"{", 400, "malformed_json"),
        (b'{"name": NaN}', 400, "malformed_json"),
        (b'{"name": 1e308}', 400, "number_out_of_range"),
        (b"[]", 400, "not_an_object"),
        (b"null", 400, "not_an_object"),
        ('{"name": "é"}'.encode("latin-1"), 400, "invalid_utf8"),
        (b'{"a":' * 60_000, 413, "body_too_large"),
        (b'{"a":' * 40_000, 400, "too_deep"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "body_too_large"),
        (b"x" * 5_000_000, 413, "body_too_large"),
    ],
)
def test_a_body_that_is_no_object_is_a_problem(api: Client, body: bytes, status: int, code: str) -> None:
    problem(post(api, body), status, code)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=latin-1",
        "nonsense",
        "\u00e9",
    ],
)
def test_another_content_type_is_refused(api: Client, content_type: str) -> None:
    problem(post(api, order(), content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset*=bogus''utf-8",
        "application/json; charset=zlib",
        "application/json; charset=nonsense",
    ],
)
def test_a_content_type_that_django_falls_over_is_refused_before_django(content_type: str) -> None:
    def never(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("not reached")

    environ: dict[str, Any] = {"CONTENT_TYPE": content_type}
    setup_testing_defaults(environ)
    started: list[Any] = []
    body = b"".join(refuse_unreadable_content_type(never)(environ, lambda *given: started.append(given)))  # type: ignore[arg-type]
    ((status, headers),) = started
    assert status == "415 Unsupported Media Type"
    assert dict(headers)["Content-Type"] == "application/problem+json"
    assert json.loads(body)["code"] == "unsupported_media_type"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json; charset=latin-1", "a/b; c=d"])
def test_every_other_content_type_reaches_django(content_type: str) -> None:
    environ: dict[str, Any] = {"CONTENT_TYPE": content_type}
    assert refuse_unreadable_content_type(lambda *_: [b"reached"])(environ, None) == [b"reached"]  # type: ignore[arg-type]


def test_a_hostile_body_does_not_buy_an_endless_answer(api: Client) -> None:
    response = post(api, {f"field-{number}": 1 for number in range(5000)})
    assert len(problem(response, 400, "validation_error")["errors"]) == MAX_ERRORS


@given(body=st.binary(max_size=200))
def test_no_bytes_end_in_a_500(body: bytes) -> None:
    response = post(Client(), body)
    assert 400 <= response.status_code < 500
    assert response["Content-Type"] == "application/problem+json"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.characters(categories=["Cs", "Cc"]),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text() | st.just("amount"), below, max_size=3)
    ),
    max_leaves=12,
)


@given(name=JSON, lines=JSON | st.lists(st.fixed_dictionaries({"amount": JSON})), more=JSON)
def test_no_json_ends_in_a_500(name: Any, lines: Any, more: Any) -> None:
    response = post(Client(), {"name": name, "lines": lines, "gift": more})
    assert 200 <= response.status_code < 500
    if response.status_code != 200:
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        (["no"], {"": "invalid"}),
        ({"a": ["no"]}, {"a": "invalid"}),
        ({"non_field_errors": ["no"]}, {"": "invalid"}),
        ({"a": {"non_field_errors": ["no"]}}, {"a": "invalid"}),
        ({"a": [{}, {"b": ["no"]}]}, {"a[1].b": "invalid"}),
        ({"a": {1: {"b": ["no"]}}}, {"a[1].b": "invalid"}),
        ({"a": {0: ["no"], 2: ["no"]}}, {"a[0]": "invalid", "a[2]": "invalid"}),
        ({"a": [["no"], ["no"]]}, {"a[0]": "invalid", "a[1]": "invalid"}),
    ],
)
def test_paths_are_found_in_every_shape_of_the_framework(detail: Any, expected: dict[str, str]) -> None:
    found = list(field_errors(exceptions.ValidationError(detail).detail))
    assert {error["field"]: error["code"] for error in found} == expected
