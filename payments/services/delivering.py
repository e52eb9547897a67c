"""A webhook on its way to a shop: claimed, packed, and whatever came of the call written down.

Deliveries are made with the news themselves, in `payments.records`. Each function here is one transaction and calls
nobody; `payments.tasks` makes the call between two of them. Locks: the endpoint, then deliveries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import QuerySet

from ledger import clock
from payments import retries
from payments.models import DeliveryTry, WebhookDelivery, WebhookEndpoint, Work
from payments.services.deliveries import body_of
from payments.services.endpoints import GIVEN_UP, valid_secrets

MOST_AT_ONCE = 4
"""Calls to one endpoint at the same time."""

MOST_TROUBLED_AT_ONCE = 4
"""Calls at the same time to all endpoints that fail or are slow; each of them gets one."""

SLOW = timedelta(seconds=2)
"""An endpoint that takes longer is troubled, also when it answers well."""

WAIT_AS_TOLD = (429, 503)
"""The answers whose Retry-After is heeded (RFC 9110, 10.2.3)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one call."""

    delivery_id: UUID
    endpoint_id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class Parcel:
    """What to send where."""

    message_id: str
    url: str
    body: str
    secrets: Sequence[str]
    """All that are valid now, newest first."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made, and what came of it."""

    started_at: datetime
    duration: timedelta
    response_code: int | None = None
    error_class: str = ""
    """Why there is no answer."""
    detail: str = ""
    retry_after_seconds: float | None = None

    @property
    def succeeded(self) -> bool:
        """Only 2xx says that the shop has it."""
        return self.response_code is not None and 200 <= self.response_code < 300


def claim_delivery() -> Claim | None:
    """Claim the delivery that should be called next; None when there is none.

    Of each endpoint the longest due, and never one that has an earlier open one of its checkout before it. Endpoints
    that fail or are slow come last and get few calls, so that they keep nobody else waiting. The claim is committed
    before the call, so a worker that dies loses its lease and nothing else.
    """
    token = uuid4()
    while True:
        now = clock.now()
        with connection.cursor() as cursor:
            cursor.execute(
                """
                WITH busy AS (
                    SELECT d.endpoint_id, count(*) AS calls FROM payments_webhookdelivery d
                    WHERE d.claim_token IS NOT NULL AND d.next_try_at > %(now)s GROUP BY d.endpoint_id
                ), troubled AS (
                    SELECT coalesce(sum(busy.calls), 0) AS calls FROM busy
                    JOIN payments_webhookendpoint e ON e.id = busy.endpoint_id AND e.troubled_since IS NOT NULL
                ), chosen AS (
                    SELECT first.id FROM payments_webhookendpoint e
                    LEFT JOIN busy ON busy.endpoint_id = e.id
                    CROSS JOIN LATERAL (
                        SELECT d.id, d.next_try_at FROM payments_webhookdelivery d
                        WHERE d.endpoint_id = e.id AND d.next_try_at <= %(now)s AND NOT EXISTS (
                            SELECT FROM payments_webhookdelivery earlier
                            WHERE earlier.event_id = d.event_id AND earlier.endpoint_id = d.endpoint_id
                              AND earlier.outbox_event_id < d.outbox_event_id
                              AND earlier.next_try_at IS NOT NULL
                        )
                        ORDER BY d.next_try_at LIMIT 1 FOR NO KEY UPDATE OF d SKIP LOCKED
                    ) AS first
                    WHERE CASE WHEN e.troubled_since IS NULL
                        THEN coalesce(busy.calls, 0) < %(most)s
                        ELSE busy.calls IS NULL AND (SELECT calls FROM troubled) < %(most_troubled)s
                    END
                    ORDER BY e.troubled_since IS NOT NULL, first.next_try_at LIMIT 1
                )
                UPDATE payments_webhookdelivery SET
                    tries = tries + 1,
                    claim_token = CASE WHEN tries < %(most_claims)s THEN %(token)s::uuid END,
                    next_try_at = CASE WHEN tries < %(most_claims)s THEN %(lease_end)s END,
                    dead_at = CASE WHEN tries < %(most_claims)s THEN NULL ELSE %(now)s END
                WHERE id = (SELECT id FROM chosen)
                RETURNING id, endpoint_id, dead_at
                """,
                {
                    "now": now,
                    "token": token,
                    "lease_end": now + retries.LEASE,
                    "most": MOST_AT_ONCE,
                    "most_troubled": MOST_TROUBLED_AT_ONCE,
                    "most_claims": retries.MOST_CLAIMS,
                },
            )
            row = cursor.fetchone()
        if row is None:
            return None
        if row[2] is None:
            return Claim(delivery_id=row[0], endpoint_id=row[1], token=token)


@transaction.atomic
def pack(claim: Claim) -> Parcel | None:
    """What to send; None when the claim is stale or the endpoint has been disabled meanwhile.

    The text is the same at every try: it is made from columns that never change.
    """
    delivery = (
        WebhookDelivery.objects.select_related("outbox_event", "endpoint")
        .filter(id=claim.delivery_id, claim_token=claim.token)
        .first()
    )
    if delivery is None:
        return None
    if not delivery.endpoint.enabled:
        _die(delivery, detail=GIVEN_UP)
        return None
    return Parcel(
        message_id=str(delivery.id),
        url=delivery.endpoint.url,
        body=body_of(delivery),
        secrets=[secret.secret for secret in valid_secrets(delivery.endpoint)],
    )


@transaction.atomic
def record_call(claim: Claim, call: Call) -> None:
    """Write down what came of a call: delivered, due again later, or a dead letter when the strategy gives up.

    A success counts whoever has the claim by now; a failure only of who has it.
    """
    _note_trouble(claim.endpoint_id, troubled=not call.succeeded or call.duration > SLOW)
    delivery = WebhookDelivery.objects.select_for_update(no_key=True).get(id=claim.delivery_id)
    error_class = "" if call.succeeded else call.error_class or f"status_{call.response_code}"
    DeliveryTry.objects.create(
        delivery=delivery,
        started_at=call.started_at,
        milliseconds=int(call.duration.total_seconds() * 1000),
        response_code=call.response_code,
        error_class=error_class,
        detail=call.detail[:200],
    )
    if call.succeeded:
        _deliver(delivery, response_code=call.response_code)
        return
    if delivery.claim_token != claim.token:
        return
    detail = call.detail or f"answered with status {call.response_code}"
    delivery.last_response_code = call.response_code or delivery.last_response_code
    delay = retries.next_wait(Work.DELIVER_WEBHOOK, done=delivery.tries - 1, error_class=error_class)
    if delay is None:
        _die(delivery, detail=detail)
        return
    if call.retry_after_seconds and call.response_code in WAIT_AS_TOLD:
        delay = max(delay, retries.at_most_an_hour(call.retry_after_seconds))
    delivery.next_try_at = clock.now() + delay
    delivery.claim_token = None
    delivery.last_error = detail
    delivery.save(update_fields=["next_try_at", "claim_token", "last_error", "last_response_code"])
    # What stands behind it is not looked at before it is.
    _behind(delivery).filter(claim_token__isnull=True).update(next_try_at=delivery.next_try_at)


def _deliver(delivery: WebhookDelivery, *, response_code: int | None) -> None:
    delivery.delivered_at = delivery.delivered_at or clock.now()
    delivery.dead_at = None
    delivery.next_try_at = None
    delivery.claim_token = None
    delivery.last_response_code = response_code
    delivery.last_error = ""
    delivery.save(
        update_fields=[
            "delivered_at",
            "dead_at",
            "next_try_at",
            "claim_token",
            "last_response_code",
            "last_error",
        ]
    )
    _let_next_go(delivery)


def _die(delivery: WebhookDelivery, *, detail: str) -> None:
    delivery.dead_at = clock.now()
    delivery.next_try_at = None
    delivery.claim_token = None
    delivery.last_error = detail
    delivery.save(update_fields=["dead_at", "next_try_at", "claim_token", "last_error", "last_response_code"])
    _let_next_go(delivery)


def _let_next_go(delivery: WebhookDelivery) -> None:
    """What waited for it is due now, where it would have waited longer."""
    now = clock.now()
    _behind(delivery).filter(next_try_at__gt=now, claim_token__isnull=True).update(next_try_at=now)


def _behind(delivery: WebhookDelivery) -> QuerySet[WebhookDelivery]:
    """The open deliveries of the same checkout and endpoint that wait for this one."""
    return WebhookDelivery.objects.filter(
        event_id=delivery.event_id,
        endpoint_id=delivery.endpoint_id,
        outbox_event_id__gt=delivery.outbox_event_id,
        next_try_at__isnull=False,
    )


def _note_trouble(endpoint_id: UUID, *, troubled: bool) -> None:
    endpoint = WebhookEndpoint.objects.filter(id=endpoint_id, troubled_since__isnull=troubled)
    endpoint.update(troubled_since=clock.now() if troubled else None)
