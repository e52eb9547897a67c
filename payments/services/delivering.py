"""A webhook on its way to a shop: claimed and packed, and whatever came of the call written down.

Deliveries are made with the news themselves, in `payments.records`. Nobody is called here;
`payments.tasks` makes the call between claiming and recording, outside of any transaction.
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
from payments.services.deliveries import body_text
from payments.services.endpoints import GIVEN_UP
from wallet.encryption import decrypt

MOST_AT_ONCE = 4
"""Calls to one endpoint at the same time."""

MOST_TROUBLED_AT_ONCE = 4
"""Calls at the same time to all endpoints that fail or are slow; each of them gets one."""

SLOW = timedelta(seconds=2)
"""An endpoint that takes longer is troubled, also when it answers well."""

WAIT_AS_TOLD = (429, 503)
"""The answers whose Retry-After is heeded (RFC 9110, 10.2.3)."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """The right to make one call, and what to send where."""

    delivery_id: UUID
    endpoint_id: UUID
    token: UUID
    troubled: bool
    """Whether the endpoint was known to fail or to be slow."""
    url: str
    body: str
    secrets: Sequence[str]
    """All that are valid now, newest first."""

    @property
    def message_id(self) -> str:
        """The `webhook-id`: the same at every try."""
        return str(self.delivery_id)


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
    def milliseconds(self) -> int:
        """How long it took."""
        return int(self.duration.total_seconds() * 1000)

    @property
    def succeeded(self) -> bool:
        """Only 2xx says that the shop has it."""
        return self.response_code is not None and 200 <= self.response_code < 300


def claim_delivery() -> Parcel | None:
    """Claim the delivery that should be called next, and pack it; None when there is none.

    Of each endpoint the longest due, and never one that has an earlier open one of its checkout before it. Endpoints
    that fail or are slow come last and get few calls, so that they keep nobody else waiting. The claim is committed
    before the call, so a worker that dies loses its lease and nothing else.
    """
    token = uuid4()
    while True:
        now = clock.now()
        with connection.cursor() as cursor:
            cursor.execute(
                _CLAIM,
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
        delivery_id, dead_at, endpoint_id, url, enabled, troubled, event_type, created_at, payload, tokens = (
            row
        )
        if dead_at is None and enabled:
            return Parcel(
                delivery_id=delivery_id,
                endpoint_id=endpoint_id,
                token=token,
                troubled=troubled,
                url=url,
                body=body_text(event_type=event_type, at=created_at, payload=payload),
                secrets=[decrypt(secret) for secret in tokens],
            )
        if dead_at is None:  # Written while its endpoint was being disabled.
            with transaction.atomic():
                _die(
                    WebhookDelivery.objects.select_for_update(no_key=True).get(id=delivery_id),
                    detail=GIVEN_UP,
                )


_CLAIM = """
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
    UPDATE payments_webhookdelivery d SET
        tries = d.tries + 1,
        claim_token = CASE WHEN d.tries < %(most_claims)s THEN %(token)s::uuid END,
        next_try_at = CASE WHEN d.tries < %(most_claims)s THEN %(lease_end)s END,
        dead_at = CASE WHEN d.tries < %(most_claims)s THEN NULL ELSE %(now)s END
    FROM chosen, payments_outboxevent o, payments_webhookendpoint e
    WHERE d.id = chosen.id AND o.id = d.outbox_event_id AND e.id = d.endpoint_id
    RETURNING d.id, d.dead_at, e.id, e.url, e.enabled, e.troubled_since IS NOT NULL, o.event_type, o.created_at,
        o.payload::text, array(
            SELECT s.secret FROM payments_endpointsecret s
            WHERE s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > %(now)s)
            ORDER BY s.created_at DESC, s.id DESC
        )
"""


def record_call(parcel: Parcel, call: Call) -> None:
    """Write down what came of a call: delivered, due again later, or a dead letter when the strategy gives up.

    A success counts whoever has the claim by now; a failure only of who has it.
    """
    troubled = not call.succeeded or call.duration > SLOW
    if troubled != parcel.troubled:
        endpoint = WebhookEndpoint.objects.filter(id=parcel.endpoint_id, troubled_since__isnull=troubled)
        endpoint.update(troubled_since=clock.now() if troubled else None)
    if call.succeeded:
        _record_success(parcel, call)
    else:
        _record_failure(parcel, call)


def _record_success(parcel: Parcel, call: Call) -> None:
    """One statement, because it is the usual case: delivered, its call kept, and the next one due."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH delivered AS (
                UPDATE payments_webhookdelivery SET
                    delivered_at = coalesce(delivered_at, %(now)s), dead_at = NULL, next_try_at = NULL,
                    claim_token = NULL, last_response_code = %(code)s, last_error = ''
                WHERE id = %(id)s RETURNING event_id, endpoint_id, outbox_event_id
            ), kept AS (
                INSERT INTO payments_deliverytry (
                    delivery_id, started_at, milliseconds, response_code, error_class, detail
                ) VALUES (%(id)s, %(started_at)s, %(milliseconds)s, %(code)s, '', '')
            )
            UPDATE payments_webhookdelivery behind SET next_try_at = %(now)s FROM delivered
            WHERE behind.event_id = delivered.event_id AND behind.endpoint_id = delivered.endpoint_id
              AND behind.outbox_event_id > delivered.outbox_event_id
              AND behind.next_try_at > %(now)s AND behind.claim_token IS NULL
            """,
            {
                "id": parcel.delivery_id,
                "now": clock.now(),
                "code": call.response_code,
                "started_at": call.started_at,
                "milliseconds": call.milliseconds,
            },
        )


@transaction.atomic
def _record_failure(parcel: Parcel, call: Call) -> None:
    delivery = WebhookDelivery.objects.select_for_update(no_key=True).get(id=parcel.delivery_id)
    error_class = call.error_class or f"status_{call.response_code}"
    DeliveryTry.objects.create(
        delivery=delivery,
        started_at=call.started_at,
        milliseconds=call.milliseconds,
        response_code=call.response_code,
        error_class=error_class,
        detail=call.detail[:200],
    )
    if delivery.claim_token != parcel.token:
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
    _behind(delivery).update(next_try_at=delivery.next_try_at)


def _die(delivery: WebhookDelivery, *, detail: str) -> None:
    now = clock.now()
    delivery.dead_at = now
    delivery.next_try_at = None
    delivery.claim_token = None
    delivery.last_error = detail
    delivery.save(update_fields=["dead_at", "next_try_at", "claim_token", "last_error", "last_response_code"])
    _behind(delivery).filter(next_try_at__gt=now).update(next_try_at=now)


def _behind(delivery: WebhookDelivery) -> QuerySet[WebhookDelivery]:
    """The deliveries of the same checkout and endpoint that wait for this one."""
    return WebhookDelivery.objects.filter(
        event_id=delivery.event_id,
        endpoint_id=delivery.endpoint_id,
        outbox_event_id__gt=delivery.outbox_event_id,
        next_try_at__isnull=False,
        claim_token__isnull=True,
    )
