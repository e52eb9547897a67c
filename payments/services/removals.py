"""Old news go: what was delivered and what nobody waits for after 30 days, dead letters after 90."""

from datetime import datetime, timedelta

from django.db import connection

from ledger import clock
from payments.models import EndpointSecret

DELIVERED_KEPT = timedelta(days=30)
DEAD_KEPT = timedelta(days=90)
"""Longer, because somebody may yet want one replayed."""
SECRETS_KEPT = timedelta(days=1)
"""After their end, so that nobody wonders where a secret has gone."""

ROWS_AT_ONCE = 1000
"""Per statement, so that no lock is held for long."""

_STATEMENTS = (
    # The tries of the deliveries that go next.
    """
    DELETE FROM payments_deliverytry WHERE id IN (
        SELECT t.id FROM payments_deliverytry t JOIN payments_webhookdelivery d ON d.id = t.delivery_id
        WHERE d.created_at < %(delivered)s AND (d.delivered_at < %(delivered)s OR d.dead_at < %(dead)s)
        LIMIT %(limit)s
    )
    """,
    """
    DELETE FROM payments_webhookdelivery WHERE id IN (
        SELECT d.id FROM payments_webhookdelivery d
        WHERE d.created_at < %(delivered)s AND (d.delivered_at < %(delivered)s OR d.dead_at < %(dead)s)
          AND NOT EXISTS (SELECT FROM payments_deliverytry t WHERE t.delivery_id = d.id)
        LIMIT %(limit)s FOR UPDATE OF d SKIP LOCKED
    )
    """,
    """
    DELETE FROM payments_outboxevent WHERE id IN (
        SELECT o.id FROM payments_outboxevent o
        WHERE o.created_at < %(delivered)s
          AND NOT EXISTS (SELECT FROM payments_webhookdelivery d WHERE d.outbox_event_id = o.id)
        LIMIT %(limit)s
    )
    """,
)


def remove_old_news() -> int:
    """Remove what is too old, a small statement at a time; returns how many rows went. Running it twice does no harm."""
    now, removed = clock.now(), 0
    parameters: dict[str, datetime | int] = {
        "delivered": now - DELIVERED_KEPT,
        "dead": now - DEAD_KEPT,
        "limit": ROWS_AT_ONCE,
    }
    for statement in _STATEMENTS:
        gone = ROWS_AT_ONCE
        while gone == ROWS_AT_ONCE:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                gone = cursor.rowcount
            removed += gone
    return removed + EndpointSecret.objects.filter(expires_at__lt=now - SECRETS_KEPT).delete()[0]
