"""The only cards that exist here, and how each one's issuer behaves. Real numbers are refused by not being in this list.

Every card has a ready-made single-use token `tok_<name>` and a reusable one `pm_<name>`.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

PLENTY = 10**15
"""Opening balance, in minor units per currency, of a cardholder who never runs out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One test card and what it is there to show."""

    name: str
    number: str
    answers: str = "00"
    """What the issuer answers when nothing else stands against it (ISO 8583 field 39)."""
    opening_balance: int = PLENTY
    limit_amount: int | None = None
    """Largest single payment, in minor units of any currency."""
    issued_until: tuple[int, int] = (9999, 12)
    """Year and month after which the issuer refuses the card, whatever expiry was typed in."""
    cvc_matches: bool = True
    authentication: str = "none"
    """none, challenge, or fails: what 3-D Secure wants of the cardholder."""
    review: bool = False
    clearing: str = "at_once"
    """at_once, later, or fails_later: whether the outcome of a payment takes its time."""
    refunds: str = "at_once"
    """at_once, pending, pending_fails, or fail_after_success."""
    disputed: bool = False
    """The cardholder disputes each payment as fraud."""

    @property
    def fingerprint(self) -> str:
        """The same for every token of the same card."""
        return _fingerprint(self.number)

    @property
    def last4(self) -> str:
        """What a receipt may show."""
        return self.number[-4:]


@lru_cache(maxsize=256)
def _fingerprint(number: str) -> str:
    return f"fp_{sha256(b'sandbox ' + number.encode()).hexdigest()[:20]}"


_ALL = (
    Card(name="visa", number="4242424242424242"),
    Card(name="visa_debit", number="4000056655665556"),
    Card(name="mastercard", number="5555555555554444"),
    Card(name="mastercard_2", number="2223003122003222"),
    Card(name="amex", number="378282246310005"),
    Card(name="discover", number="6011111111111117"),
    Card(name="diners", number="3056930009020004"),
    Card(name="jcb", number="3566002020360505"),
    Card(name="unionpay", number="6200000000000005"),
    Card(name="declined", number="4000000000000002", answers="05"),
    Card(name="insufficient_funds", number="4000000000009995", opening_balance=0),
    Card(name="expired_card", number="4000000000000069", issued_until=(2020, 1)),
    Card(name="lost_card", number="4000000000009987", answers="41"),
    Card(name="stolen_card", number="4000000000009979", answers="43"),
    Card(name="incorrect_cvc", number="4000000000000127", cvc_matches=False),
    Card(name="issuer_unavailable", number="4000000000009102", answers="91"),
    Card(name="limit_exceeded", number="4000000000006108", limit_amount=0),
    Card(name="processing_error", number="4000000000000119", answers="96"),
    Card(name="3ds", number="4000002760003184", authentication="challenge"),
    Card(name="3ds_fail", number="4000008400001629", authentication="fails"),
    Card(
        name="3ds_insufficient_funds",
        number="4000008260003178",
        authentication="challenge",
        opening_balance=0,
    ),
    Card(name="review", number="4000000000009235", review=True),
    Card(name="processing", number="4000000000003006", clearing="later"),
    Card(name="processing_fails", number="4000000000003014", clearing="fails_later"),
    Card(name="refund_pending", number="4000000000007726", refunds="pending"),
    Card(name="refund_pending_fails", number="4000000000003022", refunds="pending_fails"),
    Card(name="refund_fails", number="4000000000005126", refunds="fail_after_success"),
    Card(name="disputed", number="4000000000000259", disputed=True),
)

BY_NUMBER = {card.number: card for card in _ALL}
BY_NAME = {card.name: card for card in _ALL}


def luhn_valid(number: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
