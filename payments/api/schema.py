"""What the OpenAPI schema says beside the shapes: how to authenticate, and what each address may refuse."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiResponse

from ledger import errors as ledger_errors
from ledger.errors import MoneyError
from payments import errors as payment_errors
from payments.errors import PaymentError
from wallet import errors as wallet_errors
from wallet.api.problems import ProblemSerializer
from wallet.errors import WalletError

_COMMON = {
    400: "The body or a header has a wrong shape; `errors` names each field.",
    401: "`not_authenticated`, `authentication_failed`: no API key, or not a living one.",
    403: "`permission_denied`: the API key lacks the scope.",
}


def _by_code() -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {
        "try_again": (409, "The same request is still being worked on; see Retry-After.")
    }
    roots = ((payment_errors, PaymentError), (wallet_errors, WalletError), (ledger_errors, MoneyError))
    for module, root in roots:
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, root) and item is not root:
                detail = getattr(item, "default_detail", "") or str(item.__doc__).partition("\n")[0]
                found[item.code] = (item.status_code, detail)
    return found


def refusals(*codes: str) -> dict[tuple[int, str], Any]:
    """Responses for the schema: the common ones and those with these codes, grouped by HTTP status."""
    by_code = _by_code()
    texts: dict[int, list[str]] = {status: [text] for status, text in _COMMON.items()}
    for code in codes:
        status, detail = by_code[code]
        texts.setdefault(status, []).append(f"`{code}`: {detail}")
    return {
        (status, "application/problem+json"): OpenApiResponse(
            ProblemSerializer, description="\n\n".join(lines)
        )
        for status, lines in sorted(texts.items())
    }


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI schema describes it."""

    target_class = "payments.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, shown once when it was made."}
