"""One key for two checkouts at the same moment: the first counts, the second is told, nobody sees an error of ours."""

from threading import Event, Thread

import pytest
from django.db import connection, transaction

from payments import errors
from payments.models import IdempotencyKey, PaymentAttempt, Shop
from payments.services import another_attempt, idempotency
from payments.services.checkouts import create_checkout
from tests.factories import NewCheckoutFactory

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def waiting_checkout(shop: Shop) -> str:
    """A checkout whose buyer has not chosen yet."""
    new = NewCheckoutFactory.create(method="", token="")
    create_checkout(shop=shop, new=new)
    return str(new.checkout_id)


def pay(shop: Shop, checkout_id: str) -> idempotency.Answer:
    """The buyer chooses a card, always under the same key."""
    return another_attempt.request_attempt(
        shop=shop, checkout_id=checkout_id, method="card", token="tok_visa", idempotency_key="the-key"
    )


def test_the_second_of_two_at_once_is_told_that_the_key_was_used(shop: Shop) -> None:
    first, second = waiting_checkout(shop), waiting_checkout(shop)
    written, errors_seen = Event(), list[Exception]()

    def late() -> None:
        written.wait(10)
        try:
            pay(shop, second)
        except Exception as error:
            errors_seen.append(error)
        finally:
            connection.close()

    thread = Thread(target=late)
    thread.start()
    with transaction.atomic():
        pay(shop, first)
        written.set()
        thread.join(1)  # It waits for our commit, on the unique index.
    thread.join(10)
    assert [type(error) for error in errors_seen] == [errors.IdempotencyKeyReused]
    assert IdempotencyKey.objects.count() == PaymentAttempt.objects.count() == 1
