"""The issuing bank: owns the cardholders' accounts, answers the scheme's questions, holds and gives out money.

It decides from its own data only: the card's standing, expiry, security code, limits and balance.
"""

import secrets
from datetime import UTC, datetime
from typing import Any

from sandbox_psp import books, iso
from sandbox_psp.cards import BY_NUMBER, Card
from sandbox_psp.currencies import CURRENCIES
from sandbox_psp.work import Work

_APPROVAL_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_BY_NUMERIC = {currency.numeric: currency.code for currency in CURRENCIES.values()}


def answer(work: Work, request: iso.Message) -> iso.Message:
    """0100 wants money held and gets a 0110; 0400 gives a hold back and gets a 0410; 0220 credits the cardholder."""
    handler = {"0100": _authorise, "0400": _reverse, "0220": _credit}[request[iso.MTI]]
    echoed = {name: request[name] for name in (iso.STAN, iso.RRN, iso.AMOUNT, iso.CURRENCY)}
    return {iso.MTI: iso.response_type(request), **echoed, **handler(work, request)}


def _authorise(work: Work, request: iso.Message) -> iso.Message:
    card = BY_NUMBER.get(request[iso.PAN])
    if card is None:
        return {iso.RESPONSE_CODE: "14"}
    amount, currency = int(request[iso.AMOUNT]), _BY_NUMERIC[request[iso.CURRENCY]]
    _open_account(work, card, currency)
    refusal = _refusal(work, card=card, expiry=request[iso.EXPIRY], amount=amount, currency=currency)
    if refusal:
        return {iso.RESPONSE_CODE: refusal}
    _move(work, "hold", request[iso.RRN], currency, _available(card), _held(card), amount)
    work.db.execute(
        "INSERT INTO holds (rrn, number, currency, remaining, created) VALUES (?, ?, ?, ?, ?)",
        (request[iso.RRN], card.number, currency, amount, work.now),
    )
    approval = "".join(secrets.choice(_APPROVAL_ALPHABET) for _ in range(6))
    return {iso.RESPONSE_CODE: iso.APPROVED, iso.APPROVAL_CODE: approval}


def _refusal(work: Work, *, card: Card, expiry: str, amount: int, currency: str) -> str:
    """The response code that speaks against the payment, or nothing."""
    own = work.db.execute("SELECT * FROM issuer_cards WHERE number = ?", (card.number,)).fetchone()
    standing = own["status"] if own and own["status"] is not None else card.answers
    limit = own["limit_amount"] if own and own["limit_amount"] is not None else card.limit_amount
    if standing != iso.APPROVED:
        return str(standing)
    today = datetime.fromtimestamp(work.now, UTC)
    typed = (2000 + int(expiry[:2]), int(expiry[2:]))
    if min(typed, card.issued_until) < (today.year, today.month):
        return "54"
    if not card.cvc_matches:
        return "N7"
    if limit is not None and amount > limit:
        return "61"
    if books.balance(work, _available(card), currency) < amount:
        return "51"
    return ""


def _reverse(work: Work, request: iso.Message) -> iso.Message:
    hold = work.db.execute("SELECT * FROM holds WHERE rrn = ?", (request[iso.RRN],)).fetchone()
    if hold is None:
        return {iso.RESPONSE_CODE: "25"}
    amount = min(int(request[iso.AMOUNT]), hold["remaining"])
    card = BY_NUMBER[hold["number"]]
    work.db.execute("UPDATE holds SET remaining = remaining - ? WHERE rrn = ?", (amount, request[iso.RRN]))
    _move(work, "release", request[iso.RRN], hold["currency"], _held(card), _available(card), amount)
    return {iso.RESPONSE_CODE: iso.APPROVED}


def _credit(work: Work, request: iso.Message) -> iso.Message:
    """A refund reaches a card even when it could not pay any more; the acquirer posts the money."""
    return {iso.RESPONSE_CODE: iso.APPROVED if request[iso.PAN] in BY_NUMBER else "14"}


def take_from_hold(work: Work, *, rrn: str, amount: int) -> str:
    """Clearing: the scheme presents what was captured. Returns the account that pays, for the acquirer's entry."""
    hold = work.db.execute("SELECT * FROM holds WHERE rrn = ?", (rrn,)).fetchone()
    if hold is None or hold["remaining"] < amount:
        raise books.BooksDoNotBalance(f"hold {rrn} has less than {amount}")
    work.db.execute("UPDATE holds SET remaining = remaining - ? WHERE rrn = ?", (amount, rrn))
    return _held(BY_NUMBER[hold["number"]])


def cardholder_account(number: str) -> str:
    """The account that a refund is credited to."""
    return _available(BY_NUMBER[number])


def change_card(
    work: Work,
    *,
    card: Card,
    currency: str | None,
    balance: int | None,
    limit: int | None,
    status: str | None,
) -> dict[str, Any]:
    """Set what the issuer knows about a card: its balance in a currency, its limit per payment, its answer."""
    work.db.execute("INSERT INTO issuer_cards (number) VALUES (?) ON CONFLICT DO NOTHING", (card.number,))
    if limit is not None:
        work.db.execute("UPDATE issuer_cards SET limit_amount = ? WHERE number = ?", (limit, card.number))
    if status is not None:
        work.db.execute("UPDATE issuer_cards SET status = ? WHERE number = ?", (status, card.number))
    result: dict[str, Any] = {"object": "card", "last4": card.last4, "limit": limit, "status": status}
    if currency is not None:
        _open_account(work, card, currency)
        if balance is not None:
            change = balance - books.balance(work, _available(card), currency)
            _move(work, "set_balance", card.fingerprint, currency, books.VAULT, _available(card), change)
        result |= {"currency": currency, "balance": books.balance(work, _available(card), currency)}
    return result


def _open_account(work: Work, card: Card, currency: str) -> None:
    if not books.is_open(work, _available(card), currency) and card.opening_balance:
        _move(work, "open", card.fingerprint, currency, books.VAULT, _available(card), card.opening_balance)


def _move(work: Work, kind: str, source: str, currency: str, giver: str, taker: str, amount: int) -> None:
    books.post(work, kind=kind, source=source, currency=currency, legs=[(giver, -amount), (taker, amount)])


def _available(card: Card) -> str:
    return f"issuer:cardholder:{card.name}"


def _held(card: Card) -> str:
    return f"issuer:held:{card.name}"
