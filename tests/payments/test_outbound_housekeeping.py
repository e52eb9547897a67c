"""Old news go, staff see what is left, and the invariants see what is lost."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from celery import current_app
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from ledger import clock
from ledger.services import Violation
from payments import tasks
from payments.models import DeadLetterAction, DeliveryTry, EndpointSecret, OutboxEvent, Shop, WebhookDelivery
from payments.services import removals
from payments.services.endpoints import change_endpoint, register_endpoint, rotate_secret
from payments.services.invariants import violations
from tests.factories import ShopFactory
from tests.payments.arranging import begin, start, tell
from tests.payments.receiving import ShopServer, shop_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Settings) -> Iterator[ShopServer]:
    settings.WEBHOOKS_ALLOW_LOOPBACK = True
    with shop_server() as running:
        yield running


def later(**span: float) -> time_machine.travel:
    """So much later."""
    return time_machine.travel(clock.now() + timedelta(**span))


def test_delivered_news_go_after_thirty_days(shop: Shop, server: ShopServer) -> None:
    register_endpoint(shop=shop, url=server.url)
    start(shop)
    tasks.deliver_webhooks()
    with later(days=29):
        tasks.remove_old_news()
        assert WebhookDelivery.objects.count() == OutboxEvent.objects.count() == 1
    with later(days=31):
        tasks.remove_old_news()
        assert not WebhookDelivery.objects.exists()
        assert not OutboxEvent.objects.exists()
        assert not DeliveryTry.objects.exists()


def test_news_that_nobody_listens_to_go_after_thirty_days(shop: Shop) -> None:
    start(shop)
    with later(days=31):
        assert removals.remove_old_news() == 1
        assert removals.remove_old_news() == 0


def test_news_that_are_still_to_be_delivered_stay(shop: Shop, server: ShopServer) -> None:
    register_endpoint(shop=shop, url=server.url)
    start(shop)
    with later(days=100):
        assert removals.remove_old_news() == 0
        assert WebhookDelivery.objects.count() == OutboxEvent.objects.count() == 1


def test_dead_deliveries_stay_for_ninety_days(shop: Shop, server: ShopServer) -> None:
    endpoint, _ = register_endpoint(shop=shop, url=server.url)
    start(shop)
    change_endpoint(shop=shop, endpoint_id=endpoint.id, enabled=False)
    with later(days=89):
        assert removals.remove_old_news() == 0
    with later(days=91):
        assert removals.remove_old_news() == 2


def test_more_than_one_statement_takes_goes_all_the_same(
    shop: Shop, server: ShopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "ROWS_AT_ONCE", 2)
    register_endpoint(shop=shop, url=server.url)
    for _ in range(5):
        start(shop)
    tasks.deliver_webhooks()
    with later(days=31):
        assert removals.remove_old_news() == 15


def test_ended_secrets_go_and_valid_ones_stay(shop: Shop, server: ShopServer) -> None:
    endpoint, _ = register_endpoint(shop=shop, url=server.url)
    rotate_secret(shop=shop, endpoint_id=endpoint.id, overlap=timedelta(hours=1))
    assert removals.remove_old_news() == 0
    with later(days=2):
        assert removals.remove_old_news() == 1
    assert EndpointSecret.objects.get().expires_at is None


def test_whatever_beat_rings_for_is_a_task() -> None:
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}
    assert tasks.remove_old_news.name in scheduled
    assert scheduled <= set(current_app.tasks)


@pytest.fixture
def staff(client: Client) -> Client:
    """A signed-in superuser."""
    client.force_login(User.objects.create_superuser("staff"))
    return client


def dead_delivery(shop: Shop, server: ShopServer) -> WebhookDelivery:
    """A delivery that was given up."""
    register_endpoint(shop=shop, url=server.url)
    start(shop)
    WebhookDelivery.objects.update(tries=10)
    server.answers.append(500)
    tasks.deliver_webhooks()
    return WebhookDelivery.objects.get(dead_at__isnull=False)


LIST = "admin:payments_webhookdelivery_changelist"


def test_staff_see_deliveries_and_replay_a_dead_one_by_post(
    shop: Shop, server: ShopServer, staff: Client
) -> None:
    delivery = dead_delivery(shop, server)
    page = staff.get(reverse(LIST), {"status": "dead"}).content.decode()
    assert str(delivery.event.checkout_id) in page
    action = {"action": "replay_dead_letters", "_selected_action": [str(delivery.id)]}
    staff.get(reverse(LIST), action)
    delivery.refresh_from_db()
    assert delivery.dead_at is not None, "a GET changes nothing"
    staff.post(reverse(LIST), action)
    delivery.refresh_from_db()
    assert delivery.dead_at is not None, "a reason is asked for"
    staff.post(reverse(LIST), {**action, "reason": "their server is back"})
    delivery.refresh_from_db()
    assert (delivery.status, delivery.replays) == ("pending", 1)
    assert DeadLetterAction.objects.get().actor == "staff:staff"
    tasks.deliver_webhooks()
    delivery.refresh_from_db()
    assert delivery.status == "delivered"


def test_staff_see_each_call_and_no_secret(shop: Shop, server: ShopServer, staff: Client) -> None:
    delivery = dead_delivery(shop, server)
    page = staff.get(reverse("admin:payments_webhookdelivery_change", args=[delivery.id])).content.decode()
    assert "status_500" in page
    endpoint = staff.get(reverse("admin:payments_webhookendpoint_change", args=[delivery.endpoint_id]))
    assert "whsec_" not in page + endpoint.content.decode()


@pytest.mark.parametrize("status", ["open", "delivered", "dead"])
def test_the_list_can_be_narrowed(shop: Shop, server: ShopServer, staff: Client, status: str) -> None:
    delivery = dead_delivery(shop, server)
    page = staff.get(reverse(LIST), {"status": status}).content.decode()
    assert (str(delivery.event.checkout_id) in page) is (status == "dead")


@pytest.mark.parametrize("model", ["webhookdelivery", "webhookendpoint"])
def test_nothing_can_be_written(shop: Shop, server: ShopServer, staff: Client, model: str) -> None:
    delivery = dead_delivery(shop, server)
    key = delivery.id if model == "webhookdelivery" else delivery.endpoint_id
    for url in (
        reverse(f"admin:payments_{model}_add"),
        reverse(f"admin:payments_{model}_change", args=[key]),
        reverse(f"admin:payments_{model}_delete", args=[key]),
    ):
        assert staff.post(url, {"post": "yes", "url": "https://evil.example.com/"}).status_code == 403


def found() -> list[Violation]:
    """What the invariants say about deliveries."""
    return [item for item in violations() if "deliver" in item.message or "news" in item.message]


def test_the_invariants_hold_while_news_are_delivered_late_dead_and_waiting(
    shop: Shop, server: ShopServer
) -> None:
    endpoint, _ = register_endpoint(shop=shop, url=server.url)
    with later(hours=1):
        server.answers.extend([500, 500, 204])
        for _ in range(4):
            attempt = start(shop)
            begin(attempt)
            tell(attempt)
            assert found() == []
            tasks.deliver_webhooks()
            assert found() == []
        change_endpoint(shop=shop, endpoint_id=endpoint.id, enabled=False)
        assert found() == []


def sql(statement: str) -> None:
    """Damage done past the code."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "ALTER TABLE payments_webhookdelivery DROP CONSTRAINT delivery_is_open_delivered_or_dead; "
            "UPDATE payments_webhookdelivery SET next_try_at = NULL",
            "every delivery is delivered, due, waiting for an earlier one, or dead",
        ),
        (
            "DELETE FROM payments_webhookdelivery",
            "every news has its delivery for each endpoint that asked for it",
        ),
        (
            "UPDATE payments_webhookdelivery SET next_try_at = NULL, delivered_at = now() "
            "WHERE outbox_event_id = (SELECT max(id) FROM payments_outboxevent)",
            "no news reached an endpoint while earlier news of the same checkout had not, "
            "unless somebody had it replayed",
        ),
        (
            "UPDATE payments_webhookdelivery SET next_try_at = next_try_at - interval '1 hour'",
            "no due delivery to an endpoint that answers is long overdue, unless it waits for an earlier one",
        ),
        (
            "UPDATE payments_webhookendpoint SET shop_id = '{other}'",
            "no news went to another shop's endpoint",
        ),
    ],
)
def test_the_invariants_see_planted_damage(shop: Shop, server: ShopServer, damage: str, message: str) -> None:
    register_endpoint(shop=shop, url=server.url)
    with later(hours=1):
        attempt = start(shop)
        begin(attempt)
        tell(attempt)
        assert found() == []
        connection.check_constraints()
        sql(damage.replace("{other}", str(ShopFactory.create().id)))
        assert message in [item.message for item in found()]
