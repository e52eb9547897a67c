"""Real connections posting at once."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import OperationalError, connection, transaction

from ledger import chart
from ledger.errors import BelowFloor, DuplicateReference
from ledger.ids import uuid7
from ledger.models import Account, JournalEntry
from ledger.services import (
    Posted,
    balance,
    balances,
    freeze,
    open_accounts,
    post,
    post_many,
    roll_up,
    unfreeze,
    violations,
)
from tests.ledger.building import (
    COMMISSION,
    RECEIVABLE,
    REFUNDS,
    entry,
    eur,
    funded,
    sale,
    taking,
    wait_for_a_lock_wait,
    wallet,
)

Result = TypeVar("Result")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def at_once(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run each job in a thread with its own connection, all starting together."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[], Result]) -> Result:
        try:
            connection.ensure_connection()
            barrier.wait()
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_one_reference_posted_by_many_at_once_is_posted_once() -> None:
    seller = wallet()
    for number in range(10):
        posted = at_once([partial(post, sale(seller, 1, reference=f"capture:{number}"))] * 8)
        assert len({result.entry_id for result in posted}) == 1
        assert sum(not result.replayed for result in posted) == 1
    assert balance(seller) == eur(10)
    assert list(violations()) == []


def test_one_reference_without_any_exact_account_is_posted_once() -> None:
    for number in range(10):
        fee = entry((RECEIVABLE, 1), (COMMISSION, -1), reference=f"fee:{number}")
        posted = at_once([partial(post, fee)] * 8)
        assert len({result.entry_id for result in posted}) == 1
        assert sum(not result.replayed for result in posted) == 1
    assert balance(RECEIVABLE) == eur(10)
    assert list(violations()) == []


def test_one_reference_with_different_contents_is_posted_once_and_refused_otherwise() -> None:
    sellers = [wallet() for _ in range(4)]
    for number in range(10):
        batches = [[sale(seller, 1, reference=f"capture:{number}"), sale(seller, 1)] for seller in sellers]
        results = [posted[0] for posted in at_once([partial(post_many, batch) for batch in batches])]
        assert sum(result.entry_id is not None for result in results) == 1
        assert all(isinstance(result.refusal, DuplicateReference) for result in results if result.refusal)
    assert sum(held.amount for held in balances(sellers).values()) == 50
    assert list(violations()) == []


def test_a_batch_waits_for_a_reference_and_replays_what_was_committed_meanwhile() -> None:
    """Without an exact account nothing but the reference itself makes the two meet."""
    same = entry((RECEIVABLE, 1), (COMMISSION, -1), reference="fee:1")
    other = entry((RECEIVABLE, 2), (COMMISSION, -2), reference="fee:2")
    post(entry((RECEIVABLE, 1), (COMMISSION, -1)))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first = post_many([same, entry((RECEIVABLE, 3), (COMMISSION, -3), reference="fee:2")])

            def late() -> list[Posted]:
                try:
                    with transaction.atomic():
                        seller = wallet()
                        return post_many([sale(seller, 5), same, other, same, taking(seller, 5)])
                finally:
                    connection.close()

            waiting = pool.submit(late)
            wait_for_a_lock_wait()
        posted, replayed, refused, replayed_again, taken = waiting.result()
    assert (replayed.replayed, replayed.entry_id) == (True, first[0].entry_id)
    assert (replayed_again.replayed, replayed_again.entry_id) == (True, first[0].entry_id)
    assert isinstance(refused.refusal, DuplicateReference)
    assert posted.entry_id is not None
    assert taken.entry_id is not None
    assert balance(RECEIVABLE) == eur(1 + 1 + 3 + 5)
    assert list(violations()) == []


def test_a_reference_taken_meanwhile_by_other_wallets_sends_the_callers_transaction_back() -> None:
    mine, theirs = wallet(), wallet()
    post(sale(mine, 1))
    outcomes = []
    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            post(sale(theirs, 1, reference="capture:1"))

            def late(inside: bool) -> Posted | str:
                try:
                    if not inside:
                        return post_many([sale(mine, 1, reference="capture:1")])[0]
                    with transaction.atomic():
                        return post_many([sale(mine, 1, reference="capture:1")])[0]
                except OperationalError as error:
                    return str(error)
                finally:
                    connection.close()

            waiting = [pool.submit(late, inside) for inside in (True, False)]
            wait_for_a_lock_wait()
        outcomes = [future.result() for future in waiting]
    inside, outside = outcomes
    assert isinstance(outside, Posted)
    assert isinstance(outside.refusal, DuplicateReference)
    # It may also have come so late that the other entry was already there.
    if isinstance(inside, str):
        assert "posted elsewhere" in inside
    else:
        assert isinstance(inside.refusal, DuplicateReference)
    assert balance(mine) == eur(1)
    assert list(violations()) == []


def test_a_wallet_is_never_overdrawn_by_takers_at_once() -> None:
    seller = funded(10)

    def take() -> bool:
        try:
            post(taking(seller, 3))
        except BelowFloor:
            return False
        return True

    assert Counter(at_once([take] * 8)) == {True: 3, False: 5}
    assert balance(seller) == eur(1)
    assert list(violations()) == []


def test_batches_over_the_same_wallets_in_any_order_never_deadlock() -> None:
    sellers = [funded(1000) for _ in range(6)]

    def job(seed: int) -> int:
        dice = random.Random(seed)
        refused = 0
        for _ in range(15):
            batch = []
            for _ in range(20):
                out_of, to = dice.sample(sellers, 2)
                amount = dice.randint(1, 50)
                batch.append(entry((out_of, amount), (to, -amount), kind="transfer"))
            refused += sum(result.refusal is not None for result in post_many(batch))
        return refused

    refused = sum(at_once([partial(job, seed) for seed in range(6)]))
    assert JournalEntry.objects.filter(kind="transfer").count() == 6 * 15 * 20 - refused
    assert sum(held.amount for held in balances(sellers).values()) == 6000
    assert min(held.amount for held in balances(sellers).values()) >= 0
    assert list(violations()) == []


def test_batches_with_the_same_references_in_any_order_never_deadlock() -> None:
    references = [f"fee:{number}" for number in range(40)]
    post(entry((RECEIVABLE, 1), (COMMISSION, -1)))

    def job(seed: int) -> int:
        mixed = random.Random(seed).sample(references, len(references))
        results = post_many(
            [entry((RECEIVABLE, 1), (COMMISSION, -1), reference=reference) for reference in mixed]
        )
        return sum(not result.replayed for result in results)

    assert sum(at_once([partial(job, seed) for seed in range(6)])) == 40
    assert balance(RECEIVABLE) == eur(41)
    assert list(violations()) == []


def test_platform_accounts_opened_by_many_at_once_are_opened_once() -> None:
    codes = [f"suspense:{currency}" for currency in ("EUR",)] + [
        f"bank:b{number}:EUR" for number in range(10)
    ]

    def job(seed: int) -> list[Posted]:
        mixed = random.Random(seed).sample(codes[1:], 10)
        return post_many([entry((code, 1), ("suspense:EUR", -1)) for code in mixed])

    for results in at_once([partial(job, seed) for seed in range(6)]):
        assert all(result.entry_id for result in results)
    assert Account.objects.filter(code__in=codes).count() == 11
    assert balance("suspense:EUR") == eur(60)
    assert list(violations()) == []


def test_a_wallet_opened_by_many_at_once_is_one_account() -> None:
    spec = chart.spec(chart.wallet_code("wallet_pending", uuid7()), "EUR")
    assert len({tuple(ids.items()) for ids in at_once([lambda: open_accounts([spec])] * 6)}) == 1


def test_folding_beside_posting_loses_nothing() -> None:
    seller = funded(1)

    def posting() -> int:
        for _ in range(30):
            post_many([sale(seller, 1), entry((REFUNDS, 1), (RECEIVABLE, -1))])
        return 0

    def folding() -> int:
        return sum(roll_up(limit=7) for _ in range(30))

    at_once([posting, folding, posting, folding])
    assert balance(RECEIVABLE) == eur(1)
    assert balance(seller) == eur(61)
    assert list(violations()) == []
    while roll_up():
        pass
    assert balance(RECEIVABLE) == eur(1)
    assert list(violations()) == []


def test_nothing_is_posted_to_an_account_after_it_was_frozen() -> None:
    seller = funded(1)
    for _ in range(5):

        def freezing() -> int:
            freeze(seller)
            return JournalEntry.objects.filter(postings__account__code=seller).count()

        def posting() -> int:
            post_many([sale(seller, 1)])
            return 0

        at_freeze, *_ = at_once([freezing, posting, posting, posting])
        assert JournalEntry.objects.filter(postings__account__code=seller).count() == at_freeze
        unfreeze(seller)
    assert list(violations()) == []
