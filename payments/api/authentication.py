"""Who is calling: an API key as a bearer token, and the scopes it was given."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from payments.models import ApiKey
from payments.services.shops import find_api_key

if TYPE_CHECKING:  # REST framework loads this module while it loads its views.
    from rest_framework.views import APIView


SHOPS_OWN = ("payments:", "webhooks:")
"""Scopes over what belongs to one shop: a company key, which has none, cannot use them."""


class ApiCaller:
    """What REST framework calls the user: the holder of an API key, which is no person and has no account."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.pk = key.pk

    def __str__(self) -> str:
        return str(self.key)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <API key>`."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not secret.isascii() or not 0 < len(secret.strip()) <= 128:
            raise AuthenticationFailed("Send the API key as `Authorization: Bearer <key>`.")
        key = find_api_key(secret.strip())
        if key is None:
            raise AuthenticationFailed("This API key does not exist, has expired or was revoked.")
        return ApiCaller(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="payments"'


class HasScope(BasePermission):
    """The key must have the scope that the view asks for: `required_scopes = {"GET": "payments:read"}`.

    A view that declares none for a method is closed, so that forgetting it harms nobody.
    """

    message = "This API key lacks the scope for this request."

    def has_permission(self, request: HttpRequest | Request, view: "APIView") -> bool:
        key = getattr(request, "auth", None)
        if not isinstance(key, ApiKey):
            return False
        method = "GET" if request.method in ("HEAD", "OPTIONS") else request.method
        scopes: dict[str, str] = getattr(view, "required_scopes", {})
        wanted = scopes.get(str(method))
        if wanted is None:
            if not hasattr(view, str(request.method).lower()):
                raise MethodNotAllowed(
                    str(request.method)
                )  # A key that lacks nothing should not hear of scopes.
            return False
        return wanted in key.scopes and (key.shop_id is not None or not wanted.startswith(SHOPS_OWN))
