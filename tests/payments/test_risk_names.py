"""A person is found however their name is written, and nobody else is."""

import unicodedata
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.risk.names import tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José García", "JOSE GARCIA"),
        ("García, José", "José García"),
        ("Müller-Lüdenscheidt", "muller ludenscheidt"),
        ("O'Brien", "O’Brien"),  # noqa: RUF001
        ("O'Brien", "OBrien"),
        ("Łukasz Żółć", "Lukasz Zolc"),
        ("Søren Ærø", "Soren Aero"),
        ("Straße", "STRASSE"),
        ("ＡＭＩＮＡ", "amina"),  # noqa: RUF001
        ("Jose\N{COMBINING ACUTE ACCENT}", "José"),
        ("Ami\N{ZERO WIDTH SPACE}na", "Amina"),
        ("  Amina \t Yusuf.", "yusuf amina"),
        ("Dr. Amina (Yusuf)", "amina dr yusuf"),
        ("Йван", "Иван"),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}brahim", "ibrahim"),
    ],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert tokens(one) == tokens(other) != ()


@pytest.mark.parametrize(
    ("one", "other"), [("Amina Yusuf", "Amina Yusufu"), ("Al Sayed", "Alsayed"), ("Ana", "Anna")]
)
def test_other_names_stay_others(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


@pytest.mark.parametrize("name", ["", "   ", "-.,'", "\N{COMBINING ACUTE ACCENT}"])
def test_what_is_no_name_has_no_words(name: str) -> None:
    assert tokens(name) == ()


@given(st.text(max_size=60))
def test_the_form_is_stable(name: str) -> None:
    once = tokens(name)
    assert tokens(" ".join(once)) == once
    assert tokens(unicodedata.normalize("NFC", name)) == tokens(unicodedata.normalize("NFD", name))


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=5), st.randoms())
def test_the_order_of_words_does_not_matter(words: list[str], random: Random) -> None:
    shuffled = sorted(words, key=lambda _: random.random())
    assert tokens(" ".join(words)) == tokens(", ".join(shuffled))
