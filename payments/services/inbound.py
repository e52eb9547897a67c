"""Webhooks from PSPs: stored first, handled after."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.db import connection, transaction

from ledger import clock
from payments import retries
from payments.bell import INBOUND_WEBHOOKS, ring_on_commit
from payments.models import InboundWebhook, Work
from payments.psp.base import InboundEvent


@transaction.atomic
def store_webhooks(*, psp_account: str, events: Sequence[InboundEvent]) -> None:
    """Keep verified events; one that is already here is left alone, so the PSP gets its 2xx and nothing happens twice."""
    now = clock.now()
    InboundWebhook.objects.bulk_create(
        [
            InboundWebhook(
                psp_account=psp_account,
                dedup_key=event.dedup_key,
                event_type=event.event_type,
                body=event.body,
                received_at=now,
                next_try_at=now,
            )
            for event in events
        ],
        ignore_conflicts=True,
    )
    ring_on_commit(INBOUND_WEBHOOKS)


def claim_webhooks(*, limit: int) -> Sequence[InboundWebhook]:
    """Claim up to `limit` due events, oldest first; an event that failed too often goes to the dead letters."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_inboundwebhook SET
                tries = tries + 1,
                claim_token = %(token)s,
                next_try_at = CASE WHEN tries < %(most)s THEN %(lease_end)s END,
                dead_at = CASE WHEN tries < %(most)s THEN NULL ELSE %(now)s END
            WHERE id = ANY (ARRAY(
                SELECT id FROM payments_inboundwebhook WHERE next_try_at <= %(now)s
                ORDER BY next_try_at, received_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            ))
            RETURNING id, dead_at
            """,
            {
                "token": uuid4(),
                "now": now,
                "lease_end": now + retries.LEASE,
                "most": retries.MOST_CLAIMS,
                "limit": limit,
            },
        )
        claimed = [webhook_id for webhook_id, dead_at in cursor.fetchall() if dead_at is None]
    return list(InboundWebhook.objects.filter(id__in=claimed).order_by("received_at", "id"))


def record_handled(webhook_id: UUID) -> None:
    """Everything in the event has been applied."""
    InboundWebhook.objects.filter(id=webhook_id, handled_at__isnull=True).update(
        handled_at=clock.now(), next_try_at=None, dead_at=None, last_error=""
    )


def record_parked(webhook_id: UUID) -> None:
    """The adapter does not know this type of event: kept, not due, not called handled."""
    InboundWebhook.objects.filter(id=webhook_id, handled_at__isnull=True).update(
        parked=True, next_try_at=None
    )


def record_failed(webhook: InboundWebhook, *, error_class: str, detail: str) -> None:
    """Handling it failed: again later, or a dead letter."""
    now = clock.now()
    delay = retries.next_wait(
        Work.HANDLE_WEBHOOK, done=webhook.tries, psp_account=webhook.psp_account, error_class=error_class
    )
    InboundWebhook.objects.filter(id=webhook.id, handled_at__isnull=True, dead_at__isnull=True).update(
        next_try_at=None if delay is None else now + delay,
        dead_at=now if delay is None else None,
        last_error=detail,
    )
