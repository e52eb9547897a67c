"""Where a shop says where it wants to hear its news, and looks after what was sent."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api.caller import calling_shop
from payments.api.schema import refusals
from payments.api.webhook_serializers import (
    DeliveryDetailSerializer,
    DeliveryPageSerializer,
    DeliverySerializer,
    EndpointChangeSerializer,
    EndpointListSerializer,
    EndpointSerializer,
    EndpointWithSecretSerializer,
    NewEndpointSerializer,
    RotationSerializer,
)
from payments.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from payments.representation import time_text
from payments.services import deliveries, endpoints

DELIVERIES_PER_PAGE = 100
SCOPES = {
    "GET": "webhooks:read",
    "POST": "webhooks:write",
    "PATCH": "webhooks:write",
    "DELETE": "webhooks:write",
}

NEW_ENDPOINT = OpenApiExample(
    "The end of payments only",
    request_only=True,
    value={
        "url": "https://shop.example.com/hooks/payments",
        "event_types": ["payment_order.succeeded", "payment_order.failed"],
    },
)


class EndpointsView(APIView):
    """The shop's webhook endpoints."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="register_webhook_endpoint",
        tags=["webhooks"],
        request=NewEndpointSerializer,
        responses={
            201: EndpointWithSecretSerializer,
            **refusals("webhook_url_refused", "too_many_webhook_endpoints", "try_again"),
        },
        examples=[NEW_ENDPOINT],
    )
    def post(self, request: Request) -> Response:
        """Have news sent to an address, signed as Standard Webhooks says. The answer shows the secret, this once.

        Every post makes another endpoint. Where the answer was lost, find it in the list and rotate its secret.
        """
        serializer = NewEndpointSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        endpoint, secret = endpoints.register_endpoint(
            shop=calling_shop(request), **serializer.validated_data
        )
        return Response({**_endpoint(endpoint), "secret": secret}, status=201)

    @extend_schema(
        operation_id="list_webhook_endpoints",
        tags=["webhooks"],
        responses={200: EndpointListSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """The enabled endpoints first, then the newest."""
        found = endpoints.list_endpoints(shop=calling_shop(request))
        return Response({"webhook_endpoints": [_endpoint(endpoint) for endpoint in found]})


class EndpointView(APIView):
    """One webhook endpoint."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="read_webhook_endpoint",
        tags=["webhooks"],
        responses={200: EndpointSerializer, **refusals("webhook_endpoint_not_found")},
    )
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """An endpoint, without its secrets."""
        return Response(
            _endpoint(endpoints.read_endpoint(shop=calling_shop(request), endpoint_id=endpoint_id))
        )

    @extend_schema(
        operation_id="change_webhook_endpoint",
        tags=["webhooks"],
        request=EndpointChangeSerializer,
        responses={
            200: EndpointSerializer,
            **refusals(
                "webhook_endpoint_not_found",
                "webhook_url_refused",
                "too_many_webhook_endpoints",
                "try_again",
            ),
        },
    )
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Change what is given and leave the rest."""
        serializer = EndpointChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        endpoint = endpoints.change_endpoint(
            shop=calling_shop(request), endpoint_id=endpoint_id, **serializer.validated_data
        )
        return Response(_endpoint(endpoint))

    @extend_schema(
        operation_id="disable_webhook_endpoint",
        tags=["webhooks"],
        responses={204: None, **refusals("webhook_endpoint_not_found", "try_again")},
    )
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """Send nothing more to it. What was sent stays to be read, and it can be enabled again."""
        endpoints.change_endpoint(shop=calling_shop(request), endpoint_id=endpoint_id, enabled=False)
        return Response(status=204)


class RotateSecretView(APIView):
    """A new secret for an endpoint."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="rotate_webhook_secret",
        tags=["webhooks"],
        request=RotationSerializer,
        responses={
            200: EndpointWithSecretSerializer,
            **refusals("webhook_endpoint_not_found", "too_many_webhook_secrets", "try_again"),
        },
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Make a new secret, shown this once. The older ones sign as well until the overlap is over."""
        serializer = RotationSerializer(data=request.data or {})
        serializer.is_valid(raise_exception=True)
        endpoint, secret = endpoints.rotate_secret(
            shop=calling_shop(request), endpoint_id=endpoint_id, overlap=serializer.overlap
        )
        return Response({**_endpoint(endpoint), "secret": secret})


class DeliveriesView(APIView):
    """What was sent to an endpoint."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="list_webhook_deliveries",
        tags=["webhooks"],
        parameters=[
            OpenApiParameter("status", str, enum=["pending", "delivered", "dead"]),
            OpenApiParameter("before", UUID, description="`next_before` of the page before."),
        ],
        responses={
            200: DeliveryPageSerializer,
            **refusals("webhook_endpoint_not_found", "webhook_delivery_not_found"),
        },
    )
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Up to 100 deliveries, newest first; delivered ones are kept for 30 days."""
        endpoint = endpoints.read_endpoint(shop=calling_shop(request), endpoint_id=endpoint_id)
        page = deliveries.list_deliveries(
            endpoint=endpoint,
            status=_status(request),
            before=_before(request),
            limit=DELIVERIES_PER_PAGE + 1,
        )
        more = len(page) > DELIVERIES_PER_PAGE
        page = page[:DELIVERIES_PER_PAGE]
        return Response(
            {
                "webhook_deliveries": [_delivery(delivery) for delivery in page],
                "next_before": str(page[-1].id) if more else None,
            }
        )


class DeliveryView(APIView):
    """One delivery."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="read_webhook_delivery",
        tags=["webhooks"],
        responses={200: DeliveryDetailSerializer, **refusals("webhook_delivery_not_found")},
    )
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """A delivery with its body and every call that was made."""
        delivery = deliveries.read_delivery(shop=calling_shop(request), delivery_id=delivery_id)
        calls = [
            {
                "started_at": time_text(call.started_at),
                "milliseconds": call.milliseconds,
                "response_code": call.response_code,
                "error": call.error_class or None,
                "detail": call.detail or None,
            }
            for call in delivery.tries_made.order_by("id")
        ]
        return Response({**_delivery(delivery), "body": deliveries.body_of(delivery), "calls": calls})


class ReplayDeliveryView(APIView):
    """Send something again."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="replay_webhook_delivery",
        tags=["webhooks"],
        request=None,
        responses={
            202: DeliverySerializer,
            **refusals(
                "webhook_delivery_not_found",
                "webhook_endpoint_disabled",
                "webhook_delivery_in_progress",
                "try_again",
            ),
        },
    )
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Send a delivery again, dead, delivered or waiting for its next try, under the same `webhook-id`."""
        delivery = deliveries.replay_delivery(shop=calling_shop(request), delivery_id=delivery_id)
        return Response(_delivery(delivery), status=202)


def _status(request: Request) -> str:
    status: str = request.query_params.get("status", "")
    if status and status not in (DeliveryStatus.PENDING, DeliveryStatus.DELIVERED, DeliveryStatus.DEAD):
        raise ValidationError({"status": [ErrorDetail("pending, delivered or dead.", "invalid_choice")]})
    return status


def _before(request: Request) -> UUID | None:
    text: str = request.query_params.get("before", "")
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise ValidationError({"before": [ErrorDetail("This is no delivery's id.", "invalid")]}) from error


def _endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": str(endpoint.id),
        "url": endpoint.url,
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "event_types": endpoint.event_types,
        "troubled_since": time_text(endpoint.troubled_since),
        "secrets": [
            {"created_at": time_text(secret.created_at), "expires_at": time_text(secret.expires_at)}
            for secret in endpoints.valid_secrets(endpoint)
        ],
        "created_at": time_text(endpoint.created_at),
    }


def _delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": str(delivery.id),
        "webhook_endpoint_id": str(delivery.endpoint_id),
        "event_type": delivery.outbox_event.event_type,
        "checkout_id": delivery.event.checkout_id,
        "status": delivery.status,
        "tries": delivery.tries,
        "last_response_code": delivery.last_response_code,
        "last_error": delivery.last_error or None,
        "created_at": time_text(delivery.created_at),
        "next_try_at": time_text(delivery.next_try_at),
        "delivered_at": time_text(delivery.delivered_at),
        "dead_at": time_text(delivery.dead_at),
    }
