"""What a shop may do about its webhooks over the API, and what another shop may not."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook

from ledger.ids import uuid7
from payments import tasks
from payments.models import EndpointSecret, Shop, WebhookDelivery, WebhookEndpoint
from payments.services.endpoints import MOST_ENABLED, MOST_SECRETS
from tests.factories import api_key
from tests.payments.arranging import start
from tests.payments.calling import Answer, Caller
from tests.payments.receiving import ShopServer, shop_server

pytestmark = pytest.mark.django_db

URL = "https://shop.example.com/hooks"


@pytest.fixture
def server(settings: Settings) -> Iterator[ShopServer]:
    settings.WEBHOOKS_ALLOW_LOOPBACK = True
    with shop_server() as running:
        yield running


def register(caller: Caller, url: str = URL, **changes: Any) -> dict[str, Any]:
    """A registered endpoint as the API answered it."""
    answer = caller.post("/v1/webhook_endpoints", {"url": url, **changes})
    assert answer.status == 201
    body: dict[str, Any] = answer.body
    return body


def test_an_endpoint_is_registered_and_its_secret_shown_once(caller: Caller) -> None:
    made = register(caller, description="payments", event_types=["payment_order.succeeded"])
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["enabled"], made["description"]) == (URL, True, "payments")
    assert made["event_types"] == ["payment_order.succeeded"]
    for body in (
        caller.get(f"/v1/webhook_endpoints/{made['id']}").body,
        caller.get("/v1/webhook_endpoints").body["webhook_endpoints"][0],
    ):
        assert body == {name: value for name, value in made.items() if name != "secret"}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "url"),
        ({"url": 7}, 400, "url"),
        ({"url": None}, 400, "url"),
        ({"url": ""}, 400, "url"),
        ({"url": "https://shop.example.com/\x00"}, 400, "url"),
        ({"url": "https://shop.example.com/" + "x" * 2000}, 400, "url"),
        ({"url": "http://shop.example.com/"}, 422, "url"),
        ({"url": "https://127.0.0.1/"}, 422, "url"),
        ({"url": "http://127.0.0.1:9000/"}, 422, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, 422, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, 422, "url"),
        ({"url": "https://2130706433/"}, 422, "url"),
        ({"url": "https://user:secret@shop.example.com/"}, 422, "url"),
        ({"url": " https://shop.example.com/"}, 422, "url"),
        ({"url": "ftp://shop.example.com/"}, 422, "url"),
        ({"url": URL, "event_types": ["payment_order.exploded"]}, 400, "event_types[0]"),
        ({"url": URL, "event_types": "checkout.created"}, 400, "event_types"),
        ({"url": URL, "event_types": ["checkout.created"] * 50}, 400, "event_types"),
        ({"url": URL, "description": "x" * 201}, 400, "description"),
        ({"url": URL, "enabled": False}, 400, "enabled"),
        ({"url": URL, "secret": "whsec_mine"}, 400, "secret"),
    ],
)
def test_what_cannot_be_registered_names_its_field(
    caller: Caller, settings: Settings, body: dict[str, Any], status: int, field: str
) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False  # As in production; the tests' own servers allow it.
    answer = caller.post("/v1/webhook_endpoints", body)
    assert (answer.status, answer.fields) == (status, [field])
    assert not WebhookEndpoint.objects.exists()


def test_a_url_with_many_digits_is_no_card_number(caller: Caller) -> None:
    register(caller, "https://shop.example.com/hooks/4242424242424242")


def test_a_patch_changes_what_it_names(caller: Caller) -> None:
    made = register(caller, event_types=["checkout.created"])
    path = f"/v1/webhook_endpoints/{made['id']}"
    changed = caller.patch(path, {"event_types": [], "description": "all"})
    assert changed.status == 200
    assert (changed.body["event_types"], changed.body["description"], changed.body["url"]) == ([], "all", URL)
    assert caller.patch(path, {"url": "https://10.0.0.1/"}).code == "webhook_url_refused"
    assert (
        caller.patch(path, {"url": "https://other.example.com/"}).body["url"] == "https://other.example.com/"
    )
    assert caller.patch(path, {"enabled": "false"}).status == 400
    assert caller.patch(path, {"enabled": False}).body["enabled"] is False
    assert caller.patch(path, {"enabled": True}).body["enabled"] is True


def test_delete_disables_and_keeps_what_was_sent(caller: Caller, shop: Shop) -> None:
    made = register(caller)
    start(shop)
    path = f"/v1/webhook_endpoints/{made['id']}"
    assert caller.delete(path).status == 204
    assert caller.delete(path).status == 204
    assert caller.get(path).body["enabled"] is False
    (delivery,) = caller.get(f"{path}/deliveries").body["webhook_deliveries"]
    assert (delivery["status"], delivery["last_error"]) == ("dead", "The endpoint was disabled.")


def test_a_shop_enables_so_many_endpoints_and_no_more(caller: Caller) -> None:
    made = [register(caller, f"{URL}/{number}") for number in range(MOST_ENABLED)]
    assert caller.post("/v1/webhook_endpoints", {"url": URL}).code == "too_many_webhook_endpoints"
    caller.delete(f"/v1/webhook_endpoints/{made[0]['id']}")
    register(caller)
    path = f"/v1/webhook_endpoints/{made[0]['id']}"
    assert caller.patch(path, {"enabled": True}).code == "too_many_webhook_endpoints"


def test_a_rotated_secret_is_new_and_the_old_one_ends(caller: Caller) -> None:
    made = register(caller)
    path = f"/v1/webhook_endpoints/{made['id']}/rotate_secret"
    rotated = caller.post(path, {"overlap_hours": 2})
    assert rotated.status == 200
    assert rotated.body["secret"] != made["secret"]
    newest, older = rotated.body["secrets"]
    assert newest["expires_at"] is None
    assert older["expires_at"] is not None
    ended = caller.post(path, {"overlap_hours": 0})
    assert len(ended.body["secrets"]) == 1
    assert EndpointSecret.objects.count() == 3


@pytest.mark.parametrize("hours", [-1, 169, "2", 1.5, True, None])
def test_an_overlap_is_a_number_of_hours_up_to_a_week(caller: Caller, hours: Any) -> None:
    made = register(caller)
    answer = caller.post(f"/v1/webhook_endpoints/{made['id']}/rotate_secret", {"overlap_hours": hours})
    assert (answer.status, answer.fields) == (400, ["overlap_hours"])


def test_secrets_cannot_pile_up(caller: Caller) -> None:
    path = f"/v1/webhook_endpoints/{register(caller)['id']}/rotate_secret"
    codes = [caller.post(path).status for _ in range(MOST_SECRETS)]
    assert codes == [200] * (MOST_SECRETS - 1) + [409]
    assert caller.post(path).code == "too_many_webhook_secrets"
    assert caller.post(path, {"overlap_hours": 0}).status == 200


def test_deliveries_are_listed_newest_first_page_by_page(caller: Caller, shop: Shop) -> None:
    made = register(caller)
    for _ in range(103):
        start(shop)
    path = f"/v1/webhook_endpoints/{made['id']}/deliveries"
    first = caller.get(path).body
    second = caller.get(f"{path}?before={first['next_before']}").body
    assert (len(first["webhook_deliveries"]), len(second["webhook_deliveries"])) == (100, 3)
    assert second["next_before"] is None
    listed = [item["id"] for page in (first, second) for item in page["webhook_deliveries"]]
    wanted = WebhookDelivery.objects.order_by("-outbox_event_id").values_list("id", flat=True)
    assert listed == [str(delivery_id) for delivery_id in wanted]


def test_deliveries_are_listed_by_status(caller: Caller, shop: Shop, server: ShopServer) -> None:
    path = f"/v1/webhook_endpoints/{register(caller, server.url)['id']}/deliveries"
    start(shop)
    tasks.deliver_webhooks()
    server.always = 500
    start(shop)
    tasks.deliver_webhooks()
    for status in ("delivered", "pending"):
        (listed,) = caller.get(f"{path}?status={status}").body["webhook_deliveries"]
        assert listed["status"] == status
    assert caller.get(f"{path}?status=dead").body["webhook_deliveries"] == []
    assert caller.get(f"{path}?status=lost").status == 400
    assert caller.get(f"{path}?before=yesterday").status == 400
    assert caller.get(f"{path}?before={uuid7()}").status == 404


def test_a_delivery_shows_its_body_and_its_calls(caller: Caller, shop: Shop, server: ShopServer) -> None:
    made = register(caller, server.url)
    server.answers.append(500)
    attempt = start(shop)
    tasks.deliver_webhooks()
    shown = caller.get(f"/v1/webhook_deliveries/{server.ids[0]}").body
    assert shown["body"].encode() == server.received[0].body
    assert (shown["checkout_id"], shown["event_type"]) == (attempt.event.checkout_id, "checkout.created")
    assert (shown["tries"], shown["last_response_code"]) == (1, 500)
    (call,) = shown["calls"]
    assert (call["response_code"], call["error"]) == (500, "status_500")
    Webhook(made["secret"]).verify(shown["body"], dict(server.received[0].headers))


def test_a_replay_sends_it_again_under_the_same_id(caller: Caller, shop: Shop, server: ShopServer) -> None:
    register(caller, server.url)
    start(shop)
    tasks.deliver_webhooks()
    answer = caller.post(f"/v1/webhook_deliveries/{server.ids[0]}/replay")
    assert (answer.status, answer.body["status"], answer.body["tries"]) == (202, "pending", 0)
    tasks.deliver_webhooks()
    assert server.ids[0] == server.ids[1]


def test_a_replay_to_a_disabled_endpoint_is_refused(caller: Caller, shop: Shop) -> None:
    made = register(caller)
    start(shop)
    caller.delete(f"/v1/webhook_endpoints/{made['id']}")
    delivery = WebhookDelivery.objects.get()
    assert caller.post(f"/v1/webhook_deliveries/{delivery.id}/replay").code == "webhook_endpoint_disabled"


def everything_about(caller: Caller, endpoint_id: object, delivery_id: object) -> dict[str, Answer]:
    """Every address that names an endpoint or a delivery, called."""
    endpoint, delivery = f"/v1/webhook_endpoints/{endpoint_id}", f"/v1/webhook_deliveries/{delivery_id}"
    return {
        "read": caller.get(endpoint),
        "change": caller.patch(endpoint, {"enabled": False}),
        "disable": caller.delete(endpoint),
        "rotate": caller.post(f"{endpoint}/rotate_secret"),
        "list": caller.get(f"{endpoint}/deliveries"),
        "read delivery": caller.get(delivery),
        "replay": caller.post(f"{delivery}/replay"),
    }


def test_what_belongs_to_another_shop_is_not_there(caller: Caller, stranger: Caller, shop: Shop) -> None:
    made = register(caller)
    start(shop)
    delivery = WebhookDelivery.objects.get()
    theirs = everything_about(stranger, made["id"], delivery.id)
    nobodys = everything_about(stranger, uuid7(), uuid7())
    assert {answer.status for answer in theirs.values()} == {404}
    assert {name: answer.code for name, answer in theirs.items()} == {
        name: answer.code for name, answer in nobodys.items()
    }
    assert stranger.get("/v1/webhook_endpoints").body == {"webhook_endpoints": []}
    assert WebhookEndpoint.objects.get().enabled


def test_a_page_cannot_begin_at_another_shops_delivery(caller: Caller, stranger: Caller, shop: Shop) -> None:
    register(caller)
    start(shop)
    theirs = register(stranger)
    delivery = WebhookDelivery.objects.get()
    path = f"/v1/webhook_endpoints/{theirs['id']}/deliveries?before={delivery.id}"
    assert stranger.get(path).code == "webhook_delivery_not_found"


def test_a_key_needs_the_scopes(shop: Shop, company: Caller) -> None:
    reader = Caller(api_key(shop, ["webhooks:read"]))
    nobody = Caller(api_key(shop, ["payments:read", "payments:write"]))
    company_with_scope = Caller(api_key(None, ["webhooks:read", "webhooks:write"]))
    assert reader.get("/v1/webhook_endpoints").status == 200
    assert reader.post("/v1/webhook_endpoints", {"url": URL}).status == 403
    for caller in (nobody, company, company_with_scope):
        assert caller.get("/v1/webhook_endpoints").status == 403
    assert Caller().get("/v1/webhook_endpoints").status == 401
    answers = everything_about(reader, uuid7(), uuid7())
    assert {name for name, answer in answers.items() if answer.status == 403} == {
        "change",
        "disable",
        "rotate",
        "replay",
    }


@pytest.mark.parametrize("path", ["webhook_endpoints/7", "webhook_deliveries/%00", "webhook_deliveries/../x"])
def test_an_id_that_cannot_exist_is_not_looked_up(caller: Caller, path: str) -> None:
    assert caller.get(f"/v1/{path}").status == 404
