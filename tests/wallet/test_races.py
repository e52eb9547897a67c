"""Real connections opening the same things at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction
from moneyed import Money

from ledger.ids import uuid7
from tests.wallet.building import credit, new_lot, seller, wallet
from wallet.errors import HolderExists
from wallet.models import AccountHolder, Lot, Wallet
from wallet.services import ensure_wallets, open_lots, violations, wallets_of

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

CALLERS = 8


def all_at_once(call: Callable[[int], Any]) -> list[Any]:
    """What `call(number)` returned or raised, for eight callers that start together on connections of their
    own.
    """
    ready = Barrier(CALLERS)

    def run(number: int) -> Any:
        try:
            ready.wait(timeout=20)
            return call(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(run, range(CALLERS)))


def test_callers_who_open_one_holder_get_one_holder() -> None:
    for round_number in range(5):
        holders = all_at_once(lambda _, name=f"s-{round_number}": seller(name))  # type: ignore[misc]
        assert len({holder.id for holder in holders}) == 1
    assert AccountHolder.objects.count() == 5


def test_of_callers_with_different_content_one_wins() -> None:
    results = all_at_once(lambda number: seller("x", name=f"name {number}"))
    assert sum(isinstance(result, HolderExists) for result in results) == CALLERS - 1
    assert AccountHolder.objects.count() == 1


def test_callers_who_open_the_same_wallets_get_the_same_wallets() -> None:
    for round_number in range(5):
        pairs = [
            (seller(f"s-{round_number}-{number}").id, currency)
            for number in range(5)
            for currency in ("EUR", "KES")
        ]
        # Half of them name the pairs in the opposite order: nobody may wait in a ring.
        answers = all_at_once(lambda number, pairs=pairs: ensure_wallets(pairs[:: 1 if number % 2 else -1]))  # type: ignore[misc]
        assert all(answer == answers[0] for answer in answers), answers
    assert Wallet.objects.count() == 50
    assert list(violations()) == []


def test_captures_for_one_seller_at_once_all_arrive() -> None:
    holder = seller()
    results = all_at_once(lambda number: [credit(wallet(holder), ["1.00", "0.50"]) for _ in range(5)])
    assert [result for result in results if isinstance(result, Exception)] == []
    assert wallets_of(holder.id)[0].pending == Money("60.00", "EUR")
    assert Lot.objects.count() == 80
    assert list(violations()) == []


def test_one_source_at_once_gives_one_lot() -> None:
    to = wallet()
    sources = [uuid7() for _ in range(5)]

    def open_all(number: int) -> list[Lot]:
        new = [new_lot(to, Money("1.00", "EUR"), source) for source in sources]
        with transaction.atomic():
            return open_lots(new[:: 1 if number % 2 else -1])

    answers = all_at_once(open_all)
    assert all({lot.id for lot in answer} == {lot.id for lot in answers[0]} for answer in answers), answers
    assert Lot.objects.count() == 5
