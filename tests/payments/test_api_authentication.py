"""Who may do what: keys that are missing, wrong, over, or somebody else's."""

from datetime import timedelta

import pytest

from ledger import clock
from payments.models import ApiKey, PaymentEvent, Shop
from payments.services.sellers import open_seller
from payments.services.shops import COMPANY_SCOPES, SHOP_SCOPES
from tests.factories import api_key
from tests.payments.bodies import checkout_body, seller_body
from tests.payments.calling import Caller
from wallet.models import AccountHolder

pytestmark = pytest.mark.django_db

ADDRESSES = [
    ("POST", "/v1/payments"),
    ("GET", "/v1/payments/cart-1-1"),
    ("POST", "/v1/payments/cart-1-1/capture"),
    ("POST", "/v1/payments/cart-1-1/cancel"),
    ("GET", "/v1/checkouts/cart-1"),
    ("POST", "/v1/checkouts/cart-1/capture"),
    ("POST", "/v1/checkouts/cart-1/cancel"),
    ("POST", "/v1/checkouts/cart-1/attempts"),
    ("POST", "/v1/sellers"),
    ("GET", "/v1/sellers"),
    ("GET", "/v1/sellers/seller-books"),
    ("GET", "/v1/sellers/seller-books/wallets"),
]
BODIES = {"/v1/payments": checkout_body(), "/v1/sellers": seller_body()}


def call(caller: Caller, method: str, path: str, **headers: str) -> tuple[int, str]:
    """The status and code that this caller gets."""
    answer = (
        caller.get(path)
        if method == "GET"
        else caller.post(path, BODIES.get(path, {}), key="key-1", headers=headers)
    )
    return answer.status, answer.body.get("code", "")


@pytest.fixture(autouse=True)
def seller(db: None) -> None:
    open_seller(seller_account="seller-books", name="Books", email="", country="")


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_nobody_comes_in_without_a_key(method: str, path: str) -> None:
    assert call(Caller(), method, path) == (401, "not_authenticated")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer sk_0000000000_wrong",
        "Bearer sk_",
        "Bearer _",
        "Basic c2hvcDpzZWNyZXQ=",
        "Token {key}",
        "Bearer {key} {key}",
        "Bearer {key}x",
        "Bearer {start}",
        "Bearer {upper}",
        "Bearer \N{FULLWIDTH LATIN SMALL LETTER S}k_1_2",
        "Bearer " + "x" * 5000,
    ],
)
def test_a_header_that_is_no_living_key_is_refused(shop: Shop, header: str) -> None:
    key = api_key(shop)
    value = header.format(key=key, start=key[:-1], upper=key.upper())
    answer = Caller().post("/v1/payments", checkout_body(), headers={"Authorization": value})
    assert (answer.status, answer.code) == (401, "authentication_failed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert not PaymentEvent.objects.exists()


def test_a_key_that_was_revoked_is_dead_at_once(shop: Shop) -> None:
    caller = Caller(api_key(shop))
    assert caller.get("/v1/checkouts/cart-1").status == 404
    ApiKey.objects.update(revoked_at=clock.now())
    assert caller.get("/v1/checkouts/cart-1").status == 401


def test_a_key_dies_when_its_time_is_over(shop: Shop) -> None:
    alive = Caller(api_key(shop, expires_at=clock.now() + timedelta(minutes=1)))
    over = Caller(api_key(shop, expires_at=clock.now()))
    assert (alive.get("/v1/checkouts/x").status, over.get("/v1/checkouts/x").status) == (404, 401)


def test_only_a_digest_of_a_key_is_stored(shop: Shop) -> None:
    secret = api_key(shop)
    row = ApiKey.objects.values_list("label", "prefix", "digest").get()
    assert secret.rpartition("_")[2] not in str(row)
    assert len(bytes(row[2])) == 32


def test_a_shop_key_cannot_manage_sellers(caller: Caller) -> None:
    before = AccountHolder.objects.count()
    for method, path in ADDRESSES:
        if path.startswith("/v1/sellers"):
            assert call(caller, method, path) == (403, "permission_denied"), path
    assert AccountHolder.objects.count() == before


def test_a_company_key_cannot_pay_even_with_the_scope(company: Caller) -> None:
    mighty = Caller(api_key(None, [*COMPANY_SCOPES, *SHOP_SCOPES]))
    for caller in (company, mighty):
        for method, path in ADDRESSES:
            if not path.startswith("/v1/sellers"):
                assert call(caller, method, path) == (403, "permission_denied"), path
    assert not PaymentEvent.objects.exists()


def test_a_key_for_reading_cannot_write(shop: Shop) -> None:
    reader = Caller(api_key(shop, ["payments:read"]))
    assert call(reader, "POST", "/v1/payments") == (403, "permission_denied")
    assert call(reader, "GET", "/v1/checkouts/cart-1") == (404, "checkout_not_found")
    writer = Caller(api_key(shop, ["payments:write"]))
    assert call(writer, "GET", "/v1/checkouts/cart-1") == (403, "permission_denied")
    assert call(writer, "POST", "/v1/payments")[0] == 201


def test_another_shops_objects_do_not_exist(caller: Caller, stranger: Caller) -> None:
    assert caller.post("/v1/payments", checkout_body()).status == 201
    for method, path in ADDRESSES[1:8]:
        if path.endswith(("attempts", "checkouts/cart-1/capture")):
            continue  # Their bodies are refused before anything is looked for.
        status, code = call(stranger, method, path)
        assert (status, code) in ((404, "payment_order_not_found"), (404, "checkout_not_found")), path
    attempt = stranger.post(
        "/v1/checkouts/cart-1/attempts", {"payment_method": {"type": "card", "token": "t"}}, key="k"
    )
    assert (attempt.status, attempt.code) == (404, "checkout_not_found")
    capture = stranger.post(
        "/v1/checkouts/cart-1/capture", {"payment_orders": [{"payment_order_id": "cart-1-1"}]}
    )
    assert (capture.status, capture.code) == (404, "checkout_not_found")


def test_two_shops_with_the_same_ids_each_see_their_own(caller: Caller, stranger: Caller) -> None:
    caller.post("/v1/payments", checkout_body())
    stranger.post("/v1/payments", checkout_body(buyer_info={"buyer_id": "somebody-else"}))
    assert caller.get("/v1/checkouts/cart-1").body["buyer_info"] == {"buyer_id": "buyer-1"}
    assert stranger.get("/v1/checkouts/cart-1").body["buyer_info"] == {"buyer_id": "somebody-else"}
