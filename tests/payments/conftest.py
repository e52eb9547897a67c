"""For the tests of payments: a silent bell, a shop, and callers of the API."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from payments import bell
from payments.models import Shop
from payments.services.shops import COMPANY_SCOPES
from tests.factories import ShopFactory, api_key
from tests.payments.calling import Caller


@pytest.fixture(autouse=True)
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bells that were rung, instead of a broker that would hear them."""
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    return rung


@pytest.fixture
def shop(db: None) -> Shop:
    """A shop."""
    return ShopFactory.create()


@pytest.fixture
def caller(shop: Shop) -> Caller:
    """The shop, calling the API with a key of its own."""
    return Caller(api_key(shop))


@pytest.fixture
def company(db: None) -> Caller:
    """The company itself: it manages sellers and owns no orders."""
    return Caller(api_key(None, COMPANY_SCOPES))


@pytest.fixture
def stranger(db: None) -> Caller:
    """Another shop."""
    return Caller(api_key(ShopFactory.create()))


@pytest.fixture
def hands() -> Iterator[time_machine.Traveller]:
    """The clock, stopped; the test moves its hands."""
    with time_machine.travel(datetime(2026, 11, 20, 12, 0, tzinfo=UTC), tick=False) as traveller:
        yield traveller
