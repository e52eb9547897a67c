"""The shop's doors. A view parses, calls one service and renders."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api import examples
from payments.api.caller import calling_shop, idempotency_key
from payments.api.schema import refusals
from payments.api.serializers import (
    CheckoutSerializer,
    NewPaymentSerializer,
    NewSellerSerializer,
    OrderDetailSerializer,
    SellerPageSerializer,
    SellerSerializer,
)
from payments.representation import order_detail, time_text
from payments.services import checkouts, sellers
from wallet.models import AccountHolder

SELLERS_PER_PAGE = 100


class PaymentsView(APIView):
    """Create a checkout with its payment orders, and have it paid."""

    required_scopes = {"POST": "payments:write"}

    @extend_schema(
        operation_id="create_payment",
        tags=["payments"],
        request=NewPaymentSerializer,
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="Optional, because `checkout_id` already makes the request safe to repeat. The same key "
                "replays its stored answer, with `Idempotency-Replayed: true`.",
            )
        ],
        responses={
            201: CheckoutSerializer,
            200: CheckoutSerializer,
            **refusals(
                "unknown_seller",
                "seller_frozen",
                "payment_method_not_supported",
                "amount_not_supported",
                "charge_mode_not_supported",
                "capture_not_supported",
                "checkout_differs",
                "payment_order_exists",
                "idempotency_key_reused",
                "try_again",
            ),
        },
        examples=[examples.NEW_PAYMENT, examples.CHECKOUT],
    )
    def post(self, request: Request) -> Response:
        """Create a checkout. 201 when it is new, 200 with its latest status when the same one is posted again."""
        key = idempotency_key(request)
        serializer = NewPaymentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        answer = checkouts.create_checkout(
            shop=calling_shop(request), new=serializer.checkout(), idempotency_key=key
        )
        headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
        return Response(answer.body, status=answer.status_code, headers=headers)


class PaymentView(APIView):
    """One payment order."""

    required_scopes = {"GET": "payments:read"}

    @extend_schema(
        operation_id="read_payment",
        tags=["payments"],
        responses={200: OrderDetailSerializer, **refusals("payment_order_not_found")},
        examples=[examples.ORDER],
    )
    def get(self, request: Request, payment_order_id: str) -> Response:
        """A payment order as it is now, with its buyer and seller."""
        order = checkouts.read_order(shop=calling_shop(request), payment_order_id=payment_order_id)
        return Response(order_detail(order))


class CheckoutView(APIView):
    """One checkout."""

    required_scopes = {"GET": "payments:read"}

    @extend_schema(
        operation_id="read_checkout",
        tags=["payments"],
        responses={200: CheckoutSerializer, **refusals("checkout_not_found")},
        examples=[examples.CHECKOUT],
    )
    def get(self, request: Request, checkout_id: str) -> Response:
        """A checkout with all its payment orders as they are now."""
        return Response(checkouts.read_checkout(shop=calling_shop(request), checkout_id=checkout_id))


class SellersView(APIView):
    """The company's sellers."""

    required_scopes = {"POST": "sellers:write", "GET": "sellers:read"}

    @extend_schema(
        operation_id="open_seller",
        tags=["sellers"],
        request=NewSellerSerializer,
        responses={
            201: SellerSerializer,
            200: SellerSerializer,
            **refusals("holder_exists", "seller_differs"),
        },
        examples=[examples.NEW_SELLER, examples.SELLER],
    )
    def post(self, request: Request) -> Response:
        """Open a seller. The same content again answers 200 and changes nothing; other content is refused."""
        serializer = NewSellerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        seller, created = sellers.open_seller(**serializer.validated_data)
        return Response(_seller(seller), status=201 if created else 200)

    @extend_schema(
        operation_id="list_sellers",
        tags=["sellers"],
        parameters=[
            OpenApiParameter("after", str, description="The last seller_account of the page before.")
        ],
        responses={200: SellerPageSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """Up to 100 sellers in the order of their accounts."""
        after = request.query_params.get("after", "")
        if len(after) > 64 or not after.isprintable():
            raise ValidationError({"after": [ErrorDetail("This is no seller_account.", "invalid")]})
        page = sellers.list_sellers(after=after, limit=SELLERS_PER_PAGE + 1)
        more = len(page) > SELLERS_PER_PAGE
        page = page[:SELLERS_PER_PAGE]
        return Response(
            {
                "sellers": [_seller(seller) for seller in page],
                "next_after": page[-1].reference if more else None,
            }
        )


class SellerView(APIView):
    """One seller."""

    required_scopes = {"GET": "sellers:read"}

    @extend_schema(
        operation_id="read_seller",
        tags=["sellers"],
        responses={200: SellerSerializer, **refusals("seller_not_found")},
        examples=[examples.SELLER],
    )
    def get(self, request: Request, seller_account: str) -> Response:
        """A seller with its terms."""
        return Response(_seller(sellers.read_seller(seller_account)))


def _seller(seller: AccountHolder) -> dict[str, Any]:
    return {
        "seller_account": seller.reference,
        "name": seller.name,
        "email": seller.email,
        "country": seller.country,
        "kyc_status": seller.kyc_status,
        "frozen": seller.frozen,
        "commission_rate": f"{seller.terms.commission_rate.normalize():f}",
        "created_at": time_text(seller.created_at),
    }
