"""What the rules say about a payment whose signals are gathered. Pure: reads nothing, writes nothing, asks nobody."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from moneyed import Money

from ledger import money
from ledger.errors import MoneyError
from payments.models import RiskAction, RiskKind
from payments.risk.signals import Measured

STRICTNESS = (RiskAction.ACCEPT, RiskAction.ASK, RiskAction.REVIEW, RiskAction.REFUSE)
"""From the mildest; the strictest rule that hits decides."""

WORDS = {"card_fingerprint": "card", "email_domain": "email domain", "ip": "IP address"}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a sentence without personal data, by which rule; staff and the provider give theirs without a rule."""

    rule: str
    text: str

    def as_json(self) -> dict[str, str]:
        """As decisions keep it."""
        return {"rule": self.rule, "text": self.text}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a payment, and why."""

    outcome: RiskAction
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What the shop said about a payment, as far as rules look at it."""

    totals: Mapping[str, Money]
    """What is to be charged, by currency."""
    country: str = ""


def totals_of(amounts: Iterable[Money]) -> Mapping[str, Money]:
    """The sum of these amounts in each of their currencies."""
    by_currency: dict[str, list[Money]] = {}
    for amount in amounts:
        by_currency.setdefault(amount.currency.code, []).append(amount)
    return {currency: money.total(parts, currency) for currency, parts in by_currency.items()}


def evaluate(rules: Sequence[Measured], payment: Payment) -> Verdict:
    """Go through the rules in their order. All that hit are named; the strictest decides.

    Who stands on an allow list is spared the rules after it, but never the sanctions.
    """
    hits: list[tuple[RiskAction, Reason]] = []
    trusted = False
    for rule in rules:
        if trusted and rule.kind != RiskKind.SANCTIONS_NAME:
            continue
        text = _judge(rule, payment)
        if not text:
            continue
        hits.append(
            (RiskAction(rule.action) if text != UNREADABLE else RiskAction.REVIEW, Reason(rule.name, text))
        )
        trusted = trusted or rule.kind == RiskKind.ALLOW_LIST
    return _strictest(hits)


def evaluate_score(rules: Sequence[Measured], score: int) -> Verdict:
    """What the score of an outside provider means. A score that no rule explains is for a person to judge."""
    limits = [rule for rule in rules if rule.kind == RiskKind.OUTSIDE_SCORE and rule.action != RiskAction.ASK]
    if not limits:
        return Verdict(RiskAction.REVIEW, (Reason("", f"No rule says what a score of {score} means."),))
    hits: list[tuple[RiskAction, Reason]] = []
    for rule in limits:
        limit = rule.parameters.get("limit")
        if not isinstance(limit, int):
            hits.append((RiskAction.REVIEW, Reason(rule.name, UNREADABLE)))
        elif score > limit:
            hits.append((RiskAction(rule.action), Reason(rule.name, f"Score {score}, and {limit} may pass.")))
    return _strictest(hits)


UNREADABLE = "This rule cannot be read."
"""A rule that was stored past the checks. It must neither stop every payment nor let every payment through."""


def _strictest(hits: Sequence[tuple[RiskAction, Reason]]) -> Verdict:
    outcome = max((action for action, _ in hits), key=STRICTNESS.index, default=RiskAction.ACCEPT)
    return Verdict(outcome, tuple(reason for _, reason in hits))


def _judge(rule: Measured, payment: Payment) -> str:
    """Why the rule hits this payment; nothing when it does not."""
    try:
        return "; ".join(_why(rule, payment))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, MoneyError):
        return UNREADABLE


def _why(rule: Measured, payment: Payment) -> Iterator[str]:
    match rule.kind:
        case RiskKind.AMOUNT_ABOVE:
            yield from _above(rule, payment, before=Decimal(0), what="")
        case RiskKind.VELOCITY_AMOUNT:
            what = f" by this {_word(rule)} in {_period(rule.window)}"
            yield from _above(rule, payment, before=Decimal(rule.found), what=what)
        case RiskKind.VELOCITY_COUNT:
            # This payment is the next one.
            if rule.found + 1 > int(rule.parameters["limit"]):
                yield (
                    f"{rule.found + 1} payments by this {_word(rule)} in {_period(rule.window)}, "
                    f"and {rule.parameters['limit']} may pass."
                )
        case RiskKind.OUTSIDE_SCORE:
            # Its limits wait for the provider's answer; the one that asks hits every payment.
            if rule.action == RiskAction.ASK:
                yield "Every payment is asked about."
        case RiskKind.COUNTRY_BLOCKED:
            if payment.country in rule.parameters["countries"]:
                yield f"Country {payment.country} is blocked."
        case RiskKind.COUNTRY_ALLOWED_ONLY:
            # Whoever leaves the country out must not get past a list of countries.
            if payment.country not in rule.parameters["countries"]:
                yield f"Country {payment.country or 'not given'} is not among the allowed ones."
        case RiskKind.BLOCK_LIST | RiskKind.ALLOW_LIST:
            list_name = "block" if rule.kind == RiskKind.BLOCK_LIST else "allow"
            for subject in rule.found or ():
                yield f"The {WORDS.get(subject, subject)} is on the {list_name} list."
        case RiskKind.SANCTIONS_NAME:
            for name in rule.found or ():
                yield f"The buyer's name fits {name} on the sanctions list."


def _above(rule: Measured, payment: Payment, *, before: Decimal, what: str) -> Iterator[str]:
    """Whether what came before and this payment together are more than the limit."""
    limit = money.parse_amount(rule.parameters["limit"], rule.currency)
    this = payment.totals.get(rule.currency)
    if this is None:
        return
    whole = money.total([money.from_books(before, rule.currency), this], rule.currency)
    if whole > limit:
        yield f"{_text(whole)}{what}, and {_text(limit)} may pass."


def _text(amount: Money) -> str:
    currency = amount.currency.code
    return f"{amount.amount:.{money.decimals(currency)}f} {currency}"


def _word(rule: Measured) -> str:
    return WORDS.get(rule.subject, rule.subject)


def _period(window: timedelta | None) -> str:
    """A window as people say it: "2 hours", "90 seconds"."""
    assert window is not None
    seconds = int(window.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % length == 0 and seconds:
            number = seconds // length
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return f"{seconds} seconds"
