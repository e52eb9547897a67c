"""The acquirer: speaks for the merchant to the card schemes and keeps the merchant's account.

It charges 1.4 % and 20 minor units per capture, never more than the capture, and pays interchange and the scheme's
fee out of that.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox_psp import balance, books, iso, issuer, scheme
from sandbox_psp.currencies import CURRENCIES
from sandbox_psp.store import next_number
from sandbox_psp.work import Work

DECLINE_CODES = {
    "05": "do_not_honor",
    "14": "invalid_number",
    "15": "invalid_number",
    "41": "lost_card",
    "43": "stolen_card",
    "51": "insufficient_funds",
    "54": "expired_card",
    "57": "transaction_not_permitted",
    "59": "suspected_fraud",
    "61": "limit_exceeded",
    "62": "restricted_card",
    "91": "issuer_unavailable",
    "96": "processing_error",
    "N7": "incorrect_cvc",
}
"""What the API says for the issuer's field 39; anything else is a `generic_decline`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """What the issuer said to a 0100."""

    rrn: str
    network_code: str
    approval_code: str | None

    @property
    def approved(self) -> bool:
        """Whether the money is held."""
        return self.network_code == iso.APPROVED

    @property
    def decline_code(self) -> str:
        """The refusal in the API's words."""
        return DECLINE_CODES.get(self.network_code, "generic_decline")


def authorise(
    work: Work, *, number: str, exp_month: int, exp_year: int, amount: int, currency: str, authenticated: bool
) -> Authorisation:
    """Ask the issuer to hold `amount`."""
    trace = next_number(work.db, "rrn")
    rrn = f"{trace:012d}"
    request = _message(
        work, mti="0100", number=number, amount=amount, currency=currency, rrn=rrn, trace=trace
    )
    request |= {
        iso.EXPIRY: f"{exp_year % 100:02d}{exp_month:02d}",
        # What the issuer's own page vouched for: fully authenticated (05) or not at all (07).
        iso.AUTHENTICATION: "05" if authenticated else "07",
    }
    response = scheme.carry(work, request)
    return Authorisation(
        rrn=rrn, network_code=response[iso.RESPONSE_CODE], approval_code=response.get(iso.APPROVAL_CODE)
    )


def release(work: Work, *, number: str, amount: int, currency: str, rrn: str) -> None:
    """Reverse what is left of an authorisation (0400)."""
    trace = next_number(work.db, "stan")
    scheme.carry(
        work,
        _message(work, mti="0400", number=number, amount=amount, currency=currency, rrn=rrn, trace=trace),
    )


def clear(
    work: Work,
    *,
    capture: str,
    payment: str,
    reference: str,
    scheme_name: str,
    rrn: str,
    amount: int,
    currency: str,
) -> int:
    """Take captured money from the hold to the merchant's pending balance. Returns the merchant's fee."""
    fee = min(amount, amount * 14 // 1000 + 20)
    network = scheme.named(scheme_name)
    interchange = min(fee, amount * network.interchange_per_mille // 1000)
    scheme_fee = min(fee - interchange, amount * network.fee_per_mille // 1000)
    payer = issuer.take_from_hold(work, rrn=rrn, amount=amount)
    books.post(
        work,
        kind="capture",
        source=payment,
        currency=currency,
        legs=[
            (payer, -amount),
            (books.INTERCHANGE, interchange),
            (f"scheme:{network.name}:fees", scheme_fee),
            (books.ACQUIRER_FEES, fee - interchange - scheme_fee),
            (books.PENDING, amount - fee),
        ],
    )
    balance.add_item(
        work,
        kind="capture",
        source=capture,
        payment=payment,
        reference=reference,
        currency=currency,
        gross=amount,
        fee=fee,
    )
    return fee


def undo_clearing(
    work: Work,
    *,
    capture: str,
    payment: str,
    reference: str,
    number: str,
    amount: int,
    fee: int,
    currency: str,
) -> None:
    """Give captured money back as if it had never been taken; the merchant gets the fee back."""
    books.post(
        work,
        kind="capture_reversed",
        source=payment,
        currency=currency,
        legs=[
            (books.PENDING, fee - amount),
            (books.ACQUIRER_FEES, -fee),
            (issuer.cardholder_account(number), amount),
        ],
    )
    balance.add_item(
        work,
        kind="capture_reversed",
        source=capture,
        payment=payment,
        reference=reference,
        currency=currency,
        gross=-amount,
        fee=-fee,
    )


def credit(work: Work, *, number: str, amount: int, currency: str) -> str:
    """Tell the issuer that the cardholder gets money back (0220, processing code 20). Returns the network reference."""
    trace = next_number(work.db, "rrn")
    rrn = f"{trace:012d}"
    request = _message(
        work, mti="0220", number=number, amount=amount, currency=currency, rrn=rrn, trace=trace
    )
    scheme.carry(work, {**request, iso.PROCESSING_CODE: iso.CREDIT})
    return rrn


def _message(
    work: Work, *, mti: str, number: str, amount: int, currency: str, rrn: str, trace: int
) -> iso.Message:
    return {
        iso.MTI: mti,
        iso.PAN: number,
        iso.PROCESSING_CODE: iso.PURCHASE,
        iso.AMOUNT: f"{amount:012d}",
        iso.TRANSMITTED_AT: datetime.fromtimestamp(work.now, UTC).strftime("%m%d%H%M%S"),
        iso.STAN: f"{trace % 1_000_000:06d}",
        iso.MERCHANT_CATEGORY: "5999",
        iso.ENTRY_MODE: "812",
        iso.CONDITION: "59",
        iso.ACQUIRER: "400001",
        iso.RRN: rrn,
        iso.MERCHANT: "SANDBOX-MERCHANT",
        iso.CURRENCY: CURRENCIES[currency].numeric,
    }
