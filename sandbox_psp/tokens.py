"""Tokens stand for cards, so that nobody who takes payments ever sees a number.

`tok_...` may be used once, `pm_...` again and again. The ready-made ones of `cards.py` and `faults.py` are never used up.
"""

from dataclasses import dataclass
from typing import Any

from sandbox_psp import faults
from sandbox_psp.cards import BY_NAME, BY_NUMBER, luhn_valid
from sandbox_psp.errors import ApiError
from sandbox_psp.fields import Fields
from sandbox_psp.ids import new_id
from sandbox_psp.scheme import Scheme, scheme_of
from sandbox_psp.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The card behind a token."""

    number: str
    exp_month: int
    exp_year: int
    scheme: Scheme


def resolve(work: Work, token: str, *, payment_id: str) -> Source:
    """The card behind a token; a single-use token is used up by this payment.

    Raises:
        ApiError: `token_unknown`, `token_already_used`.
    """
    prefix, _, name = token.partition("_")
    if prefix in ("tok", "pm") and (name in BY_NAME or faults.of_token(token)):
        card = BY_NAME.get(name, BY_NAME["visa"])
        return _source(card.number, exp_month=12, exp_year=2099)
    row = work.db.execute("SELECT * FROM tokens WHERE id = ?", (token,)).fetchone()
    if row is None:
        raise ApiError(f"No token {token!r} here.", code="token_unknown", param="source")
    if not row["reusable"]:
        if row["used_by"] is not None:
            raise ApiError("This token was used before.", code="token_already_used", param="source")
        work.db.execute("UPDATE tokens SET used_by = ? WHERE id = ?", (payment_id, token))
    return _source(row["number"], exp_month=row["exp_month"], exp_year=row["exp_year"])


def _source(number: str, *, exp_month: int, exp_year: int) -> Source:
    scheme = scheme_of(number)
    if scheme is None:
        raise AssertionError(f"a test card of no scheme: {number[-4:]}")
    return Source(number=number, exp_month=exp_month, exp_year=exp_year, scheme=scheme)


def create(work: Work, fields: Fields, *, reusable: bool) -> dict[str, Any]:
    """Exchange a test card's data for a token.

    Raises:
        ApiError: `invalid_number`, `unsupported_brand`, `not_a_test_card`, `invalid_cvc`, or a malformed field.
    """
    card = fields.object("card")
    number = str(card.text("number", longest=30)).replace(" ", "").replace("-", "")
    exp_month = card.integer("exp_month", least=1, most=12)
    exp_year = card.integer("exp_year", least=2000, most=2099)
    cvc = card.text("cvc", longest=4)
    holder_name = card.text("holder_name", "")
    card.end()
    fields.end()
    if not (number.isascii() and number.isdigit() and luhn_valid(number)):
        raise ApiError("This is not a card number.", code="invalid_number", param="card.number")
    scheme = scheme_of(number)
    if scheme is None:
        raise ApiError("No scheme here knows this card.", code="unsupported_brand", param="card.number")
    if number not in BY_NUMBER:
        raise ApiError("Only test cards are taken here.", code="not_a_test_card", param="card.number")
    if not (cvc.isascii() and cvc.isdigit() and len(cvc) == scheme.cvc_digits):
        raise ApiError(
            f"The code on this card has {scheme.cvc_digits} digits.", code="invalid_cvc", param="card.cvc"
        )
    token = new_id("pm" if reusable else "tok")
    work.db.execute(
        "INSERT INTO tokens (id, number, exp_month, exp_year, holder_name, reusable, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (token, number, exp_month, exp_year, holder_name, int(reusable), work.now),
    )
    return {
        "id": token,
        "object": "payment_method" if reusable else "token",
        "brand": scheme.name,
        "last4": number[-4:],
        "exp_month": exp_month,
        "exp_year": exp_year,
        "card_fingerprint": BY_NUMBER[number].fingerprint,
        "reusable": reusable,
        "created": int(work.now),
    }
