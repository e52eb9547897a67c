"""What a request asks the database: each list is a budget, and whoever makes one longer argues for it here.

Orders of a checkout are read and written together, so the lists do not depend on how many there are.
"""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.services.sellers import open_seller
from tests.payments.bodies import checkout_body, order_body
from tests.payments.calling import Caller

pytestmark = pytest.mark.django_db

# In production the savepoint is the transaction's BEGIN, and its release the COMMIT.
CREATE = [
    "SELECT apikey",
    "SAVEPOINT",
    "SELECT accountholder",
    "INSERT paymentevent",
    "INSERT paymentorder",
    "SELECT risk_measure",  # All rules with all that they measure, in one function of the database.
    "INSERT riskdecision",
    "INSERT paymentattempt",
    "INSERT attemptline",
    "INSERT operationtry",
    "INSERT idempotencykey",  # Only with a key.
    "WITH outboxevent",  # With a delivery for each endpoint of the shop that wants to know.
    "RELEASE",
]

# A repeat finds out by the unique index that it is one: the first request pays nothing for the question.
REPEAT = [
    "SELECT apikey",
    "SAVEPOINT",
    "SELECT accountholder",
    "INSERT paymentevent",
    "ROLLBACK",
    "RELEASE",
]


@pytest.fixture(autouse=True)
def sellers(db: None) -> None:
    for number in range(3):
        open_seller(seller_account=f"seller-{number}", name="Seller", email="", country="")


def body(orders: int) -> dict[str, object]:
    """A checkout of so many orders for three sellers."""
    return checkout_body(
        payment_orders=[order_body(n, seller_account=f"seller-{n % 3}") for n in range(1, orders + 1)]
    )


def asked(context: CaptureQueriesContext) -> list[str]:
    """Each statement's verb and table, without the app's name."""
    told = []
    for query in context.captured_queries:
        table = re.search(r'(?:FROM|INTO|UPDATE) "?(?:payments|wallet)_(\w+)', query["sql"])
        verb = query["sql"].split()[0]
        told.append(f"{verb} {table[1]}" if table else verb)
    return told


@pytest.mark.parametrize("orders", [1, 3, 20])
@pytest.mark.parametrize("key", ["", "key-1"])
def test_creating_a_checkout(caller: Caller, orders: int, key: str) -> None:
    with CaptureQueriesContext(connection) as context:
        assert caller.post("/v1/payments", body(orders), key=key).status == 201
    assert asked(context) == [line for line in CREATE if key or line != "INSERT idempotencykey"]


@pytest.mark.parametrize("orders", [1, 20])
def test_repeating_it_by_its_checkout_id(caller: Caller, orders: int) -> None:
    caller.post("/v1/payments", body(orders))
    with CaptureQueriesContext(connection) as context:
        assert caller.post("/v1/payments", body(orders)).status == 200
    assert asked(context) == [*REPEAT, "SELECT paymentevent", "SELECT paymentorder"]


@pytest.mark.parametrize("orders", [1, 20])
def test_repeating_it_by_its_key(caller: Caller, orders: int) -> None:
    caller.post("/v1/payments", body(orders), key="key-1")
    with CaptureQueriesContext(connection) as context:
        assert caller.post("/v1/payments", body(orders), key="key-1").status == 201
    # The event, because the buyer is not in the stored answer.
    assert asked(context) == [*REPEAT, "SELECT idempotencykey", "SELECT paymentevent"]


@pytest.mark.parametrize("orders", [1, 20])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/payments/cart-1-1", ["SELECT apikey", "SELECT paymentorder"]),
        ("/v1/checkouts/cart-1", ["SELECT apikey", "SELECT paymentevent", "SELECT paymentorder"]),
    ],
)
def test_reading(caller: Caller, orders: int, path: str, expected: list[str]) -> None:
    caller.post("/v1/payments", body(orders))
    with CaptureQueriesContext(connection) as context:
        assert caller.get(path).status == 200
    assert asked(context) == expected


def test_a_caller_without_a_key_costs_no_statement() -> None:
    with CaptureQueriesContext(connection) as context:
        assert Caller().get("/v1/checkouts/cart-1").status == 401
    assert asked(context) == []
