"""Telling card numbers from other text, so that none is ever stored.

Card data belongs in the fields of a payment service provider. A number that slips into a free text, a log
line or an id would bring this system into the scope of PCI DSS; so it is refused at the door.
"""

import re
import unicodedata
from collections.abc import Iterator

SHORTEST = 13
LONGEST = 19

_SCHEMES: tuple[tuple[str, str, frozenset[int]], ...] = (
    # Lowest prefix, highest prefix (inclusive, same length), lengths in use. Visa's 13 digits are history,
    # and would refuse every tenth EAN or phone number that begins with 4.
    ("4", "4", frozenset({16, 18, 19})),  # Visa
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),  # Mastercard
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),  # American Express
    ("300", "305", frozenset({14, 16, 17, 18, 19})),  # Diners Club
    ("3095", "3095", frozenset({14, 16, 17, 18, 19})),  # Diners Club
    ("36", "36", frozenset({14, 16, 17, 18, 19})),  # Diners Club
    ("38", "39", frozenset({14, 16, 17, 18, 19})),  # Diners Club
    ("3528", "3589", frozenset({16, 17, 18, 19})),  # JCB
    ("1800", "1800", frozenset({15, 16})),  # JCB
    ("2131", "2131", frozenset({15, 16})),  # JCB
    ("2200", "2204", frozenset({16, 17, 18, 19})),  # Mir
    ("60", "60", frozenset({16, 17, 18, 19})),  # Discover, RuPay, Hipercard
    ("62", "62", frozenset({14, 15, 16, 17, 18, 19})),  # UnionPay
    ("64", "65", frozenset({16, 17, 18, 19})),  # Discover, RuPay, Elo
    ("81", "82", frozenset({16, 17, 18, 19})),  # UnionPay, RuPay
    ("9792", "9792", frozenset({16})),  # Troy
    ("50", "50", frozenset(range(13, 20))),  # Maestro, Elo, Verve
    ("56", "59", frozenset(range(13, 20))),  # Maestro
    ("63", "63", frozenset(range(13, 20))),  # Maestro, Elo, Hiper
    ("67", "67", frozenset(range(13, 20))),  # Maestro
)

_SCHEMES_BY_FIRST_DIGIT = {
    first: tuple(scheme for scheme in _SCHEMES if scheme[0][0] <= first <= scheme[1][0])
    for first in "123456789"
}

# Names made by machines, where digits stand between hexadecimal letters by chance.
_MACHINE_NAMES = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b(?=[0-9]*[a-f])[0-9a-f]{32,}\b", re.IGNORECASE
)
# Digits, and what people write between them: blanks, dashes, dots, underscores, slashes.
_DIGIT_GROUPS = re.compile(r"\+?[0-9]+(?:[\s\-.\u2010-\u2015\u2212_/]{1,3}[0-9]+)*")
_LONGEST_PHONE = 13
"""Digits of a number written with a plus sign. E.164 allows 15; nobody is given more than 13."""


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """Whether these digits, nothing else, have a card scheme's prefix and length and a right check digit."""
    if not SHORTEST <= len(digits) <= LONGEST:
        return False
    for lowest, highest, lengths in _SCHEMES_BY_FIRST_DIGIT.get(digits[0], ()):
        if lowest <= digits[: len(lowest)] <= highest and len(digits) in lengths:
            return luhn_valid(digits)
    return False


def looks_like_card_number(text: str) -> bool:
    """Whether a card number stands anywhere in `text`, also with blanks or dashes inside or in digits of any
    script.

    A number is looked for from the start of one group of digits to the end of another, so a date or a code
    beside it does not hide it. Our own ids (UUIDs, digests) and phone numbers with a plus sign are passed
    over.
    """
    if len(text) < SHORTEST:
        return False
    plain = _in_ascii_digits(text)
    for match in _DIGIT_GROUPS.finditer(_MACHINE_NAMES.sub("#", plain)):
        groups = re.findall(r"[0-9]+", match.group())
        if match.group().startswith("+") and sum(map(len, groups)) <= _LONGEST_PHONE:
            continue
        if any(is_card_number(candidate) for candidate in _joined(groups)):
            return True
    return False


def could_be_card_number(identifier: str) -> bool:
    """Whether an id consists of nothing but 13 to 19 digits, blanks and dashes aside.

    Such ids are refused always and not only when prefix and check digit fit: about one of forty random ones
    would fit, and a shop had better meet the rule on its first day than on its fortieth order.
    """
    digits = re.sub(r"[\s\-._]", "", _in_ascii_digits(identifier))
    return digits.isdigit() and SHORTEST <= len(digits) <= LONGEST


def _in_ascii_digits(text: str) -> str:
    """`text` with every script's decimal digits as 0-9 and without invisible format characters."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in unicodedata.normalize("NFKC", text)
        if unicodedata.category(character) != "Cf"
    )


def _joined(groups: list[str]) -> Iterator[str]:
    """Every run of neighbouring groups, joined, that has the length of a card number."""
    for start in range(len(groups)):
        candidate = ""
        for group in groups[start : start + LONGEST]:
            candidate += group
            if len(candidate) > LONGEST:
                break
            if len(candidate) >= SHORTEST:
                yield candidate
