"""A shop's webhook endpoints and the secrets that sign what is sent to them."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ledger import clock
from payments.errors import EndpointNotFound, EndpointUrlRefused, TooManyEndpoints, TooManySecrets
from payments.models import EndpointSecret, EventType, Shop, WebhookDelivery, WebhookEndpoint
from payments.outbound.signing import new_secret
from payments.outbound.targets import TargetRefused, read_target

MOST_ENABLED = 16
"""Enabled endpoints of one shop: each makes every change of a payment write one more row."""

MOST_LISTED = 100

MOST_SECRETS = 4
"""Of one endpoint that sign at the same time."""

USUAL_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=7)

GIVEN_UP = "The endpoint was disabled."


@transaction.atomic
def register_endpoint(
    *, shop: Shop, url: str, description: str = "", event_types: Sequence[EventType] = ()
) -> tuple[WebhookEndpoint, str]:
    """Send the shop's news to `url` from now on; the second value is the secret, which is not shown again.

    Raises:
        EndpointUrlRefused: not an address that we call (422).
        TooManyEndpoints: the shop has as many as it may (409).
    """
    _check_url(url)
    _check_room(shop)
    now = clock.now()
    endpoint = WebhookEndpoint.objects.create(
        shop=shop,
        url=url,
        description=description,
        event_types=sorted(set(event_types)),
        created_at=now,
        changed_at=now,
    )
    secret = EndpointSecret.objects.create(endpoint=endpoint, secret=new_secret(), created_at=now)
    return endpoint, secret.secret


@transaction.atomic
def change_endpoint(
    *,
    shop: Shop,
    endpoint_id: UUID,
    url: str | None = None,
    description: str | None = None,
    event_types: Sequence[EventType] | None = None,
    enabled: bool | None = None,
) -> WebhookEndpoint:
    """Change what is given and leave the rest.

    Disabling sends what waits for the endpoint to the dead letters, from where it can be replayed; enabling does not
    replay it by itself.

    Raises:
        EndpointNotFound: not there, or another shop's (404).
        EndpointUrlRefused: not an address that we call (422).
        TooManyEndpoints: enabling it would be one too many (409).
    """
    endpoint = _locked(shop, endpoint_id)
    if url is not None:
        _check_url(url)
        endpoint.url = url
    if description is not None:
        endpoint.description = description
    if event_types is not None:
        endpoint.event_types = sorted(set(event_types))
        endpoint.changed_at = clock.now()
    if enabled is not None and enabled != endpoint.enabled:
        if enabled:
            _check_room(shop)
        else:
            _give_up(endpoint)
        endpoint.enabled = enabled
        endpoint.troubled_since = None
        endpoint.changed_at = clock.now()
    endpoint.save()
    return endpoint


@transaction.atomic
def rotate_secret(
    *, shop: Shop, endpoint_id: UUID, overlap: timedelta = USUAL_OVERLAP
) -> tuple[WebhookEndpoint, str]:
    """Give the endpoint a new secret, shown once. The older ones sign as well until `overlap` is over.

    With no overlap all older ones end at once: for a secret that somebody else has seen.

    Raises:
        EndpointNotFound: not there, or another shop's (404).
        TooManySecrets: too many older ones still sign (409).
    """
    assert timedelta() <= overlap <= LONGEST_OVERLAP
    endpoint, now = _locked(shop, endpoint_id), clock.now()
    older = EndpointSecret.objects.valid(now).filter(endpoint=endpoint)
    if not overlap:
        older.update(expires_at=now)
    elif older.count() >= MOST_SECRETS:
        raise TooManySecrets
    else:
        older.filter(expires_at__isnull=True).update(expires_at=now + overlap)
    secret = EndpointSecret.objects.create(endpoint=endpoint, secret=new_secret(), created_at=now)
    return endpoint, secret.secret


def read_endpoint(*, shop: Shop, endpoint_id: UUID) -> WebhookEndpoint:
    """An endpoint of this shop.

    Raises:
        EndpointNotFound: not there, or another shop's (404).
    """
    endpoint = WebhookEndpoint.objects.filter(shop=shop, id=endpoint_id).first()
    if endpoint is None:
        raise EndpointNotFound
    return endpoint


def list_endpoints(*, shop: Shop) -> Sequence[WebhookEndpoint]:
    """The shop's endpoints, the enabled ones first, then the newest."""
    return list(
        WebhookEndpoint.objects.prefetch_related("secrets")
        .filter(shop=shop)
        .order_by("-enabled", "-created_at", "id")[:MOST_LISTED]
    )


def valid_secrets(endpoint: WebhookEndpoint) -> Sequence[EndpointSecret]:
    """The secrets that sign now, newest first."""
    now = clock.now()
    valid = [
        secret for secret in endpoint.secrets.all() if secret.expires_at is None or secret.expires_at > now
    ]
    return sorted(valid, key=lambda secret: (secret.created_at, secret.id), reverse=True)


def _locked(shop: Shop, endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = (
        WebhookEndpoint.objects.select_for_update(no_key=True).filter(shop=shop, id=endpoint_id).first()
    )
    if endpoint is None:
        raise EndpointNotFound
    return endpoint


def _check_url(url: str) -> None:
    try:
        read_target(url, allow_loopback=settings.WEBHOOKS_ALLOW_LOOPBACK)
    except TargetRefused as error:
        raise EndpointUrlRefused(str(error), field="url") from error


def _check_room(shop: Shop) -> None:
    """One more may be enabled. The shop's row is locked, so that two requests at once are counted."""
    Shop.objects.select_for_update(no_key=True).get(id=shop.id)
    if WebhookEndpoint.objects.filter(shop=shop, enabled=True).count() >= MOST_ENABLED:
        raise TooManyEndpoints


def _give_up(endpoint: WebhookEndpoint) -> None:
    """Everything open goes to the dead letters. What is being sent just now may still be delivered."""
    waiting = (
        WebhookDelivery.objects.select_for_update(no_key=True)
        .filter(endpoint=endpoint, next_try_at__isnull=False)
        .order_by("outbox_event_id")
    )
    WebhookDelivery.objects.filter(id__in=list(waiting.values_list("id", flat=True))).update(
        next_try_at=None, claim_token=None, dead_at=clock.now(), last_error=GIVEN_UP
    )
