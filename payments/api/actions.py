"""What a shop may ask of a checkout that exists: capture, cancel, pay in another way."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api.caller import calling_shop, idempotency_key
from payments.api.schema import refusals
from payments.api.serializers import (
    CaptureSerializer,
    CheckoutCaptureSerializer,
    CheckoutSerializer,
    NewAttemptSerializer,
    OrderDetailSerializer,
)
from payments.representation import order_detail
from payments.services import checkouts
from payments.services.another_attempt import request_attempt
from payments.services.cancellations import cancel_checkout, cancel_order
from payments.services.captures import CaptureWish, request_capture

CAPTURE_REFUSALS = (
    "not_authorized",
    "payment_in_progress",
    "capture_together",
    "capture_exceeds_order",
    "invalid_amount",
    "too_many_decimals",
    "amount_too_large",
    "try_again",
)


class CaptureView(APIView):
    """Take reserved money for one order."""

    required_scopes = {"POST": "payments:write"}

    @extend_schema(
        operation_id="capture_payment",
        tags=["payments"],
        request=CaptureSerializer,
        responses={202: OrderDetailSerializer, **refusals("payment_order_not_found", *CAPTURE_REFUSALS)},
    )
    def post(self, request: Request, payment_order_id: str) -> Response:
        """Capture an authorised order, all of it or a part; the rest is released. Repeating it does no harm."""
        serializer = CaptureSerializer(data=request.data or {})
        serializer.is_valid(raise_exception=True)
        orders = request_capture(
            shop=calling_shop(request),
            wishes=[CaptureWish(payment_order_id, serializer.validated_data.get("amount"))],
        )
        return Response(order_detail(orders[0]), status=202)


class CheckoutCaptureView(APIView):
    """Take reserved money for several orders at once."""

    required_scopes = {"POST": "payments:write"}

    @extend_schema(
        operation_id="capture_checkout",
        tags=["payments"],
        request=CheckoutCaptureSerializer,
        responses={
            202: CheckoutSerializer,
            **refusals("checkout_not_found", "payment_order_not_found", *CAPTURE_REFUSALS),
        },
    )
    def post(self, request: Request, checkout_id: str) -> Response:
        """Capture orders that were authorised together, in one call to the PSP."""
        serializer = CheckoutCaptureSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        shop = calling_shop(request)
        checkouts.read_checkout(shop=shop, checkout_id=checkout_id)
        request_capture(
            shop=shop,
            wishes=[
                CaptureWish(line["payment_order_id"], line.get("amount"))
                for line in serializer.validated_data["payment_orders"]
            ],
        )
        return Response(checkouts.read_checkout(shop=shop, checkout_id=checkout_id), status=202)


class CancelView(APIView):
    """Call off one order."""

    required_scopes = {"POST": "payments:write"}

    @extend_schema(
        operation_id="cancel_payment",
        tags=["payments"],
        request=None,
        responses={
            202: OrderDetailSerializer,
            **refusals(
                "payment_order_not_found",
                "not_cancelable",
                "cancel_together",
                "payment_in_progress",
                "try_again",
            ),
        },
    )
    def post(self, request: Request, payment_order_id: str) -> Response:
        """Cancel an order that is not paid. It is FAILED with `canceled` once the PSP has confirmed that."""
        order = cancel_order(shop=calling_shop(request), payment_order_id=payment_order_id)
        return Response(order_detail(order), status=202)


class CheckoutCancelView(APIView):
    """Call off a checkout."""

    required_scopes = {"POST": "payments:write"}

    @extend_schema(
        operation_id="cancel_checkout",
        tags=["payments"],
        request=None,
        responses={
            202: CheckoutSerializer,
            **refusals("checkout_not_found", "not_cancelable", "payment_in_progress", "try_again"),
        },
    )
    def post(self, request: Request, checkout_id: str) -> Response:
        """Cancel every order that is not paid, and close the checkout to new attempts."""
        shop = calling_shop(request)
        cancel_checkout(shop=shop, checkout_id=checkout_id)
        return Response(checkouts.read_checkout(shop=shop, checkout_id=checkout_id), status=202)


class AttemptsView(APIView):
    """Pay a checkout in another way."""

    required_scopes = {"POST": "payments:write"}

    @extend_schema(
        operation_id="create_attempt",
        tags=["payments"],
        request=NewAttemptSerializer,
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                required=True,
                description="The same key replays its stored answer, with `Idempotency-Replayed: true`.",
            )
        ],
        responses={
            201: CheckoutSerializer,
            **refusals(
                "checkout_not_found",
                "checkout_closed",
                "attempt_open",
                "risk_check_open",
                "payment_in_progress",
                "payment_method_not_supported",
                "amount_not_supported",
                "charge_mode_not_supported",
                "capture_not_supported",
                "idempotency_key_reused",
                "try_again",
            ),
        },
    )
    def post(self, request: Request, checkout_id: str) -> Response:
        """Charge what is open of a checkout that was created without a payment method."""
        key = idempotency_key(request, required=True)
        serializer = NewAttemptSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        method, token = serializer.method_and_token()
        answer = request_attempt(
            shop=calling_shop(request),
            checkout_id=checkout_id,
            method=method,
            token=token,
            idempotency_key=key,
        )
        headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
        return Response(answer.body, status=answer.status_code, headers=headers)
