"""Work that nobody tries any more, until a person looks at it. Looking, replaying and closing never change a state of
money: a replayed call asks or sends under its old key, as it would have before it died.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from ledger import clock
from payments.bell import DELIVERIES, INBOUND_WEBHOOKS, PSP_CALLS, ring_on_commit
from payments.errors import DeadLetterNotFound
from payments.models import DeadLetterAction, DueWork, InboundWebhook, OperationTry, WebhookDelivery

KINDS: Mapping[str, tuple[type[DueWork], str]] = {
    "psp_call": (OperationTry, PSP_CALLS),
    "inbound_webhook": (InboundWebhook, INBOUND_WEBHOOKS),
    "webhook_delivery": (WebhookDelivery, DELIVERIES),
}
"""Tables of work by the name that the API and the pages use, each with its bell."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One piece of dead work, as people see it."""

    kind: str
    id: UUID
    about: str
    tries: int
    last_error: str
    dead_at: datetime


def list_dead_letters(*, limit: int = 100) -> list[DeadLetter]:
    """The open dead letters, oldest first, up to `limit` of each kind: a shop that is away hides no call to a PSP."""
    return sorted(_all(limit), key=lambda letter: letter.dead_at)


@transaction.atomic
def replay(*, kind: str, object_id: UUID, actor: str, reason: str = "") -> None:
    """Due again, now, with its tries counted anew.

    Raises:
        DeadLetterNotFound: no open dead letter of this kind has this id (404).
    """
    row = _locked(kind, object_id)
    row.save(update_fields=row.revive(at=clock.now()))
    DeadLetterAction.objects.create(
        kind=kind, object_id=object_id, action="replay", actor=actor, reason=reason
    )
    ring_on_commit(KINDS[kind][1])


@transaction.atomic
def close(*, kind: str, object_id: UUID, actor: str, reason: str) -> None:
    """Take it off the list, with a reason. What it was about stays as it is.

    Raises:
        DeadLetterNotFound: no open dead letter of this kind has this id (404).
    """
    row = _locked(kind, object_id)
    row.dead_closed_at = clock.now()
    row.save(update_fields=["dead_closed_at"])
    DeadLetterAction.objects.create(
        kind=kind, object_id=object_id, action="close", actor=actor, reason=reason
    )


def _all(limit: int) -> Iterator[DeadLetter]:
    for kind, (model, _) in KINDS.items():
        for row in _open(model).order_by("dead_at")[:limit]:
            assert row.dead_at is not None
            yield DeadLetter(
                kind=kind,
                id=row.pk,
                about=str(row),
                tries=row.tries,
                last_error=row.last_error,
                dead_at=row.dead_at,
            )


def _open(model: type[DueWork]) -> QuerySet[DueWork]:
    return model._default_manager.filter(dead_at__isnull=False, dead_closed_at__isnull=True)


def _locked(kind: str, object_id: UUID) -> DueWork:
    if kind not in KINDS:
        raise DeadLetterNotFound
    row = _open(KINDS[kind][0]).select_for_update(no_key=True).filter(pk=object_id).first()
    if row is None:
        raise DeadLetterNotFound
    return row
