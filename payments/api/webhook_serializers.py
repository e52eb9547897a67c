"""The shape of what is asked and answered about webhooks."""

from datetime import timedelta
from typing import Any

from rest_framework import serializers

from payments.models import DeliveryStatus, EventType
from payments.services.endpoints import LONGEST_OVERLAP, USUAL_OVERLAP
from wallet.api.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictSerializer,
)


def _hours(span: timedelta) -> int:
    return int(span.total_seconds() // 3600)


class EventTypesField(serializers.ListField):
    """Names of news; an empty list means all."""

    child = StrictChoiceField(choices=EventType.choices)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=len(EventType.choices), **kwargs)


class UrlField(StrictCharField):
    """An address, read by the service that refuses what we do not call."""

    def refuse_card_number(self, text: str) -> None:
        """Addresses are full of digits, and none of them is ever charged."""


class NewEndpointSerializer(StrictSerializer):
    """`POST /v1/webhook_endpoints`."""

    url = UrlField(max_length=2000, trim_whitespace=False, help_text="https, on port 443, 80, 8080 or 8443.")
    description = StrictCharField(required=False, default="", allow_blank=True, max_length=200)
    event_types = EventTypesField(required=False, help_text="Which news to send; empty or absent: all.")


class EndpointChangeSerializer(StrictSerializer):
    """`PATCH /v1/webhook_endpoints/{id}`: what is absent stays."""

    url = UrlField(required=False, max_length=2000, trim_whitespace=False)
    description = StrictCharField(required=False, allow_blank=True, max_length=200)
    event_types = EventTypesField(required=False)
    enabled = StrictBooleanField(
        required=False,
        help_text="Disabling sends what waits to the dead letters; enabling replays nothing by itself.",
    )


class RotationSerializer(StrictSerializer):
    """`POST /v1/webhook_endpoints/{id}/rotate_secret`."""

    overlap_hours = StrictIntegerField(
        required=False,
        default=_hours(USUAL_OVERLAP),
        min_value=0,
        max_value=_hours(LONGEST_OVERLAP),
        help_text="How long the older secrets sign as well; 0 ends them at once.",
    )

    @property
    def overlap(self) -> timedelta:
        """As the service takes it."""
        return timedelta(hours=self.validated_data["overlap_hours"])


class SecretSerializer(serializers.Serializer[Any]):
    """A secret that signs now. The secret itself is shown when it is made, never again."""

    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class EndpointSerializer(serializers.Serializer[Any]):
    """A webhook endpoint."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=EventType.choices), help_text="Empty: all."
    )
    troubled_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when it fails or is slow; it is called less often meanwhile."
    )
    secrets = SecretSerializer(many=True, help_text="Those that sign now, newest first.")
    created_at = serializers.DateTimeField()


class EndpointWithSecretSerializer(EndpointSerializer):
    """A webhook endpoint whose new secret is shown this once."""

    secret = serializers.CharField(help_text="`whsec_...`; not shown again.")


class EndpointListSerializer(serializers.Serializer[Any]):
    """The shop's webhook endpoints."""

    webhook_endpoints = EndpointSerializer(many=True)


class DeliverySerializer(serializers.Serializer[Any]):
    """One piece of news on its way to an endpoint."""

    id = serializers.UUIDField(help_text="The `webhook-id` of every try.")
    webhook_endpoint_id = serializers.UUIDField()
    event_type = serializers.ChoiceField(choices=EventType.choices)
    checkout_id = serializers.CharField()
    status = serializers.ChoiceField(
        choices=DeliveryStatus.choices,
        help_text="`waiting`: for an earlier one of the same checkout. `dead`: given up; replay it.",
    )
    tries = serializers.IntegerField(help_text="Since it was made or last replayed.")
    last_response_code = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    next_try_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    dead_at = serializers.DateTimeField(allow_null=True)


class DeliveryPageSerializer(serializers.Serializer[Any]):
    """Some deliveries, newest first, and where to go on."""

    webhook_deliveries = DeliverySerializer(many=True)
    next_before = serializers.UUIDField(allow_null=True)


class TrySerializer(serializers.Serializer[Any]):
    """One call to the endpoint."""

    started_at = serializers.DateTimeField()
    milliseconds = serializers.IntegerField()
    response_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    detail = serializers.CharField(allow_null=True)


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with its body and every call that was made."""

    body = serializers.CharField(help_text="The signed text, byte for byte.")
    calls = TrySerializer(many=True)
