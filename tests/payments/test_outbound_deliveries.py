"""News on their way to shops: signed, in order, again and again, and in the end a dead letter that can be replayed."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from standardwebhooks import Webhook, WebhookVerificationError

from ledger import clock
from payments import bell, retries, tasks
from payments.errors import DeliveryInProgress, EndpointDisabled
from payments.models import (
    DeadLetterAction,
    DeliveryTry,
    EventType,
    OutboxEvent,
    PaymentAttempt,
    RetryStrategy,
    Shop,
    WebhookDelivery,
    WebhookEndpoint,
)
from payments.outbound.signing import signed_headers
from payments.psp.base import Outcome
from payments.services import dead_letters, delivering
from payments.services.deliveries import replay_delivery
from payments.services.endpoints import change_endpoint, register_endpoint, rotate_secret
from payments.services.sweeping import due_bells
from tests.factories import ShopFactory
from tests.payments.arranging import begin, start, tell
from tests.payments.receiving import ShopServer, shop_server

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    """Shops of these tests live on this machine."""
    settings.WEBHOOKS_ALLOW_LOOPBACK = True


@pytest.fixture
def server() -> Iterator[ShopServer]:
    with shop_server() as running:
        yield running


@pytest.fixture
def endpoint(shop: Shop, server: ShopServer) -> WebhookEndpoint:
    return register_endpoint(shop=shop, url=server.url)[0]


def paid(shop: Shop) -> PaymentAttempt:
    """A checkout that was created, was processing for a while, and is paid: three pieces of news."""
    attempt = start(shop)
    begin(attempt)
    tell(attempt, Outcome.PROCESSING)
    tell(attempt)
    return attempt


def rows(attempt: PaymentAttempt) -> list[WebhookDelivery]:
    """The deliveries of a checkout in the order of its news."""
    return list(
        WebhookDelivery.objects.with_line()
        .filter(event=attempt.event)
        .order_by("outbox_event_id", "endpoint")
    )


def make_due() -> None:
    """Time has passed: whatever waits for its next try is due, and leases are over."""
    WebhookDelivery.objects.filter(next_try_at__isnull=False).update(next_try_at=clock.now())


def test_news_arrive_signed_and_in_order(shop: Shop, server: ShopServer) -> None:
    _, secret = register_endpoint(shop=shop, url=server.url)
    attempt = paid(shop)
    tasks.deliver_webhooks()
    news = [Webhook(secret).verify(request.body, dict(request.headers)) for request in server.received]
    assert [item["type"] for item in news] == [
        "checkout.created",
        "payment_order.pending",
        "payment_order.succeeded",
    ]
    assert news[2]["data"]["checkout_id"] == attempt.event.checkout_id
    assert news[2]["data"]["payment_order_status"] == "SUCCESS"
    assert [item["timestamp"] for item in news] == sorted(item["timestamp"] for item in news)
    assert server.ids == [str(delivery.id) for delivery in rows(attempt)]
    assert {delivery.status for delivery in rows(attempt)} == {"delivered"}
    assert all(delivery.last_response_code == 204 for delivery in rows(attempt))


def test_a_body_that_was_changed_on_the_way_does_not_verify(shop: Shop, server: ShopServer) -> None:
    _, secret = register_endpoint(shop=shop, url=server.url)
    start(shop)
    tasks.deliver_webhooks()
    (request,) = server.received
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.body.replace(b"10.00", b"99.00"), dict(request.headers))


def test_news_do_not_carry_the_buyer(shop: Shop, server: ShopServer, endpoint: WebhookEndpoint) -> None:
    start(shop, buyer_info={"buyer_id": "buyer-7", "email": "amina@example.org"})
    tasks.deliver_webhooks()
    assert b"amina" not in server.received[0].body
    assert "amina" not in json.dumps(OutboxEvent.objects.get().payload)


def test_only_the_shop_itself_hears_its_news(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    paid(ShopFactory.create())
    tasks.deliver_webhooks()
    assert server.received == []


def test_an_endpoint_gets_the_news_it_asked_for(shop: Shop, server: ShopServer) -> None:
    register_endpoint(
        shop=shop, url=server.url, event_types=[EventType.ORDER_SUCCEEDED, EventType.ORDER_FAILED]
    )
    paid(shop)
    tasks.deliver_webhooks()
    assert [json.loads(request.body)["type"] for request in server.received] == ["payment_order.succeeded"]


def test_each_endpoint_gets_its_own_delivery_of_each_news(shop: Shop, server: ShopServer) -> None:
    for path in ("one", "two"):
        register_endpoint(shop=shop, url=f"{server.url}/{path}")
    attempt = paid(shop)
    tasks.deliver_webhooks()
    assert len(rows(attempt)) == 6
    for path in ("/hooks/one", "/hooks/two"):
        mine = [json.loads(request.body)["type"] for request in server.received if request.path == path]
        assert mine == ["checkout.created", "payment_order.pending", "payment_order.succeeded"]


def test_news_and_deliveries_are_written_together_or_not_at_all(
    shop: Shop, endpoint: WebhookEndpoint
) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        start(shop)
        assert WebhookDelivery.objects.count() == OutboxEvent.objects.count() == 1
        raise RuntimeError
    assert WebhookDelivery.objects.count() == OutboxEvent.objects.count() == 0


def test_later_news_wait_while_the_first_fails(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = paid(shop)
    server.always = 500
    for _ in range(3):
        make_due()
        tasks.deliver_webhooks()
    first, second, third = rows(attempt)
    assert set(server.ids) == {str(first.id)}
    assert (first.status, second.status, third.status) == ("pending", "waiting", "waiting")
    assert (first.tries, first.last_response_code) == (3, 500)
    assert first.next_try_at == second.next_try_at == third.next_try_at
    server.always, server.received[:] = 200, []
    make_due()
    tasks.deliver_webhooks()
    assert server.ids == [str(first.id), str(second.id), str(third.id)]


def test_another_checkout_does_not_wait(shop: Shop, server: ShopServer, endpoint: WebhookEndpoint) -> None:
    stuck = start(shop)
    server.answers.append(500)
    tasks.deliver_webhooks()
    other = paid(shop)
    tasks.deliver_webhooks()
    assert {delivery.status for delivery in rows(other)} == {"delivered"}
    assert rows(stuck)[0].status == "pending"


def test_another_endpoint_does_not_wait(shop: Shop, server: ShopServer, endpoint: WebhookEndpoint) -> None:
    with shop_server() as broken:
        broken.always = 500
        register_endpoint(shop=shop, url=broken.url)
        paid(shop)
        tasks.deliver_webhooks()
    assert len(server.received) == 3
    assert len(broken.received) == 1


def test_news_that_come_while_an_earlier_one_waits_are_due_with_it(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = start(shop)
    server.answers.append(500)
    tasks.deliver_webhooks()
    begin(attempt)
    tell(attempt)
    first, second = rows(attempt)
    assert second.next_try_at == first.next_try_at
    assert due_bells().get(bell.DELIVERIES) is None


def test_news_that_come_while_an_earlier_one_is_being_sent_are_sent_after_it(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = start(shop)
    claim = delivering.claim_delivery()
    assert claim is not None
    begin(attempt)
    tell(attempt)
    assert delivering.claim_delivery() is None
    delivering.record_call(claim, call(204))
    tasks.deliver_webhooks()
    assert [delivery.status for delivery in rows(attempt)] == ["delivered", "delivered"]


def call(code: int | None, **changes: object) -> delivering.Call:
    """A call that was made just now and was answered like this."""
    return delivering.Call(
        started_at=clock.now(),
        duration=timedelta(milliseconds=5),
        response_code=code,
        **changes,  # type: ignore[arg-type]
    )


def claimed() -> delivering.Parcel:
    """The next delivery, claimed."""
    parcel = delivering.claim_delivery()
    assert parcel is not None
    return parcel


def test_every_call_is_kept_with_what_came_of_it(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = start(shop)
    server.answers.extend([503, 302, 200])
    for _ in range(3):
        make_due()
        tasks.deliver_webhooks()
    made = list(DeliveryTry.objects.filter(delivery=rows(attempt)[0]).order_by("id"))
    assert [one.response_code for one in made] == [503, 302, 200]
    assert [one.error_class for one in made] == ["status_503", "status_302", ""]
    assert len(set(server.ids)) == 1, "the webhook-id is the same at every try"
    assert len({request.body for request in server.received}) == 1


def test_the_schedule_lasts_some_three_days(shop: Shop, endpoint: WebhookEndpoint) -> None:
    attempt = start(shop)
    begun, waits = clock.now(), []
    with time_machine.travel(begun, tick=False) as now:
        while rows(attempt)[0].dead_at is None:
            delivering.record_call(claimed(), call(500))
            due = rows(attempt)[0].next_try_at
            if due is not None:
                waits.append((due - clock.now()).total_seconds())
                now.move_to(due)
    assert len(waits) == 10
    for wait, about in zip(waits, [5, 20, 80, 320, 1280, 5120, 20480, 81920, 86400, 86400], strict=True):
        assert about * 0.9 <= wait <= about * 1.1
    assert 2.9 < sum(waits) / 86400 < 3.7


def test_retry_after_is_heeded_up_to_an_hour(shop: Shop, endpoint: WebhookEndpoint) -> None:
    for code, asked, least, most in ((429, 600, 599, 601), (503, 9e9, 3599, 3601), (500, 600, 4, 6)):
        attempt = start(shop)
        delivering.record_call(claimed(), call(code, retry_after_seconds=asked))
        due = rows(attempt)[0].next_try_at
        assert due is not None
        assert least <= (due - clock.now()).total_seconds() <= most


def test_a_dead_delivery_lets_the_next_one_go_and_is_replayed_by_staff(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = paid(shop)
    first, second, third = rows(attempt)
    WebhookDelivery.objects.filter(id=first.id).update(tries=10)
    server.answers.append(500)
    tasks.deliver_webhooks()
    assert [delivery.status for delivery in rows(attempt)] == ["dead", "delivered", "delivered"]
    assert [letter.id for letter in dead_letters.list_dead_letters()] == [first.id]
    dead_letters.replay(
        kind="webhook_delivery", object_id=first.id, actor="staff:ada", reason="they are back"
    )
    tasks.deliver_webhooks()
    assert server.ids == [str(one.id) for one in (first, second, third, first)]
    assert rows(attempt)[0].status == "delivered"
    assert DeadLetterAction.objects.get().actor == "staff:ada"


def test_a_strategy_of_staff_counts(shop: Shop, server: ShopServer, endpoint: WebhookEndpoint) -> None:
    RetryStrategy.objects.create(work="deliver_webhook", error_class="status_410", kind="give_up")
    attempt = start(shop)
    server.always = 410
    tasks.deliver_webhooks()
    assert rows(attempt)[0].status == "dead"


def test_a_delivered_one_is_sent_again_when_the_shop_asks(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = start(shop)
    tasks.deliver_webhooks()
    replayed = replay_delivery(shop=shop, delivery_id=rows(attempt)[0].id)
    assert (replayed.status, replayed.tries, replayed.replays) == ("pending", 0, 1)
    tasks.deliver_webhooks()
    assert server.ids == [str(replayed.id)] * 2


@pytest.mark.parametrize(("answer", "status"), [(200, "delivered"), (410, "dead")])
def test_what_waited_goes_at_once_when_the_first_is_replayed_before_its_next_try(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint, answer: int, status: str
) -> None:
    RetryStrategy.objects.create(work="deliver_webhook", error_class="status_410", kind="give_up")
    attempt = paid(shop)
    server.answers.extend([500, answer])
    tasks.deliver_webhooks()
    tasks.deliver_webhooks()
    assert len(server.received) == 1, "all wait for the next try of the first"
    replay_delivery(shop=shop, delivery_id=rows(attempt)[0].id)
    tasks.deliver_webhooks()
    assert [delivery.status for delivery in rows(attempt)] == [status, "delivered", "delivered"]


def test_what_is_being_sent_cannot_be_replayed(shop: Shop, endpoint: WebhookEndpoint) -> None:
    start(shop)
    claim = claimed()
    with pytest.raises(DeliveryInProgress):
        replay_delivery(shop=shop, delivery_id=claim.delivery_id)


def test_a_worker_that_dies_costs_one_lease(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = paid(shop)
    lost = claimed()
    tasks.deliver_webhooks()
    assert server.received == []
    with time_machine.travel(clock.now() + retries.LEASE + timedelta(seconds=1)):
        assert due_bells()[bell.DELIVERIES] == 1
        tasks.deliver_webhooks()
    assert server.ids[0] == str(lost.delivery_id)
    assert {delivery.status for delivery in rows(attempt)} == {"delivered"}


def test_the_failure_of_a_stale_claim_changes_nothing(shop: Shop, endpoint: WebhookEndpoint) -> None:
    attempt = start(shop)
    stale = claimed()
    make_due()
    fresh = claimed()
    delivering.record_call(stale, call(500))
    (delivery,) = rows(attempt)
    assert delivery.claim_token == fresh.token
    delivering.record_call(fresh, call(200))
    delivering.record_call(stale, call(500))
    assert rows(attempt)[0].status == "delivered"


def test_a_success_counts_whoever_brings_it(shop: Shop, endpoint: WebhookEndpoint) -> None:
    attempt = start(shop)
    stale = claimed()
    make_due()
    claimed()
    delivering.record_call(stale, call(200))
    assert rows(attempt)[0].status == "delivered"


def test_a_delivery_that_ends_its_workers_goes_to_the_dead_letters(
    shop: Shop, endpoint: WebhookEndpoint
) -> None:
    poison, other = start(shop), start(shop)
    WebhookDelivery.objects.filter(event=poison.event).update(tries=retries.MOST_CLAIMS)
    assert claimed().delivery_id == rows(other)[0].id
    assert rows(poison)[0].status == "dead"


def test_a_disabled_endpoint_hears_nothing_and_can_be_caught_up(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    waiting = start(shop)
    change_endpoint(shop=shop, endpoint_id=endpoint.id, enabled=False)
    silent = paid(shop)
    tasks.deliver_webhooks()
    (delivery,) = rows(waiting)
    assert (server.received, delivery.status, rows(silent)) == ([], "dead", [])
    with pytest.raises(EndpointDisabled):
        replay_delivery(shop=shop, delivery_id=delivery.id)
    change_endpoint(shop=shop, endpoint_id=endpoint.id, enabled=True)
    replay_delivery(shop=shop, delivery_id=delivery.id)
    tasks.deliver_webhooks()
    assert server.ids == [str(delivery.id)]


def test_news_written_while_the_endpoint_was_being_disabled_are_not_sent(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    attempt = start(shop)
    WebhookEndpoint.objects.update(enabled=False)
    tasks.deliver_webhooks()
    assert (server.received, rows(attempt)[0].status) == ([], "dead")


def test_while_secrets_overlap_both_verify(shop: Shop, server: ShopServer) -> None:
    endpoint, old = register_endpoint(shop=shop, url=server.url)
    _, new = rotate_secret(shop=shop, endpoint_id=endpoint.id, overlap=timedelta(hours=1))
    start(shop)
    tasks.deliver_webhooks()
    (request,) = server.received
    for secret in (old, new):
        assert Webhook(secret).verify(request.body, dict(request.headers))["type"] == "checkout.created"
    assert len(request.headers["webhook-signature"].split(" ")) == 2


def test_after_the_overlap_only_the_new_secret_signs(shop: Shop, server: ShopServer) -> None:
    endpoint, old = register_endpoint(shop=shop, url=server.url)
    _, new = rotate_secret(shop=shop, endpoint_id=endpoint.id, overlap=timedelta(0))
    start(shop)
    tasks.deliver_webhooks()
    (request,) = server.received
    Webhook(new).verify(request.body, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(request.body, dict(request.headers))


def test_secrets_are_encrypted_in_their_table(shop: Shop, server: ShopServer) -> None:
    _, secret = register_endpoint(shop=shop, url=server.url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM payments_endpointsecret")
        stored = cursor.fetchone()[0]
    assert secret.removeprefix("whsec_") not in stored


def test_an_address_that_is_no_longer_allowed_is_not_called(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint, settings: Settings
) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    attempt = start(shop)
    tasks.deliver_webhooks()
    assert server.received == []
    assert rows(attempt)[0].last_error == "Only https addresses are called."
    assert DeliveryTry.objects.get().error_class == "address_refused"


def test_an_error_of_ours_keeps_no_other_news_waiting(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = start(shop), start(shop)
    sign = signed_headers
    broken = str(rows(first)[0].id)

    def sometimes(*, message_id: str, **rest: object) -> object:
        if message_id == broken:
            raise ZeroDivisionError
        return sign(message_id=message_id, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(tasks, "signed_headers", sometimes)
    tasks.deliver_webhooks()
    assert (rows(first)[0].status, rows(second)[0].status) == ("pending", "delivered")
    assert DeliveryTry.objects.get(delivery__event=first.event).error_class == "ZeroDivisionError"


def test_one_endpoint_gets_a_few_calls_at_a_time(shop: Shop, endpoint: WebhookEndpoint) -> None:
    for _ in range(delivering.MOST_AT_ONCE + 2):
        start(shop)
    for _ in range(delivering.MOST_AT_ONCE):
        claimed()
    assert delivering.claim_delivery() is None


def test_an_endpoint_that_fails_or_is_slow_comes_last_and_one_call_at_a_time(
    shop: Shop, server: ShopServer, endpoint: WebhookEndpoint
) -> None:
    slow = start(shop)
    delivering.record_call(
        claimed(),
        delivering.Call(started_at=clock.now(), duration=timedelta(seconds=3), response_code=200),
    )
    endpoint.refresh_from_db()
    assert endpoint.troubled_since is not None
    assert rows(slow)[0].status == "delivered"
    for _ in range(3):
        start(shop)
    other_shop = ShopFactory.create()
    register_endpoint(shop=other_shop, url=server.url)
    quick = start(other_shop)
    assert claimed().delivery_id == rows(quick)[0].id, "although it is the youngest"
    troubled = claimed()
    assert delivering.claim_delivery() is None
    delivering.record_call(troubled, call(200))
    endpoint.refresh_from_db()
    assert endpoint.troubled_since is None
    for _ in range(2):
        claimed()


def test_all_troubled_endpoints_together_get_a_few_calls(shop: Shop, server: ShopServer) -> None:
    for number in range(delivering.MOST_TROUBLED_AT_ONCE + 2):
        register_endpoint(shop=shop, url=f"{server.url}/{number}")
    WebhookEndpoint.objects.update(troubled_since=clock.now())
    start(shop)
    for _ in range(delivering.MOST_TROUBLED_AT_ONCE):
        claimed()
    assert delivering.claim_delivery() is None


def test_the_bell_is_rung_only_when_somebody_listens(
    shop: Shop,
    server: ShopServer,
    rings: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        start(shop)
    assert bell.DELIVERIES not in rings
    register_endpoint(shop=shop, url=server.url)
    with django_capture_on_commit_callbacks(execute=True):
        start(shop)
    assert bell.DELIVERIES in rings


@pytest.mark.parametrize(
    "change",
    [
        "next_try_at = NULL",
        "delivered_at = now()",
        "dead_at = now()",
        "next_try_at = NULL, delivered_at = now(), dead_at = now()",
        "outbox_event_id = outbox_event_id + 1",
        "endpoint_id = gen_random_uuid()",
    ],
)
def test_the_database_refuses_a_delivery_that_is_neither_open_nor_delivered_nor_dead(
    shop: Shop, endpoint: WebhookEndpoint, change: str
) -> None:
    start(shop)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE payments_webhookdelivery SET {change}")
