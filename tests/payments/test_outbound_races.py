"""Real connections: payments that change while several workers deliver, and transactions that commit late."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from threading import Barrier, Event, Lock

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from payments import tasks
from payments.models import OutboxEvent, RetryStrategy, Shop, StrategyKind, WebhookDelivery, Work
from payments.psp.base import Outcome
from payments.services.deliveries import replay_delivery
from payments.services.endpoints import change_endpoint, register_endpoint
from payments.services.invariants import violations
from tests.factories import ShopFactory
from tests.payments.arranging import begin, start, tell
from tests.payments.receiving import ShopServer, shop_server

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

WRITERS, WORKERS, CHECKOUTS = 3, 4, 8


@pytest.fixture
def server(settings: Settings) -> Iterator[ShopServer]:
    settings.WEBHOOKS_ALLOW_LOOPBACK = True
    with shop_server() as running:
        yield running


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    """A shop whose failed deliveries are tried again almost at once."""
    RetryStrategy.objects.filter(work=Work.DELIVER_WEBHOOK).delete()
    RetryStrategy.objects.create(
        work=Work.DELIVER_WEBHOOK, kind=StrategyKind.FIXED, first_seconds="0.02", longest_seconds="0.02"
    )
    return ShopFactory.create()


def test_news_keep_their_order_while_writers_workers_failures_and_replays_race(
    shop: Shop, server: ShopServer
) -> None:
    chance, taken, lock = random.Random(7), defaultdict[str, list[str]](list), Lock()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(chance.random() / 100)
        code = chance.choice([204, 204, 500])
        if code == 204:
            with lock:
                taken[handler.path].append(handler.headers["webhook-id"])
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.always = answer
    for number in range(2):
        register_endpoint(shop=shop, url=f"{server.url}/{number}")
    ready, written = Barrier(WRITERS + WORKERS), Event()

    def write(number: int) -> None:
        try:
            ready.wait(20)
            for _ in range(CHECKOUTS):
                with lock:  # Whoever claims calls takes all that are due.
                    attempt = start(shop)
                    begin(attempt)
                tell(attempt, Outcome.PROCESSING)
                tell(attempt, Outcome.IN_REVIEW)
                tell(attempt)
        finally:
            connection.close()

    def work(number: int) -> None:
        try:
            ready.wait(20)
            while not written.is_set() or WebhookDelivery.objects.filter(delivered_at=None).exists():
                tasks.deliver_webhooks()
                time.sleep(0.01)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS + WORKERS) as pool:
        workers = [pool.submit(work, number) for number in range(WORKERS)]
        writers = [pool.submit(write, number) for number in range(WRITERS)]
        try:
            for writer in writers:
                writer.result(60)
        finally:
            written.set()
        for worker in workers:
            worker.result(60)

    news = OutboxEvent.objects.count()
    assert news == WRITERS * CHECKOUTS * 4
    for number in range(2):
        received = taken[f"/hooks/{number}"]
        assert len(received) == len(set(received)) == news, "each once, for no answer was lost"
        place = dict(WebhookDelivery.objects.values_list("id", "outbox_event_id"))
        checkout = dict(WebhookDelivery.objects.values_list("id", "event_id"))
        by_checkout = defaultdict(list)
        for message in received:
            delivery = next(key for key in place if str(key) == message)
            by_checkout[checkout[delivery]].append(place[delivery])
        assert all(places == sorted(places) for places in by_checkout.values())
    assert list(violations()) == []


def test_news_of_a_transaction_that_commits_late_are_not_stepped_over(shop: Shop, server: ShopServer) -> None:
    register_endpoint(shop=shop, url=server.url)
    began, may_commit = Event(), Event()

    def late() -> None:
        try:
            with transaction.atomic():
                start(shop)
                began.set()
                assert may_commit.wait(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(late)
        assert began.wait(20)
        quick = start(shop)
        tasks.deliver_webhooks()
        (first,) = WebhookDelivery.objects.all()
        assert (first.event_id, first.status) == (quick.event_id, "delivered")
        may_commit.set()
        writing.result(20)
    tasks.deliver_webhooks()
    slow = WebhookDelivery.objects.exclude(id=first.id).get()
    assert slow.outbox_event_id < first.outbox_event_id
    assert slow.status == "delivered"
    assert server.ids == [str(first.id), str(slow.id)]


def test_a_delivery_is_given_to_one_worker(shop: Shop, server: ShopServer) -> None:
    register_endpoint(shop=shop, url=server.url)
    for _ in range(20):
        start(shop)
    ready = Barrier(WORKERS)

    def work(number: int) -> None:
        try:
            ready.wait(20)
            tasks.deliver_webhooks()
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    tasks.deliver_webhooks()
    assert len(server.ids) == len(set(server.ids)) == 20


def test_disabling_and_replaying_beside_workers_leaves_nothing_undecided(
    shop: Shop, server: ShopServer
) -> None:
    endpoint, _ = register_endpoint(shop=shop, url=server.url)
    attempts = [start(shop) for _ in range(10)]
    ready = Barrier(3)

    def work() -> None:
        try:
            ready.wait(20)
            tasks.deliver_webhooks()
        finally:
            connection.close()

    def switch() -> None:
        try:
            ready.wait(20)
            for enabled in (False, True, False, True):
                change_endpoint(shop=shop, endpoint_id=endpoint.id, enabled=enabled)
        finally:
            connection.close()

    def write() -> None:
        try:
            ready.wait(20)
            for attempt in attempts:
                tell(attempt)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        for job in [pool.submit(work), pool.submit(switch), pool.submit(write)]:
            job.result(60)
    tasks.deliver_webhooks()
    for delivery in WebhookDelivery.objects.filter(dead_at__isnull=False):
        replay_delivery(shop=shop, delivery_id=delivery.id)
    for _ in range(20):
        tasks.deliver_webhooks()
        time.sleep(0.03)
    assert not WebhookDelivery.objects.filter(delivered_at=None).exists()
    assert list(violations()) == []
