"""What django-money lacks: strict parsing, decimals per currency, minor units, division that loses no cent.

Amounts become `Money` at the door through `parse_amount` and leave as strings; nothing here touches a float.
Largest amount: fifteen digits before the point and four after it, as the books hold it (numeric(19,4)).
"""

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache

import moneyed
from djmoney.money import Money as ModelMoney
from moneyed import Money

from ledger.errors import AmountTooLarge, InvalidAmount, MixedCurrencies, TooManyDecimals, UnknownCurrency

MAX_INTEGER_DIGITS = 15

_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)
_LIMIT = Decimal(10) ** MAX_INTEGER_DIGITS
# Wide enough that no product or sum of two amounts is ever rounded by the context itself.
_WIDE = Context(prec=100)
# CLDR lists these two under a territory. CNH is a trading name and not in ISO 4217; XXX says "no currency".
_NOT_MONEY = frozenset({"CNH", "XXX"})


@lru_cache(maxsize=512)
def decimals(currency: str) -> int:
    """How many decimals `currency` has: JPY 0, EUR 2, KWD 3, CLF 4.

    Only currencies in use today: test codes, metals, baskets and withdrawn currencies have no country.

    Raises:
        UnknownCurrency: anything else.
    """
    known = moneyed.CURRENCIES.get(currency)
    if known is None or currency in _NOT_MONEY or set(known.country_codes) <= {"ZZ"}:
        raise UnknownCurrency(f"{currency!r} is not a currency that can be paid with")
    return len(str(known.sub_unit)) - 1


@lru_cache(maxsize=512)
def _quantum(currency: str) -> Decimal:
    return Decimal(1).scaleb(-decimals(currency))


def _money(amount: Decimal, currency: str) -> Money:
    # The kind that model fields give back, so that all money in the system behaves alike.
    return ModelMoney(amount, currency)


def parse_amount(text: object, currency: str) -> Money:
    """The `Money` that a plain ASCII decimal string stands for, with exactly the currency's decimals.

    Accepted: "12", "12.5", "-3.00". Refused: floats and any other type, "+1", "1e3", "NaN", "1,000", "1_000",
    " 1", "01", ".5", full-width digits.

    Raises:
        InvalidAmount: not such a string.
        UnknownCurrency: see `decimals`.
        TooManyDecimals: more decimals than the currency has, zeros included.
        AmountTooLarge: more than fifteen digits before the point.
    """
    places = decimals(currency)
    if not isinstance(text, str) or (match := _PLAIN.fullmatch(text)) is None:
        raise InvalidAmount('an amount is a string of plain decimal digits, such as "12.50"')
    if len(match[1] or "") > places:
        raise TooManyDecimals(f"{currency} has {places} decimals")
    if len(text.removeprefix("-").partition(".")[0]) > MAX_INTEGER_DIGITS:
        raise AmountTooLarge(f"an amount has at most {MAX_INTEGER_DIGITS} digits before the point")
    # Adding zero turns "-0" into plain zero.
    return _money(Decimal(text).quantize(_quantum(currency)) + 0, currency)


def check(money: Money) -> Money:
    """`money` with exactly its currency's decimals, when that changes nothing of its value.

    Raises:
        InvalidAmount, UnknownCurrency, TooManyDecimals, AmountTooLarge: as `parse_amount`.
    """
    amount, currency = money.amount, money.currency.code
    exact = checked_amount(amount, currency)
    return _money(exact, currency)


def checked_amount(amount: Decimal, currency: str) -> Decimal:
    """As `check`, on the bare number: for the posting kernel, which handles thousands of legs at once."""
    quantum = _quantum(currency)
    try:
        exact = amount.quantize(quantum)
        if exact == amount and -_LIMIT < exact < _LIMIT:
            return exact
    except InvalidOperation:
        pass  # Not finite, or more digits than a number here can have.
    if not amount.is_finite():
        raise InvalidAmount(f"{amount} is not an amount")
    if not -_LIMIT < amount < _LIMIT:
        raise AmountTooLarge(f"an amount has at most {MAX_INTEGER_DIGITS} digits before the point")
    raise TooManyDecimals(f"{currency} has {decimals(currency)} decimals")


def zero(currency: str) -> Money:
    """No money, of a known currency."""
    return _money(_quantum(currency) * 0, currency)


def from_books(amount: Decimal, currency: str) -> Money:
    """An amount that the books hold, with the currency's decimals; sums there may exceed any one amount."""
    exact = amount.quantize(_quantum(currency), context=_WIDE)
    # Books that hold more decimals than the currency has are shown as they are: the invariants name the row.
    return _money((exact if exact == amount else amount) + 0, currency)


def total(moneys: Iterable[Money], currency: str) -> Money:
    """The sum of `moneys`, all of which must be in `currency`; zero when there are none.

    Raises:
        MixedCurrencies: one of them is not.
    """
    amount = _quantum(currency) * 0
    for money in moneys:
        if money.currency.code != currency:
            raise MixedCurrencies(f"{money.currency.code} in a sum of {currency}")
        amount = _WIDE.add(amount, money.amount)
    return _money(amount, currency)


def to_minor(money: Money) -> int:
    """Minor units, as PSPs count: EUR 12.34 is 1234, JPY 12 is 12, KWD 1.234 is 1234."""
    return int(check(money).amount.scaleb(decimals(money.currency.code)))


def from_minor(units: int, currency: str) -> Money:
    """The money that `units` minor units are.

    Raises:
        InvalidAmount: `units` is not an integer.
        AmountTooLarge: see `check`.
    """
    if isinstance(units, bool) or not isinstance(units, int):
        raise InvalidAmount("minor units are an integer")
    return check(_money(_WIDE.scaleb(Decimal(units), -decimals(currency)), currency))


def portion(money: Money, rate: Decimal) -> Money:
    """The part of `money` that `rate` (0 to 1) stands for, rounded half up to the currency's decimals.

    What is left of `money` is the other part; never compute both by rate.

    Raises:
        InvalidAmount: the rate is not between 0 and 1.
    """
    if not isinstance(rate, Decimal) or not rate.is_finite() or not 0 <= rate <= 1:
        raise InvalidAmount("a rate is a Decimal between 0 and 1")
    currency = money.currency.code
    exact = _WIDE.multiply(check(money).amount, rate)
    return _money(exact.quantize(_quantum(currency), rounding=ROUND_HALF_UP, context=_WIDE) + 0, currency)


def allocate(whole: Money, weights: Sequence[int | Decimal]) -> list[Money]:
    """`whole` divided in proportion to `weights` by largest remainder: the parts always sum to `whole`.

    A part differs from its exact share by less than one minor unit; at equal remainders the earlier part gets
    the unit; weight 0 gets nothing; a negative whole is divided like the positive one.

    Raises:
        InvalidAmount: no weights, a negative or non-finite weight, or all weights zero.
    """
    if not weights or not all(isinstance(weight, int | Decimal) for weight in weights):
        raise InvalidAmount("weights are integers or Decimals")
    shares = [Decimal(weight) for weight in weights]
    if any(not share.is_finite() or share < 0 for share in shares):
        raise InvalidAmount("weights are at least 0")
    units = to_minor(whole)
    sign, left = (-1, -units) if units < 0 else (1, units)
    ratios = _whole_numbers(shares)
    all_ratios = sum(ratios)
    if all_ratios == 0:
        raise InvalidAmount("at least one weight is above 0")
    parts, remainders = [], []
    for ratio in ratios:
        part, remainder = divmod(left * ratio, all_ratios)
        parts.append(part)
        remainders.append(remainder)
    missing = left - sum(parts)
    for position in sorted(range(len(parts)), key=lambda at: -remainders[at])[:missing]:
        parts[position] += 1
    return [from_minor(sign * part, whole.currency.code) for part in parts]


def _whole_numbers(shares: list[Decimal]) -> list[int]:
    """The same proportions as integers, so that the division is exact."""
    ratios = [share.as_integer_ratio() for share in shares]
    common = 1
    for _, denominator in ratios:
        common *= denominator
    return [numerator * (common // denominator) for numerator, denominator in ratios]
