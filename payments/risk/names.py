"""Names in one form, so that a sanctioned person is found however their name is written."""

import unicodedata

_LETTERS = str.maketrans(
    {  # Letters that Unicode does not take apart, as passports write them.
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "ħ": "h",
        "ŧ": "t",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
    }
)

_JOINING = frozenset("'’ʼʻ`´‘＇")  # noqa: RUF001 - the apostrophes are the point
"""Marks inside a word: O'Brien and OBrien are one name. All other punctuation parts words: Al-Sayed is Al Sayed."""


def tokens(name: str) -> tuple[str, ...]:
    """The words of a name in compatibility form without case, accents and punctuation, sorted.

    Sorted, because "García, José" and "José García" are one person. Digits stay: some lists give ships and companies.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    kept: list[str] = []
    for character in folded.translate(_LETTERS):
        category = unicodedata.category(character)
        if character in _JOINING or category in ("Mn", "Me", "Cf"):
            continue
        kept.append(character if category[0] in "LNM" else " ")
    return tuple(sorted("".join(kept).split()))
