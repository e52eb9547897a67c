"""What the operator may ask: work that nobody tries any more. Company keys only."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api.schema import refusals
from payments.models import ApiKey
from payments.representation import time_text
from payments.services import dead_letters
from wallet.api.fields import StrictCharField, StrictSerializer


class DeadLetterSerializer(serializers.Serializer[Any]):
    """A piece of work that nobody tries any more."""

    kind = serializers.ChoiceField(choices=list(dead_letters.KINDS))
    id = serializers.UUIDField()
    about = serializers.CharField()
    tries = serializers.IntegerField()
    last_error = serializers.CharField()
    dead_at = serializers.DateTimeField()


class DeadLetterListSerializer(serializers.Serializer[Any]):
    """The open dead letters, oldest first."""

    dead_letters = DeadLetterSerializer(many=True)


class ReasonSerializer(StrictSerializer):
    """Why."""

    reason = StrictCharField(max_length=500)


class DeadLettersView(APIView):
    """The open dead letters."""

    required_scopes = {"GET": "operations:read"}

    @extend_schema(
        operation_id="list_dead_letters",
        tags=["operations"],
        responses={200: DeadLetterListSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """Up to 100 dead letters of each kind, oldest first."""
        return Response(
            {
                "dead_letters": [
                    {
                        "kind": letter.kind,
                        "id": str(letter.id),
                        "about": letter.about,
                        "tries": letter.tries,
                        "last_error": letter.last_error,
                        "dead_at": time_text(letter.dead_at),
                    }
                    for letter in dead_letters.list_dead_letters()
                ]
            }
        )


class ReplayView(APIView):
    """Try a dead letter again."""

    required_scopes = {"POST": "operations:write"}

    @extend_schema(
        operation_id="replay_dead_letter",
        tags=["operations"],
        request=ReasonSerializer,
        responses={204: None, **refusals("dead_letter_not_found")},
    )
    def post(self, request: Request, kind: str, object_id: UUID) -> Response:
        """Make it due now. A call goes out under its old key, so it still happens at most once."""
        dead_letters.replay(kind=kind, object_id=object_id, actor=_actor(request), reason=_reason(request))
        return Response(status=204)


class CloseView(APIView):
    """Take a dead letter off the list."""

    required_scopes = {"POST": "operations:write"}

    @extend_schema(
        operation_id="close_dead_letter",
        tags=["operations"],
        request=ReasonSerializer,
        responses={204: None, **refusals("dead_letter_not_found")},
    )
    def post(self, request: Request, kind: str, object_id: UUID) -> Response:
        """Close it with a reason. What it was about stays as it is."""
        dead_letters.close(kind=kind, object_id=object_id, actor=_actor(request), reason=_reason(request))
        return Response(status=204)


def _actor(request: Request) -> str:
    assert isinstance(request.auth, ApiKey)
    return f"key:{request.auth.prefix}"


def _reason(request: Request) -> str:
    serializer = ReasonSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    reason: str = serializer.validated_data["reason"]
    return reason
