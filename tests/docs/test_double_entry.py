"""docs/double-entry.md: its chart is the code's, and its examples are what bookkeeping posts."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from moneyed import Money

from ledger import clock, money
from ledger.chart import CHART
from ledger.models import Posting
from payments import bookkeeping
from payments.models import PaymentAttempt, Refund
from payments.services.checkouts import create_checkout
from tests.docs.reading import DOCS, section, table
from tests.factories import NewCheckoutFactory, SellerFactory, ShopFactory, order_for
from tests.payments.arranging import orders_of

TEXT = (DOCS / "double-entry.md").read_text()
EXAMPLE = re.compile(r"Example: (?P<amount>[\d.]+) (?P<currency>[A-Z]{3})(?: at (?P<percent>[\d.]+) %)?")
FUNCTIONS = [name for name in vars(bookkeeping) if name.startswith("record_")]


@dataclass(frozen=True)
class Example:
    """What happened, and the postings that the document says it makes: account, debit, credit."""

    function: str
    amount: Money
    rate: Decimal
    postings: list[tuple[str, str, str]]

    def __str__(self) -> str:
        return f"{self.function}-{self.amount.amount}-{self.amount.currency.code}-{self.rate}"


def examples() -> Iterator[Example]:
    """Every example of the document."""
    for function in FUNCTIONS:
        text = section(TEXT, f"### {function}")
        for found in EXAMPLE.finditer(text):
            yield Example(
                function=function,
                amount=money.parse_amount(found["amount"], found["currency"]),
                rate=Decimal(found["percent"] or "10") / 100,
                postings=[(row[0], row[1], row[2]) for row in table(text[found.end() :])],
            )


def test_the_chart_is_the_codes() -> None:
    rows = [
        "| account | kept per | type | grows by | policy | what it holds |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{kind.name}` | {kind.qualifier or 'currency'} | {kind.type} | {kind.side.name.lower()} "
            f"| {kind.policy} | {kind.holds} |"
            for kind in CHART.values()
        ),
    ]
    wanted = "\n".join(["<!-- chart -->", *rows, "<!-- end -->"])
    assert wanted in TEXT, f"The chart in docs/double-entry.md should be:\n{wanted}"


def test_every_movement_has_an_example() -> None:
    assert {example.function for example in examples()} == set(FUNCTIONS)


def test_no_movement_is_described_that_is_not_built() -> None:
    assert set(re.findall(r"^### (\w+)", TEXT, re.MULTILINE)) == set(FUNCTIONS)


@pytest.mark.django_db
@pytest.mark.parametrize("example", list(examples()), ids=str)
def test_bookkeeping_posts_the_example(example: Example) -> None:
    PLAYS[example.function](example)
    assert posted() == example.postings


def attempt_over(example: Example) -> PaymentAttempt:
    """A new attempt to take the example's amount for one order at the example's commission."""
    seller = SellerFactory.create(commission_rate=example.rate)
    new = NewCheckoutFactory.create(orders=[order_for(example.amount, seller)])
    create_checkout(shop=ShopFactory.create(), new=new)
    return PaymentAttempt.objects.get()


def play_captures(example: Example) -> None:
    attempt = attempt_over(example)
    bookkeeping.record_captures(
        attempt=attempt, captured={orders_of(attempt)[0]: example.amount}, occurred_at=clock.now()
    )


def play_unapplied_receipt(example: Example) -> None:
    attempt = attempt_over(example)
    bookkeeping.record_unapplied_receipt(
        attempt=attempt, order=orders_of(attempt)[0], amount=example.amount, occurred_at=clock.now()
    )


def play_refund(record: Callable[..., None]) -> Callable[[Example], None]:
    def play(example: Example) -> None:
        attempt = attempt_over(example)
        refund = Refund(attempt=attempt, order=orders_of(attempt)[0], amount=example.amount)
        record(refund=refund, occurred_at=clock.now())

    return play


def play_doubt(record: Callable[..., None]) -> Callable[[Example], None]:
    def play(example: Example) -> None:
        attempt = attempt_over(example)
        record(operation_try=attempt.operation_tries.get(), attempt=attempt, occurred_at=clock.now())

    return play


PLAYS: dict[str, Callable[[Example], None]] = {
    "record_captures": play_captures,
    "record_unapplied_receipt": play_unapplied_receipt,
    "record_unapplied_refund_requested": play_refund(bookkeeping.record_unapplied_refund_requested),
    "record_refund_succeeded": play_refund(bookkeeping.record_refund_succeeded),
    "record_refund_came_back": play_refund(bookkeeping.record_refund_came_back),
    "record_doubt": play_doubt(bookkeeping.record_doubt),
    "record_doubt_ended": play_doubt(bookkeeping.record_doubt_ended),
}


def posted() -> list[tuple[str, str, str]]:
    """What stands in the journal, debits first, as the document writes it."""
    postings = Posting.objects.select_related("account").order_by("entry_id", "line")
    lines = []
    for posting in postings:
        currency = posting.account.currency
        amount = str(money.checked_amount(abs(posting.amount), currency))
        name = posting.account.code
        name = name.partition(":")[0] if name.startswith("wallet_") else name
        lines.append((name, amount, "") if posting.amount > 0 else (name, "", amount))
    return sorted(lines, key=lambda line: line[1] == "")
