"""Every error of the API as `application/problem+json` (RFC 9457).

A problem's `type` is `/problems/<code>`; `code` is what programs compare, `detail` is for people. Errors of
our apps are recognised by their `status_code` and `code`, so that no app needs to know this module.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import psycopg.errors
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils.http import parse_header_parameters
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

logger = logging.getLogger(__name__)

API_PREFIXES = ("/v1/", "/webhooks/")
"""Where programs call. People, elsewhere, get pages."""
CONTENT_TYPE = "application/problem+json"
MAX_ERRORS = 100
"""So that a hostile body cannot buy an answer many times its size."""
TRY_AGAIN_SECONDS = 1
UNAVAILABLE_SECONDS = 5

_COLLISIONS = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


class ProblemResponse(JsonResponse):
    """A problem document with its status; `retry_after` is in seconds."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        title: str = "",
        errors: list[dict[str, str]] | None = None,
        instance: str = "",
        retry_after: float | None = None,
        www_authenticate: str = "",
    ) -> None:
        problem: dict[str, Any] = {
            "type": f"/problems/{code}",
            "title": title or code.replace("_", " ").capitalize(),
            "status": status,
            "detail": detail,
            "code": code,
        }
        if instance:
            problem["instance"] = instance
        if errors:
            problem["errors"] = errors[:MAX_ERRORS]
        super().__init__(problem, status=status, content_type=CONTENT_TYPE)
        self["Cache-Control"] = "no-store"
        if retry_after is not None:
            self["Retry-After"] = str(max(1, round(retry_after)))
        if www_authenticate:
            self["WWW-Authenticate"] = www_authenticate


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """REST framework's hook: the problem that `exc` is, or None for a bug, which becomes a 500 and is
    reported.
    """
    problem = problem_of(exc)
    if problem is not None:
        set_rollback()
    return problem


def problem_of(exc: Exception) -> ProblemResponse | None:
    """The problem that `exc` is; None for a bug."""
    if isinstance(exc, exceptions.ValidationError):
        errors = list(field_errors(exc.detail))
        return ProblemResponse(
            status=exc.status_code,
            code="validation_error",
            title="The request is not valid",
            detail="; ".join(f"{error['field'] or 'body'}: {error['detail']}" for error in errors[:3]),
            errors=errors,
        )
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc)
    if isinstance(exc, OperationalError):
        return _of_database(exc)
    return _of_django(exc) or _of_app(exc)


def field_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Every error in a REST framework's nested `detail`, with its path (`payment_orders[0].amount`)."""
    if isinstance(detail, Mapping):
        for name, below in detail.items():
            yield from field_errors(below, _joined(path, name))
    elif isinstance(detail, list | tuple):
        for index, item in enumerate(detail):
            nested = isinstance(item, Mapping | list | tuple)
            yield from field_errors(item, f"{path}[{index}]" if nested else path)
    else:
        yield {"field": path, "code": str(getattr(detail, "code", None) or "invalid"), "detail": str(detail)}


def _joined(path: str, name: object) -> str:
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return path
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else str(name)


def _of_framework(exc: exceptions.APIException) -> ProblemResponse:
    detail = exc.detail
    code = getattr(detail, "code", None) or exc.default_code
    return ProblemResponse(
        status=exc.status_code,
        code=str(code),
        detail=str(detail),
        retry_after=getattr(exc, "wait", None) or getattr(exc, "retry_after", None),
        www_authenticate=getattr(exc, "auth_header", None) or "",
    )


def _of_database(exc: OperationalError) -> ProblemResponse:
    """Rolled back because somebody else holds the lock, or the database is away."""
    if isinstance(exc.__cause__, _COLLISIONS):
        return ProblemResponse(
            status=409,
            code="try_again",
            detail="Another request is working on the same thing. Nothing was changed; send this one again.",
            retry_after=TRY_AGAIN_SECONDS,
        )
    logger.error("The database did not answer", exc_info=exc)
    return ProblemResponse(
        status=503,
        code="unavailable",
        detail="The outcome is not known. Send the same request again, under the same ids.",
        retry_after=UNAVAILABLE_SECONDS,
    )


def _of_django(exc: Exception) -> ProblemResponse | None:
    if isinstance(exc, Http404):
        return ProblemResponse(status=404, code="not_found", detail="There is nothing at this address.")
    if isinstance(exc, PermissionDenied):
        return ProblemResponse(status=403, code="permission_denied", detail="This is not allowed.")
    if isinstance(exc, RequestDataTooBig):
        return ProblemResponse(status=413, code="body_too_large", detail="The body is too large.")
    if isinstance(exc, UnicodeDecodeError):
        return ProblemResponse(status=400, code="invalid_utf8", detail="The request is not UTF-8.")
    if isinstance(exc, UnreadablePostError):
        return ProblemResponse(
            status=400, code="unreadable_body", detail="The body could not be read to its end."
        )
    if isinstance(exc, SuspiciousOperation):
        return ProblemResponse(status=400, code="bad_request", detail="The request cannot be understood.")
    return None


def _of_app(exc: Exception) -> ProblemResponse | None:
    """An error of ours: a class with `status_code` and `code`; `field`, `errors`, `retry_after` where they
    help.
    """
    status, code = getattr(exc, "status_code", None), getattr(exc, "code", None)
    if not isinstance(status, int) or not 400 <= status <= 599 or not isinstance(code, str):
        return None
    detail = str(exc)
    errors = [
        {"field": error.field, "code": error.code, "detail": error.detail}
        for error in getattr(exc, "errors", ())
    ]
    if not errors and (field := getattr(exc, "field", None)):
        errors = [{"field": field, "code": code, "detail": detail}]
    return ProblemResponse(
        status=status,
        code=code,
        title=getattr(exc, "title", ""),
        detail=detail,
        errors=errors,
        instance=getattr(exc, "instance", ""),
        retry_after=getattr(exc, "retry_after", None),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400`: what Django refuses before any view, such as a wrong host."""
    if _is_api(request):
        return _of_django(exception) or ProblemResponse(
            status=400, code="bad_request", detail="The request cannot be understood."
        )
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler403`."""
    if _is_api(request):
        return ProblemResponse(status=403, code="permission_denied", detail="This is not allowed.")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`: an address that no view has."""
    if _is_api(request):
        return ProblemResponse(status=404, code="not_found", detail="There is nothing at this address.")
    return defaults.page_not_found(request, exception)


@csrf_exempt  # Whoever posts to a wrong address is told so, and not that a cookie is missing.
def no_such_address(request: HttpRequest) -> HttpResponse:
    """What programs find at any address of the API that no view has."""
    return ProblemResponse(status=404, code="not_found", detail="There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: a bug. The answer says nothing about it; the log does."""
    if _is_api(request):
        return ProblemResponse(
            status=500,
            code="internal_error",
            detail="Something is wrong on our side. Send the same request again, under the same ids.",
        )
    return defaults.server_error(request)


def refuse_unreadable_content_type(application: WSGIApplication) -> WSGIApplication:
    """`application` behind a guard against a Content-Type header that Django falls over.

    `charset*=bogus''x` fails while Django makes the request, `charset=zlib` when it decodes the query: both
    before any handler of errors, so the caller would see a bare 500.
    """

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _is_readable(environ.get("CONTENT_TYPE", "")):
            return application(environ, start_response)
        problem = ProblemResponse(
            status=415, code="unsupported_media_type", detail="The Content-Type header cannot be read."
        )
        start_response(f"{problem.status_code} {problem.reason_phrase}", list(problem.items()))
        return [problem.content]

    return guarded


def _is_readable(content_type: str) -> bool:
    try:
        charset = parse_header_parameters(content_type)[1].get("charset", "utf-8")
        return "a".encode(charset).decode(charset) == "a"
    except (LookupError, ValueError):
        return False


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIXES)
