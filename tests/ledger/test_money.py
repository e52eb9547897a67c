"""Money at the door, and money divided."""

from decimal import Decimal

import pytest
from djmoney.money import Money as ModelMoney
from hypothesis import given
from hypothesis import strategies as st
from moneyed import Money

from ledger import money
from ledger.errors import (
    AmountTooLarge,
    InvalidAmount,
    MixedCurrencies,
    MoneyError,
    TooManyDecimals,
    UnknownCurrency,
)

CURRENCIES = ("JPY", "EUR", "KWD", "CLF")
UNITS = st.integers(-(10**14), 10**14)


@pytest.mark.parametrize(
    ("currency", "places"), [("JPY", 0), ("EUR", 2), ("KES", 2), ("KWD", 3), ("CLF", 4), ("MRU", 2)]
)
def test_every_currency_in_use_has_its_decimals(currency: str, places: int) -> None:
    assert money.decimals(currency) == places


@pytest.mark.parametrize(
    "code",
    ["XTS", "XXX", "XAU", "XAG", "XPT", "XPD", "XDR", "XBA", "DEM", "CNH", "ZZZ", "eur", "EURO", "", " EUR"],
)
def test_test_codes_metals_baskets_and_withdrawn_currencies_are_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        money.decimals(code)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("12", "EUR", "12.00"),
        ("12.5", "EUR", "12.50"),
        ("0.01", "EUR", "0.01"),
        ("-3.00", "EUR", "-3.00"),
        ("-0", "EUR", "0.00"),
        ("100", "JPY", "100"),
        ("1.234", "KWD", "1.234"),
        ("999999999999999.99", "EUR", "999999999999999.99"),
    ],
)
def test_a_plain_decimal_string_becomes_money_with_the_currencys_decimals(
    text: str, currency: str, amount: str
) -> None:
    parsed = money.parse_amount(text, currency)
    assert (str(parsed.amount), parsed.currency.code) == (amount, currency)
    assert isinstance(parsed, ModelMoney)


@pytest.mark.parametrize(
    "text",
    [
        1.5, 1, True, None, Decimal(1), b"1", ["1"],
        "", " ", "1 ", " 1", "1\n", "+1", "--1", "-", ".", ".5", "1.", "01", "-01", "1e3", "1E3", "NaN", "Infinity",
        "inf", "1,00", "1.000,00", "1_000", "1 000", "0x10", "\uff11", "1.\uff15", "٣", "½", "1\x00", "\ud800", "€1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(InvalidAmount) as refusal:
        money.parse_amount(text, "EUR")
    assert (refusal.value.code, refusal.value.status_code) == ("invalid_amount", 422)


@pytest.mark.parametrize(
    ("text", "currency"), [("10.5", "JPY"), ("10.0", "JPY"), ("1.001", "EUR"), ("1.000", "EUR")]
)
def test_more_decimals_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(TooManyDecimals):
        money.parse_amount(text, currency)


def test_more_than_fifteen_digits_before_the_point_are_refused() -> None:
    with pytest.raises(AmountTooLarge):
        money.parse_amount("1" + "0" * 15, "EUR")
    with pytest.raises(AmountTooLarge):
        money.parse_amount("9" * 100_000, "EUR")


@given(st.text(max_size=30))
def test_no_text_makes_parsing_fail_in_another_way(text: str) -> None:
    try:
        parsed = money.parse_amount(text, "EUR")
    except MoneyError:
        return
    assert money.check(parsed) == parsed


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        ("NaN", InvalidAmount),
        ("Infinity", InvalidAmount),
        ("-Infinity", InvalidAmount),
        ("1.001", TooManyDecimals),
        ("1E-400", TooManyDecimals),
        ("1E+15", AmountTooLarge),
        ("-1E+15", AmountTooLarge),
        ("1E+308", AmountTooLarge),
    ],
)
def test_money_that_the_books_cannot_hold_is_refused(amount: str, refusal: type[MoneyError]) -> None:
    with pytest.raises(refusal):
        money.check(Money(Decimal(amount), "EUR"))


def test_checked_money_keeps_its_value_and_takes_its_currencys_decimals() -> None:
    assert str(money.check(Money(Decimal("10.0000"), "EUR")).amount) == "10.00"
    assert str(money.check(Money(Decimal("1E+2"), "JPY")).amount) == "100"


@given(UNITS, st.sampled_from(CURRENCIES))
def test_minor_units_go_there_and_back(units: int, currency: str) -> None:
    assert money.to_minor(money.from_minor(units, currency)) == units


@pytest.mark.parametrize("units", [1.0, "1", True, Decimal(1), None])
def test_minor_units_are_integers(units: object) -> None:
    with pytest.raises(InvalidAmount):
        money.from_minor(units, "EUR")  # type: ignore[arg-type]


def test_a_total_of_nothing_is_zero_and_of_two_currencies_is_refused() -> None:
    assert money.total([], "EUR") == money.zero("EUR")
    assert money.total([Money("1.10", "EUR"), Money("2.05", "EUR")], "EUR") == Money("3.15", "EUR")
    with pytest.raises(MixedCurrencies):
        money.total([Money(1, "EUR"), Money(1, "USD")], "EUR")


@given(
    UNITS,
    st.lists(st.integers(0, 10**9) | st.decimals(0, 1000, places=4), min_size=1, max_size=30).filter(any),
    st.sampled_from(CURRENCIES),
)
def test_allocated_parts_sum_to_the_whole_and_differ_from_their_share_by_less_than_a_unit(
    units: int, weights: list[int | Decimal], currency: str
) -> None:
    parts = [money.to_minor(part) for part in money.allocate(money.from_minor(units, currency), weights)]
    assert sum(parts) == units
    all_weights = sum(Decimal(weight) for weight in weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * all_weights - units * Decimal(weight)) < all_weights
        assert part * units >= 0
        assert weight or not part


def test_at_equal_remainders_the_earlier_part_gets_the_unit() -> None:
    assert money.allocate(Money("1.00", "EUR"), [1, 1, 1]) == [
        Money("0.34", "EUR"),
        Money("0.33", "EUR"),
        Money("0.33", "EUR"),
    ]
    assert money.allocate(Money("-0.01", "EUR"), [1, 1]) == [Money("-0.01", "EUR"), Money(0, "EUR")]


@pytest.mark.parametrize(
    "weights", [[], [0], [0, 0], [-1, 2], [Decimal("NaN")], [Decimal("Infinity")], [0.5, 0.5], ["1"]]
)
def test_weights_that_divide_nothing_are_refused(weights: list[int | Decimal]) -> None:
    with pytest.raises(InvalidAmount):
        money.allocate(Money(1, "EUR"), weights)


@given(UNITS, st.decimals(0, 1, places=6), st.sampled_from(CURRENCIES))
def test_a_portion_is_the_rate_rounded_half_up_and_never_more_than_the_whole(
    units: int, rate: Decimal, currency: str
) -> None:
    whole = money.from_minor(units, currency)
    part = money.to_minor(money.portion(whole, rate))
    assert abs(part) <= abs(units)
    assert abs(2 * (part - units * rate)) <= 1
    assert money.to_minor(whole - money.portion(whole, rate)) == units - part


def test_half_a_cent_goes_up() -> None:
    assert money.portion(Money("0.25", "EUR"), Decimal("0.1")) == Money("0.03", "EUR")
    assert money.portion(Money("-0.25", "EUR"), Decimal("0.1")) == Money("-0.03", "EUR")


@pytest.mark.parametrize("rate", [Decimal("1.01"), Decimal("-0.1"), Decimal("NaN"), 0.1, 1])
def test_a_rate_is_a_decimal_between_0_and_1(rate: Decimal) -> None:
    with pytest.raises(InvalidAmount):
        money.portion(Money(1, "EUR"), rate)


def test_what_the_books_hold_may_be_larger_than_any_amount() -> None:
    assert money.from_books(Decimal("9999999999999999.9900"), "EUR").amount == Decimal("9999999999999999.99")
    assert str(money.from_books(Decimal("1.0000"), "EUR").amount) == "1.00"
    assert str(money.from_books(Decimal("1.0001"), "EUR").amount) == "1.0001"
