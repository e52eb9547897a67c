"""The shape of an error in the OpenAPI schema; what makes the errors themselves stands at the top of the
stack.
"""

from typing import Any

from rest_framework import serializers

PROBLEM_JSON = "application/problem+json"


class FieldErrorSerializer(serializers.Serializer[Any]):
    """One thing that is wrong in the request."""

    field = serializers.CharField(
        help_text="Its path, such as `payment_orders[0].amount`; empty for the body."
    )
    code = serializers.CharField(help_text="For programs.")
    detail = serializers.CharField(help_text="For people.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error as RFC 9457 has it."""

    type = serializers.CharField(help_text="`/problems/<code>`.")
    title = serializers.CharField()
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What happened this time, for people.")
    code = serializers.CharField(help_text="What happened, for programs.")
    # Serializer has a property of this name, which no schema needs.
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]
