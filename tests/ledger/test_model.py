"""Any sequence of batches leaves the books as a small independent model says they must be."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.models import Posting
from ledger.services import balances, freeze, post_many, roll_up, unfreeze, violations
from tests.ledger.building import RECEIVABLE, REFUNDS, entry, wallet

pytestmark = pytest.mark.django_db

WALLETS = 3
PLATFORM = (RECEIVABLE, REFUNDS)


@dataclass
class Attempt:
    """An entry to be, in whole euros: amounts by account number; wallets first, then platform accounts."""

    reference: int
    legs: list[tuple[int, int]]
    forced: bool


@dataclass
class Books:
    """The rules of posting, again and as plainly as can be: one entry after the other, credits above zero."""

    held: list[int] = field(default_factory=lambda: [0] * (WALLETS + len(PLATFORM)))
    frozen: set[int] = field(default_factory=set)
    taken: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    running: list[list[int]] = field(default_factory=lambda: [[] for _ in range(WALLETS)])

    def post(self, attempt: Attempt) -> str:
        """posted, replayed, or the code of the refusal."""
        if len(attempt.legs) < 2 or any(amount == 0 for _, amount in attempt.legs):
            return "invalid_entry"
        if sum(amount for _, amount in attempt.legs) != 0:
            return "unbalanced"
        if attempt.reference in self.taken:
            return "replayed" if self.taken[attempt.reference] == sorted(attempt.legs) else "duplicate"
        if not attempt.forced and any(account in self.frozen for account, _ in attempt.legs):
            return "account_frozen"
        change = [0] * len(self.held)
        for account, amount in attempt.legs:
            change[account] -= amount
        for account in range(WALLETS):
            if change[account] < 0 and self.held[account] + change[account] < 0 and not attempt.forced:
                return "below_floor"
        self.taken[attempt.reference] = sorted(attempt.legs)
        for account, amount in attempt.legs:
            self.held[account] -= amount
            if account < WALLETS:
                self.running[account].append(self.held[account])
        return "posted"


ACCOUNT = st.integers(0, WALLETS + len(PLATFORM) - 1)
AMOUNT = st.integers(-20, 20)


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """Mostly balanced; a few references, so that many meet."""
    legs = draw(st.lists(st.tuples(ACCOUNT, AMOUNT), min_size=1, max_size=4))
    if draw(st.integers(0, 9)):
        legs.append((draw(ACCOUNT), -sum(amount for _, amount in legs)))
    return Attempt(draw(st.integers(0, 40)), legs, draw(st.sampled_from([False, False, False, True])))


BATCHES = st.lists(
    st.tuples(
        st.lists(attempts(), max_size=12), st.sampled_from(["", "", "fold", "freeze", "unfreeze"]), ACCOUNT
    ),
    max_size=8,
)


@pytest.fixture
def run_number() -> Iterator[list[int]]:
    """Counts the examples: they share one database, so each has references and wallets of its own."""
    yield [0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES)
def test_any_sequence_of_batches_agrees_with_the_model(
    run_number: list[int], batches: list[tuple[list[Attempt], str, int]]
) -> None:
    run_number[0] += 1
    codes = [wallet() for _ in range(WALLETS)] + list(PLATFORM)
    before = balances(PLATFORM)
    books = Books()
    for batch, then, account in batches:
        results = post_many(
            [
                entry(
                    *((codes[number], amount) for number, amount in attempt.legs),
                    reference=f"{run_number[0]}:{attempt.reference}",
                    forced=attempt.forced,
                )
                for attempt in batch
            ]
        )
        outcomes = [
            result.refusal.code if result.refusal else "replayed" if result.replayed else "posted"
            for result in results
        ]
        assert outcomes == [books.post(attempt) for attempt in batch]
        if then == "fold":
            roll_up(limit=5)
        elif then and account < WALLETS:
            (freeze if then == "freeze" else unfreeze)(codes[account])
            (books.frozen.add if then == "freeze" else books.frozen.discard)(account)

    after = balances(codes)
    for number, code in enumerate(codes):
        change = after[code].amount - (before[code].amount if code in before else 0)
        # The receivable grows by debits, all the others by credits.
        assert change == (-books.held[number] if code == RECEIVABLE else books.held[number])
    for number in range(WALLETS):
        postings = Posting.objects.filter(account__code=codes[number]).order_by("entry_id", "line")
        assert [-posting.balance_after for posting in postings if posting.balance_after is not None] == (
            books.running[number]
        )
    assert list(violations()) == []
