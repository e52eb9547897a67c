"""What each piece of news means in each state: the whole table, and nothing moves where it says so."""

import itertools

import pytest

from ledger import money
from payments.models import (
    Discrepancy,
    DiscrepancyKind,
    Fact,
    PaymentAttempt,
    StateHistory,
    Verdict,
)
from payments.psp.base import Outcome
from payments.states import ATTEMPT_EDGES, AttemptStatus, pairs, steps
from tests.payments.arranging import books, bring_to, look, orders_of, tell

pytestmark = pytest.mark.django_db

TARGET = {
    "requires_action": "PENDING",
    "in_review": "PENDING",
    "processing": "PENDING",
    "authorized": "AUTHORIZED",
    "capture_refused": "AUTHORIZED",
    "succeeded": "SUCCEEDED",
    "declined": "DECLINED",
    "refused": "DECLINED",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
}
"""Where the attempt stands if the news is true."""

# A applied, = already so (or overtaken by newer news), L late, ! contradicts.
TABLE = """
             pending  authorized  capture_refused  succeeded  declined  canceled  expired
CREATED         !         !             !              !          !         A        !
SENT            A         A             A              A          A         A        A
PENDING         A         A             A              A          A         A        A
AUTHORIZED      =         =             =              A          !         A        A
CAPTURING       =         =             A              A          !         A        A
UNKNOWN         A         A             A              A          A         A        A
SUCCEEDED       =         =             =              =          !         !        !
DECLINED        =         !             !              L          =         =        =
CANCELED        =         =             =              L          =         =        =
EXPIRED         =         =             =              L          =         =        =
"""

VERDICTS = {"A": Verdict.APPLIED, "=": Verdict.ALREADY_SO, "L": Verdict.LATE, "!": Verdict.CONTRADICTS}
COLUMN = {
    "requires_action": "pending",
    "in_review": "pending",
    "processing": "pending",
    "refused": "declined",
}


def _cells() -> dict[tuple[str, str], Verdict]:
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    by_column = {
        (row[0], column): VERDICTS[letter]
        for row in rows
        for column, letter in zip(head, row[1:], strict=True)
    }
    return {
        (state, outcome): by_column[state, COLUMN.get(outcome, outcome)]
        for state in AttemptStatus.values
        for outcome in TARGET
    }


CELLS = _cells()


def test_the_table_agrees_with_the_edges() -> None:
    for (state, outcome), verdict in CELLS.items():
        target = TARGET[outcome]
        way = steps(state, target)
        if verdict == Verdict.CONTRADICTS:
            assert way is None, f"{state} may become {target}"
        elif verdict == Verdict.LATE:
            assert (state, target) in pairs(ATTEMPT_EDGES)
        elif verdict == Verdict.APPLIED:
            assert way or state == target == "PENDING", f"no way from {state} to {target}"


@pytest.mark.parametrize(("state", "outcome"), CELLS, ids=lambda value: str(value))
def test_news_does_what_the_table_says(state: str, outcome: str) -> None:
    attempt = bring_to(state)
    before, known_steps = look(), _history(attempt)

    fact = _tell_with_amounts(attempt, outcome)

    verdict = CELLS[state, outcome]
    attempt.refresh_from_db()
    assert fact.verdict == verdict, fact.reason
    if verdict in (Verdict.CONTRADICTS, Verdict.ALREADY_SO):
        assert look() == before
    else:
        assert attempt.status == TARGET[outcome]
        taken = _history(attempt)[len(known_steps) :]
        assert [(step.from_state, step.to_state) for step in taken] == _walked(state, TARGET[outcome])
        assert all(step.fact_id == fact.id for step in taken)
    raised = list(Discrepancy.objects.filter(fact=fact).values_list("kind", flat=True))
    if verdict == Verdict.CONTRADICTS:
        assert raised in ([DiscrepancyKind.STATUS], [DiscrepancyKind.AMOUNT])
    elif verdict == Verdict.LATE:
        assert raised == [DiscrepancyKind.LATE_SUCCESS]
    else:
        assert raised == []


@pytest.mark.parametrize("state", AttemptStatus.values)
def test_a_success_books_the_money_once_in_whatever_state_it_is_true(state: str) -> None:
    attempt = bring_to(state)
    (order,) = orders_of(attempt)

    _tell_with_amounts(attempt, "succeeded")
    _tell_with_amounts(attempt, "succeeded")

    held = books()
    match CELLS[state, "succeeded"]:
        case Verdict.CONTRADICTS:
            assert held == {}
        case Verdict.LATE:
            assert held == {"psp_receivable:sandbox:EUR": "10.00", "refunds_payable:EUR": "-10.00"}
        case _:
            assert held == {
                "psp_receivable:sandbox:EUR": "10.00",
                f"wallet_pending:{order.seller.reference}:EUR": "-9.00",
                "commission_income:EUR": "-1.00",
            }


@pytest.mark.parametrize("state", [AttemptStatus.PENDING, AttemptStatus.AUTHORIZED])
def test_a_refused_cancellation_changes_nothing(state: str) -> None:
    attempt = bring_to(state)
    before = look()
    fact = tell(attempt, Outcome.CANCEL_REFUSED)
    assert (fact.verdict, look()) == (Verdict.APPLIED, before)


def _tell_with_amounts(attempt: PaymentAttempt, outcome: str) -> Fact:
    """As most PSPs say it: with what was taken so far, which was nothing before it succeeded."""
    taken = attempt.amount if outcome == "succeeded" else money.zero(attempt.amount.currency.code)
    return tell(attempt, Outcome(outcome), captured=taken)


def _history(attempt: PaymentAttempt) -> list[StateHistory]:
    return list(StateHistory.objects.filter(object_id=attempt.id).order_by("id"))


def _walked(state: str, target: str) -> list[tuple[str, str]]:
    way = [state, *(steps(state, target) or [])]
    return list(itertools.pairwise(way))
