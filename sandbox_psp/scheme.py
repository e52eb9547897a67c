"""The card schemes: know which number belongs to whom, carry messages between acquirer and issuer, charge their share.

Ranges of issuer numbers, the longest prefix first; lengths per scheme. Field 37 and field 11 are given here.
"""

from dataclasses import dataclass

from sandbox_psp import iso, issuer
from sandbox_psp.work import Work


@dataclass(frozen=True, slots=True)
class Scheme:
    """One card scheme."""

    name: str
    lengths: tuple[int, ...]
    cvc_digits: int = 3
    fee_per_mille: int = 1
    interchange_per_mille: int = 3


_SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("visa", (16, 18, 19)),
        Scheme("mastercard", (16,)),
        Scheme("amex", (15,), cvc_digits=4, fee_per_mille=5, interchange_per_mille=5),
        Scheme("discover", (16, 19)),
        Scheme("diners", (14, 16, 19)),
        Scheme("jcb", (16, 17, 18, 19)),
        Scheme("unionpay", (14, 15, 16, 17, 18, 19)),
    )
}

# First and last prefix of each range, as numbers of equal length.
_RANGES = (
    ("visa", 4, 4),
    ("mastercard", 51, 55),
    ("mastercard", 2221, 2720),
    ("amex", 34, 34),
    ("amex", 37, 37),
    ("discover", 6011, 6011),
    ("discover", 644, 649),
    ("discover", 65, 65),
    ("diners", 300, 305),
    ("diners", 36, 36),
    ("diners", 38, 39),
    ("jcb", 3528, 3589),
    ("unionpay", 62, 62),
)


def scheme_of(number: str) -> Scheme | None:
    """The scheme that routes this card number, if any does."""
    for name, first, last in _RANGES:
        prefix = number[: len(str(first))]
        if prefix.isdigit() and first <= int(prefix) <= last:
            scheme = _SCHEMES[name]
            return scheme if len(number) in scheme.lengths else None
    return None


def named(name: str) -> Scheme:
    """The scheme of this name."""
    return _SCHEMES[name]


def carry(work: Work, request: iso.Message) -> iso.Message:
    """Take a message to the issuer and bring the answer back; both are kept in the message log."""
    if scheme_of(request[iso.PAN]) is None:
        response = {iso.MTI: iso.response_type(request), iso.RESPONSE_CODE: "15"}
    else:
        response = issuer.answer(work, request)
    iso.log(work, request=request, response=response)
    return response
