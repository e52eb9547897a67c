"""A bare REST framework endpoint: JSON checked by a serializer, three rows in one transaction, and nothing else."""

from typing import Any

from django.db import transaction
from django.urls import include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.benchmarks.bare.models import BareCheckout, BareOrder


class LineSerializer(serializers.Serializer[Any]):
    """One order."""

    payment_order_id = serializers.CharField(max_length=64)
    seller_account = serializers.CharField(max_length=64)
    amount = serializers.DecimalField(max_digits=19, decimal_places=4)
    currency = serializers.CharField(max_length=3)


class CheckoutSerializer(serializers.Serializer[Any]):
    """The same body that ours gets."""

    checkout_id = serializers.CharField(max_length=64)
    buyer_info = serializers.DictField()
    payment_orders = LineSerializer(many=True)


class BareView(APIView):
    """No authentication, no idempotency, no states, no books."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        """Insert three rows."""
        serializer = CheckoutSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        with transaction.atomic():
            checkout = BareCheckout.objects.create(checkout_id=data["checkout_id"], buyer=data["buyer_info"])
            for line in data["payment_orders"]:
                BareOrder.objects.create(
                    checkout=checkout,
                    order_id=line["payment_order_id"],
                    seller=line["seller_account"],
                    amount=line["amount"],
                    currency=line["currency"],
                )
        return Response({"id": checkout.pk}, status=201)


urlpatterns = [path("bare", BareView.as_view()), path("", include("paymentsite.urls"))]
