"""What is due, for the sweeper."""

from collections.abc import Mapping

from django.db import connection

from ledger import clock
from payments.bell import DELIVERIES, EXPIRIES, INBOUND_WEBHOOKS, PSP_CALLS, RISK_CHECKS

MOST_RINGS = 8
"""Rings for one kind of work in one sweep: a worker that answers goes on until nothing is due."""

ROWS_PER_RING = 25

_DUE = {
    PSP_CALLS: ("payments_operationtry", "next_try_at"),
    INBOUND_WEBHOOKS: ("payments_inboundwebhook", "next_try_at"),
    EXPIRIES: ("payments_paymentevent", "expiry_due_at"),
    RISK_CHECKS: ("payments_riskcheck", "next_try_at"),
    DELIVERIES: ("payments_webhookdelivery", "next_try_at"),
}
"""Where the due rows of each bell are, and which column says when."""


def due_bells() -> Mapping[str, int]:
    """How often to ring each bell now; bells with nothing due are left out."""
    now, most = clock.now(), MOST_RINGS * ROWS_PER_RING
    rings: dict[str, int] = {}
    with connection.cursor() as cursor:
        for name, (table, column) in _DUE.items():
            cursor.execute(
                f"SELECT count(*) FROM (SELECT FROM {table} WHERE {column} <= %s LIMIT %s) AS due",  # noqa: S608
                [now, most],
            )
            due = cursor.fetchone()[0]
            if due:
                rings[name] = -(-due // ROWS_PER_RING)
    return rings
