"""Buyers stand in clear nowhere in the tables of payments."""

import pytest
from django.apps import apps
from django.db import connection

from payments.models import IdempotencyKey, PaymentAttempt, PaymentEvent
from payments.services.sellers import open_seller
from tests.payments.arranging import begin, tell
from tests.payments.bodies import checkout_body
from tests.payments.calling import Caller

pytestmark = pytest.mark.django_db

BUYER = {"buyer_id": "buyer-of-tests", "name": "Amina Yusuf", "email": "amina@example.org"}


@pytest.fixture(autouse=True)
def seller(db: None) -> None:
    open_seller(seller_account="seller-books", name="Books", email="", country="")


def test_a_buyers_name_and_address_are_stored_nowhere_in_clear(caller: Caller) -> None:
    first = caller.post("/v1/payments", checkout_body(buyer_info=BUYER), key="one-key")
    attempt = PaymentAttempt.objects.get()
    begin(attempt)
    tell(attempt)
    again = caller.post("/v1/payments", checkout_body(buyer_info=BUYER), key="one-key")
    assert first.body["buyer_info"] == again.body["buyer_info"] == BUYER
    for model in apps.get_app_config("payments").get_models():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {model._meta.db_table} t WHERE t::text ~* 'amina'")
            assert cursor.fetchone() == (0,), model.__name__


def test_a_replayed_answer_shows_the_buyer_as_far_as_they_are_still_known(caller: Caller) -> None:
    caller.post("/v1/payments", checkout_body(buyer_info=BUYER), key="one-key")
    event = PaymentEvent.objects.get()
    event.buyer_info = {"buyer_id": "forgotten"}
    event.save(update_fields=["buyer_info"])
    again = caller.post("/v1/payments", checkout_body(buyer_info=BUYER), key="one-key")
    assert (again.status, again.body["buyer_info"]) == (201, {"buyer_id": "forgotten"})
    assert "buyer_info" not in IdempotencyKey.objects.get().answer
