"""What the API refuses, and how it says so: `{"error": {type, code, message, param}}`."""

from typing import Any


class ApiError(Exception):
    """A refusal. Nothing was changed, nothing is stored under the idempotency key: the caller may correct and repeat."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 400,
        error_type: str = "invalid_request_error",
        param: str | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.error_type = error_type
        self.param = param
        self.headers = headers or {}
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        """The JSON answer."""
        error = {"type": self.error_type, "code": self.code, "message": self.message, "param": self.param}
        return {"error": error, **self.extra}


def missing(what: str, identifier: str) -> ApiError:
    """No such object (404)."""
    return ApiError(f"No {what} {identifier!r} here.", code="resource_missing", status=404, param="id")


def unexpected_state(what: str, status: str, wish: str) -> ApiError:
    """The object is in a state in which the wish makes no sense (400)."""
    return ApiError(f"A {what} that is {status} cannot be {wish}.", code=f"{what}_unexpected_state")
