"""What the faults make of an answer: none, half of one, another one."""

from sandbox_psp.config import Timing
from sandbox_psp.errors import ApiError
from sandbox_psp.http import Response, refusal
from sandbox_psp.idempotency import in_use
from sandbox_psp.work import Fault

_HTML = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


def instead_of(fault: Fault, timing: Timing) -> Response:
    """The answer to a request that is not carried out (or, for error_500_charged, not admitted)."""
    if fault.kind == "timeout_before":
        return Response(hang_up="close", hang_seconds=_hang_seconds(fault, timing))
    if fault.kind == "reset_before":
        return Response(hang_up="reset")
    if fault.kind == "in_progress_409":
        return refusal(in_use())
    if fault.kind == "rate_limited_429":
        return refusal(
            ApiError(
                "Too many requests.",
                code="rate_limited",
                status=429,
                error_type="rate_limit_error",
                headers={"Retry-After": f"{fault.params['retry_after']:g}"},
            )
        )
    if fault.kind == "outage":
        if fault.params["mode"] == "close":
            return Response(hang_up="close")
        return refusal(
            ApiError("The service is down.", code="service_unavailable", status=503, error_type="api_error")
        )
    return refusal(ApiError("Something went wrong.", code="api_error", status=500, error_type="api_error"))


def spoil(response: Response, fault: Fault, timing: Timing) -> Response:
    """A good answer that does not arrive well."""
    if fault.kind == "timeout_after":
        return Response(hang_up="close", hang_seconds=_hang_seconds(fault, timing))
    if fault.kind in ("reset", "reset_after"):
        return Response(hang_up="reset")
    if fault.kind == "truncated":
        response.body = response.body[: len(response.body) // 2]
        return response
    if fault.kind == "cut_off":
        response.hang_up = "cut"
        return response
    return Response(body=_HTML, content_type="text/html; charset=utf-8")


def _hang_seconds(fault: Fault, timing: Timing) -> float:
    own = fault.params.get("hang_seconds")
    return timing.hang_seconds if own is None else float(own)
