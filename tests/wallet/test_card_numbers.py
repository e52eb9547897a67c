"""Card numbers are found in free text, and what only resembles one is left alone."""

import random
import uuid
from time import process_time

import pytest

from ledger.ids import uuid7
from wallet.card_numbers import could_be_card_number, is_card_number, looks_like_card_number, luhn_valid

VISA = "4242424242424242"
TEST_CARDS = [
    VISA,
    "4000056655665556",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "3056930009020004",
    "36227206271667",
    "3566002020360505",
    "6200000000000005",
    "6205500000000000004",
]


@pytest.mark.parametrize("number", TEST_CARDS)
def test_the_schemes_test_cards_are_card_numbers(number: str) -> None:
    assert is_card_number(number)
    assert looks_like_card_number(f"please charge {number}, thanks")


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4242.4242.4242.4242",
        "4242 - 4242 - 4242 - 4242",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "4242\u00a04242\u20134242\u22124242",
        "42\u200b4242424242\u20604242",
        "card4242424242424242exp",
        "4242424242424242 12/29 123",
        "12/29 4242424242424242",
        "1 4242 4242 4242 4242 2",
        "\uff14\uff12\uff14\uff12424242424242",
        "\u0664\u0662\u0664\u0662\u0664\u0662\u0664\u0662\u0664\u0662\u0664\u0662\u0664\u0662\u0664\u0662",
        "4242\n4242\n4242\n4242",
        '{"number":"4242424242424242"}',
        "+4242424242424242",
        ";4242424242424242=29121010000000000000?",
    ],
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert looks_like_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a plain sentence",
        "4242424242424241",  # wrong check digit
        "9999999999999995",  # right check digit, nobody's prefix
        "424242424242",  # too short
        "42424242424242424242",  # 20 digits
        "+4915112345678",
        "+49 151 1234 5678",
        "4006381333931",  # an EAN
        "2026-11-20 23:18:44.123456",
        "20261120231844",
        "DE89 3704 0044 0532 0130 00",
        "tok_visa pm_1NXyzAbc",
        "42424242a4242424242",
    ],
)
def test_what_is_no_card_number_passes(text: str) -> None:
    assert not looks_like_card_number(text)


def test_our_own_ids_and_digests_are_never_taken_for_card_numbers() -> None:
    draw = random.Random(4)
    for _ in range(3000):
        assert not looks_like_card_number(str(uuid.UUID(int=draw.getrandbits(128), version=4)))
        assert not looks_like_card_number(f"attempt {uuid7()}")
        assert not looks_like_card_number(f"{draw.getrandbits(256):064x}")


def test_luhn_finds_every_single_wrong_digit() -> None:
    for place in range(len(VISA)):
        for digit in "0123456789":
            changed = VISA[:place] + digit + VISA[place + 1 :]
            assert luhn_valid(changed) == (changed == VISA)


@pytest.mark.parametrize(
    "identifier",
    [
        VISA,
        "1" * 13,
        "9" * 19,
        "1234-5678-9012-3456",
        "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10\uff11\uff12\uff13",
    ],
)
def test_bare_digits_of_a_card_numbers_length_are_refused_as_ids(identifier: str) -> None:
    assert could_be_card_number(identifier)


@pytest.mark.parametrize(
    "identifier", ["", "1" * 12, "9" * 20, f"order-{VISA}", str(uuid.UUID(int=0)), "a" * 16]
)
def test_other_ids_pass(identifier: str) -> None:
    assert not could_be_card_number(identifier)


@pytest.mark.parametrize("text", ["9 ", "9", "4 ", "4-9 ", "+9", "a9", "deadbeef", "4242424242424241 "])
def test_a_huge_hostile_text_is_read_in_time(text: str) -> None:
    started = process_time()
    looks_like_card_number(text * (256 * 1024 // len(text)))
    assert process_time() - started < 10
