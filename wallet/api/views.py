"""Reading wallets. Who may call is decided by the default classes of the settings, from `required_scopes`."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from wallet.api.problems import PROBLEM_JSON, ProblemSerializer
from wallet.api.serializers import SellerWalletsSerializer
from wallet.models import HolderKind
from wallet.services import find_holder, wallets_of

_EXAMPLE = OpenApiExample(
    "Wallets",
    value={
        "seller_account": "seller-7",
        "wallets": [
            {
                "currency": "EUR",
                "pending": {"amount": "90.00", "currency": "EUR"},
                "available": {"amount": "0.00", "currency": "EUR"},
                "reserved": {"amount": "0.00", "currency": "EUR"},
            }
        ],
    },
    response_only=True,
    status_codes=["200"],
)


class SellerWalletsView(APIView):
    """A seller's wallets."""

    required_scopes = {"GET": "sellers:read"}

    @extend_schema(
        operation_id="read_seller_wallets",
        tags=["sellers"],
        responses={
            200: SellerWalletsSerializer,
            (401, PROBLEM_JSON): OpenApiResponse(
                ProblemSerializer,
                description="`not_authenticated`, `authentication_failed`: no valid API key.",
            ),
            (403, PROBLEM_JSON): OpenApiResponse(
                ProblemSerializer, description="`permission_denied`: the API key lacks the scope."
            ),
            (404, PROBLEM_JSON): OpenApiResponse(
                ProblemSerializer, description="`seller_not_found`: there is no such seller."
            ),
        },
        examples=[_EXAMPLE],
    )
    def get(self, request: Request, seller_account: str) -> Response:
        """What a seller has in each currency: pending, available, reserved."""
        holder = find_holder(kind=HolderKind.SELLER, reference=seller_account)
        answer = {"seller_account": holder.reference, "wallets": wallets_of(holder.id)}
        return Response(SellerWalletsSerializer(answer).data)
