"""The shape of requests and answers. Anything that is not exactly this is refused, with the field's name."""

import ipaddress
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from ledger import money
from ledger.errors import MoneyError
from payments.models import ChargeMode
from payments.services.checkouts import NewCheckout, NewOrder
from payments.states import OrderStatus, PendingReason
from wallet.api.fields import (
    CallerIdField,
    CountryField,
    PatternField,
    PhoneField,
    StrictCharField,
    StrictChoiceField,
    StrictEmailField,
    StrictIntegerField,
    StrictSerializer,
)

MOST_ORDERS = 100
"""Orders in one checkout."""


@extend_schema_field({"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,4})?$"})
class AmountField(StrictCharField):
    """An amount as a string in major units, never a number: `"12.50"`."""


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{3}$"})
class CurrencyField(PatternField):
    """ISO 4217, in capitals."""

    pattern = "[A-Z]{3}"
    default_error_messages = {"invalid": "Three capital letters (ISO 4217), such as EUR."}


@extend_schema_field({"type": "string", "pattern": r"^[0-9](\.[0-9]{1,5})?$"})
class RateField(PatternField):
    """A share as a string: `"0.10"` is ten percent."""

    pattern = r"0(\.[0-9]{1,5})?|1(\.0{1,5})?"
    default_error_messages = {"invalid": 'A share between "0" and "1" with at most five decimals.'}


class TokenField(PatternField):
    """A token that the PSP made; a card number is refused."""

    pattern = r"[\x21-\x7e]{1,255}"
    default_error_messages = {"invalid": "1 to 255 printable ASCII characters without blanks."}


@extend_schema_field({"type": "string", "pattern": "^[0-9]{4}$"})
class Last4Field(PatternField):
    """The last four digits of a card."""

    pattern = "[0-9]{4}"
    default_error_messages = {"invalid": "Four digits."}


@extend_schema_field({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
class IpAddressField(StrictCharField):
    """An IPv4 or IPv6 address, kept in its shortest form; IPv4 inside IPv6 as IPv4."""

    default_error_messages = {"invalid": "This is no IP address."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=45, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            if "%" in text:  # A zone means something on one host only.
                raise ValueError(text)
            address = ipaddress.ip_address(text)
        except ValueError:
            self.fail("invalid")
        return str(getattr(address, "ipv4_mapped", None) or address)

    def refuse_card_number(self, text: str) -> None:
        """What is parsed as an address is none."""


class BuyerInfoSerializer(StrictSerializer):
    """Who pays. At least one of `buyer_id`, `email` and `phone`, so that one buyer's payments can be added up."""

    buyer_id = CallerIdField(required=False, help_text="The shop's own id of the buyer.")
    name = StrictCharField(required=False, max_length=200)
    email = StrictEmailField(required=False)
    phone = PhoneField(required=False)
    country = CountryField(required=False)
    ip_address = IpAddressField(
        required=False, help_text="Where the buyer's browser calls from, for risk rules."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.get(name) for name in ("buyer_id", "email", "phone")):
            raise serializers.ValidationError(
                [ErrorDetail("Name the buyer by buyer_id, email or phone.", "buyer_not_named")]
            )
        return attrs


class CreditCardInfoSerializer(StrictSerializer):
    """A card as the PSP's own fields tokenised it. A card number is refused."""

    token = TokenField()
    brand = StrictCharField(required=False, max_length=40)
    last4 = Last4Field(required=False)
    exp_month = StrictIntegerField(required=False, min_value=1, max_value=12)
    exp_year = StrictIntegerField(required=False, min_value=2000, max_value=2100)
    holder_name = StrictCharField(required=False, max_length=200)


class PaymentMethodSerializer(StrictSerializer):
    """A way to pay and the PSP's token for it."""

    type = StrictChoiceField(choices=["card"])
    token = TokenField()


class NewOrderSerializer(StrictSerializer):
    """What one seller is to get."""

    payment_order_id = CallerIdField()
    seller_account = CallerIdField()
    amount = AmountField(max_length=40, trim_whitespace=False)
    currency = CurrencyField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        field = "currency"
        try:
            money.decimals(attrs["currency"])
            field = "amount"
            amount = money.parse_amount(attrs["amount"], attrs["currency"])
            if amount <= money.zero(attrs["currency"]):
                raise serializers.ValidationError(
                    {"amount": [ErrorDetail("The amount must be above zero.", "amount_not_positive")]}
                )
        except MoneyError as error:
            raise serializers.ValidationError({field: [ErrorDetail(str(error), error.code)]}) from error
        return {**attrs, "amount": amount}


class MethodSerializer(StrictSerializer):
    """How to pay, in one of two forms."""

    credit_card_info = CreditCardInfoSerializer(required=False)
    payment_method = PaymentMethodSerializer(required=False)
    method_required = False

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("credit_card_info", "payment_method") if name in attrs]
        if len(given) > 1 or (self.method_required and not given):
            detail = "Send exactly one of credit_card_info and payment_method."
            raise serializers.ValidationError(
                {"payment_method": [ErrorDetail(detail, "one_method_required")]}
            )
        return attrs

    def method_and_token(self) -> tuple[str, str]:
        """The type of the method and its token; both empty when the buyer will choose."""
        data: Mapping[str, Any] = self.validated_data
        if "payment_method" in data:
            return data["payment_method"]["type"], data["payment_method"]["token"]
        if "credit_card_info" in data:
            return "card", data["credit_card_info"]["token"]
        return "", ""


class NewAttemptSerializer(MethodSerializer):
    """`POST /v1/checkouts/{id}/attempts`."""

    method_required = True


class CaptureSerializer(StrictSerializer):
    """`POST /v1/payments/{id}/capture`."""

    amount = AmountField(
        required=False, max_length=40, trim_whitespace=False, help_text="Without it, all of the order."
    )


class CheckoutCaptureLineSerializer(CaptureSerializer):
    """One order of a joint capture."""

    payment_order_id = CallerIdField()


class CheckoutCaptureSerializer(StrictSerializer):
    """`POST /v1/checkouts/{id}/capture`."""

    payment_orders = CheckoutCaptureLineSerializer(  # type: ignore[call-arg]
        many=True, allow_empty=False, max_length=MOST_ORDERS
    )


class NewPaymentSerializer(MethodSerializer):
    """`POST /v1/payments`: a checkout and how it is paid; without a method, the buyer chooses later."""

    checkout_id = CallerIdField()
    buyer_info = BuyerInfoSerializer()
    charge = StrictChoiceField(choices=ChargeMode.choices, default=ChargeMode.PER_CHECKOUT)
    capture = StrictChoiceField(
        choices=["automatic", "manual"],
        default="automatic",
        help_text="manual: only reserve the money, until you capture it.",
    )
    return_url = StrictCharField(required=False, max_length=2000)
    payment_orders = NewOrderSerializer(many=True, allow_empty=False, max_length=MOST_ORDERS)  # type: ignore[call-arg]

    def validate_return_url(self, value: str) -> str:
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = urlsplit("")
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if (
            not parts.hostname
            or parts.username
            or not (parts.scheme == "https" or (parts.scheme == "http" and loopback))
        ):
            raise serializers.ValidationError(
                [ErrorDetail("An https address is required.", "invalid_return_url")]
            )
        return value

    def validate_payment_orders(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen: set[str] = set()
        errors: list[dict[str, Any]] = []
        for order in value:
            repeated = order["payment_order_id"] in seen
            seen.add(order["payment_order_id"])
            errors.append(
                {"payment_order_id": [ErrorDetail("This id stands twice.", "duplicate_id")]}
                if repeated
                else {}
            )
        if any(errors):
            raise serializers.ValidationError(errors)
        return value

    def checkout(self) -> NewCheckout:
        """The validated request as the service takes it."""
        data: Mapping[str, Any] = self.validated_data
        method, token = self.method_and_token()
        return NewCheckout(
            checkout_id=data["checkout_id"],
            buyer_info=dict(data["buyer_info"]),
            method=method,
            token=token,
            manual_capture=data["capture"] == "manual",
            charge=data["charge"],
            return_url=data.get("return_url", ""),
            orders=[
                NewOrder(
                    payment_order_id=order["payment_order_id"],
                    seller_account=order["seller_account"],
                    amount=order["amount"],
                )
                for order in data["payment_orders"]
            ],
        )


class NewSellerSerializer(StrictSerializer):
    """`POST /v1/sellers`."""

    seller_account = CallerIdField()
    name = StrictCharField(max_length=200)
    email = StrictEmailField(required=False, default="")
    country = CountryField(required=False, default="")
    commission_rate = RateField(required=False, default="0.10")

    def validate_commission_rate(self, value: str) -> Decimal:
        return Decimal(value)


# What we answer. These describe the schema; the answers themselves are built by payments.representation.


class OrderSerializer(serializers.Serializer[Any]):
    """A payment order."""

    payment_order_id = serializers.CharField()
    checkout_id = serializers.CharField()
    seller_account = serializers.CharField()
    amount = AmountField()
    currency = CurrencyField()
    payment_order_status = serializers.ChoiceField(choices=OrderStatus.choices)
    pending_reason = serializers.ChoiceField(choices=PendingReason.choices, allow_null=True)
    failure_code = serializers.CharField(allow_null=True)
    last_failure_code = serializers.CharField(
        allow_null=True, help_text="Why the last attempt failed, while the buyer may try again."
    )
    captured_amount = AmountField()
    refunded_amount = AmountField()
    ledger_updated = serializers.BooleanField()
    wallet_updated = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class SellerInfoSerializer(serializers.Serializer[Any]):
    """A seller as the shop sees it."""

    seller_account = serializers.CharField()
    name = serializers.CharField()


class BuyerSerializer(serializers.Serializer[Any]):
    """The buyer as the shop described them."""

    buyer_id = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    phone = serializers.CharField(required=False)
    country = serializers.CharField(required=False)
    ip_address = serializers.CharField(required=False)


class CheckoutSerializer(serializers.Serializer[Any]):
    """A checkout with its payment orders."""

    checkout_id = serializers.CharField()
    checkout_status = serializers.ChoiceField(choices=["pending", "paid", "partly_paid", "failed"])
    is_payment_done = serializers.BooleanField()
    charge = serializers.ChoiceField(choices=ChargeMode.choices)
    buyer_info = BuyerSerializer()
    return_url = serializers.CharField(allow_null=True)
    sellers = SellerInfoSerializer(many=True)
    payment_orders = OrderSerializer(many=True)
    created_at = serializers.DateTimeField()


class OrderDetailSerializer(OrderSerializer):
    """A payment order read by itself, with its buyer and seller."""

    is_payment_done = serializers.BooleanField()
    buyer_info = BuyerSerializer()
    seller_info = SellerInfoSerializer()


class SellerSerializer(serializers.Serializer[Any]):
    """A seller and what was agreed."""

    seller_account = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    country = serializers.CharField()
    kyc_status = serializers.CharField()
    frozen = serializers.BooleanField()
    commission_rate = RateField()
    created_at = serializers.DateTimeField()


class SellerPageSerializer(serializers.Serializer[Any]):
    """Some sellers, and where to go on."""

    sellers = SellerSerializer(many=True)
    next_after = serializers.CharField(allow_null=True)
