"""What each kind of rule must be told, checked before staff may save it and readable for whoever evaluates it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ledger import money
from ledger.errors import MoneyError
from payments.models import RiskAction, RiskKind, RiskSubject

MOST_COUNTED = 1000
"""A velocity rule counts no further, so that one busy subject cannot make every payment slow."""

LONGEST_WINDOW = timedelta(days=90)

Problems = dict[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """What one kind of rule is made of."""

    subjects: tuple[str, ...]
    actions: tuple[str, ...]
    check: Callable[[Mapping[str, Any], str], str]
    """Given parameters and currency, says what is wrong with the parameters; nothing when they are right."""
    window: bool = False
    currency: bool = False


def _no_parameters(parameters: Mapping[str, Any], currency: str) -> str:
    return "This kind takes no parameters: {}." if parameters else ""


def _amount(parameters: Mapping[str, Any], currency: str) -> str:
    if set(parameters) != {"limit"}:
        return 'Exactly one parameter: {"limit": "500.00"}.'
    try:
        limit = money.parse_amount(parameters["limit"], currency)
    except MoneyError as error:
        return f"limit: {error}"
    return "limit: not below zero." if limit.amount < 0 else ""


def _whole(most: int) -> Callable[[Mapping[str, Any], str], str]:
    def check(parameters: Mapping[str, Any], currency: str) -> str:
        limit = parameters.get("limit")
        if set(parameters) != {"limit"} or isinstance(limit, bool) or not isinstance(limit, int):
            return 'Exactly one parameter, a whole number: {"limit": 20}.'
        return "" if 0 <= limit <= most else f"limit: from 0 to {most}."

    return check


def _countries(parameters: Mapping[str, Any], currency: str) -> str:
    countries = parameters.get("countries")
    fits = isinstance(countries, list) and all(
        isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
        for code in countries
    )
    if set(parameters) != {"countries"} or not fits:
        return 'Exactly one parameter, a list of ISO 3166-1 codes: {"countries": ["DE", "KE"]}.'
    return ""


def _matching(parameters: Mapping[str, Any], currency: str) -> str:
    if parameters in ({"match": "exact"}, {"match": "contained"}):
        return ""
    return 'Exactly one parameter: {"match": "exact"} or {"match": "contained"}.'


_DECIDING = (RiskAction.ASK, RiskAction.REVIEW, RiskAction.REFUSE)
_COUNTED = (RiskSubject.BUYER, RiskSubject.EMAIL_DOMAIN, RiskSubject.IP, RiskSubject.CARD_FINGERPRINT)
LISTED = (
    RiskSubject.BUYER,
    RiskSubject.EMAIL,
    RiskSubject.PHONE,
    RiskSubject.EMAIL_DOMAIN,
    RiskSubject.IP,
    RiskSubject.CARD_FINGERPRINT,
)
"""What may stand on a block list or an allow list."""

SHAPES: Mapping[str, Shape] = {
    RiskKind.AMOUNT_ABOVE: Shape(("",), _DECIDING, _amount, currency=True),
    RiskKind.VELOCITY_COUNT: Shape(_COUNTED, _DECIDING, _whole(MOST_COUNTED), window=True),
    RiskKind.VELOCITY_AMOUNT: Shape(_COUNTED, _DECIDING, _amount, window=True, currency=True),
    RiskKind.COUNTRY_BLOCKED: Shape((RiskSubject.COUNTRY,), _DECIDING, _countries),
    RiskKind.COUNTRY_ALLOWED_ONLY: Shape((RiskSubject.COUNTRY,), _DECIDING, _countries),
    RiskKind.BLOCK_LIST: Shape(("", *LISTED), _DECIDING, _no_parameters),
    RiskKind.ALLOW_LIST: Shape(("", *LISTED), (RiskAction.ACCEPT,), _no_parameters),
    RiskKind.SANCTIONS_NAME: Shape((RiskSubject.NAME,), (RiskAction.REVIEW, RiskAction.REFUSE), _matching),
    RiskKind.OUTSIDE_SCORE: Shape(("",), _DECIDING, _whole(100)),
}


def problems(
    *,
    kind: str,
    subject: str,
    parameters: object,
    window: timedelta | None,
    currency: str,
    action: str,
    provider_configured: bool,
) -> Problems:
    """What is wrong with a rule, by field; empty when it can be used."""
    shape = SHAPES.get(kind)
    if shape is None:
        return {"kind": "There is no such kind of rule."}
    found: Problems = {}
    if subject not in shape.subjects:
        choices = ", ".join(str(item) or "(none)" for item in shape.subjects)
        found["subject"] = f"For {kind}: {choices}."
    if action not in shape.actions:
        found["action"] = f"For {kind}: {', '.join(map(str, shape.actions))}."
    if action == RiskAction.ASK and not provider_configured:
        found["action"] = "No outside provider is configured."
    if shape.window and (window is None or not timedelta(seconds=1) <= window <= LONGEST_WINDOW):
        found["window"] = f"From one second to {LONGEST_WINDOW.days} days."
    if not shape.window and window is not None:
        found["window"] = f"{kind} has no window."
    if bool(currency) != shape.currency:
        found["currency"] = "A currency is needed." if shape.currency else f"{kind} has no currency."
    elif currency:
        try:
            money.decimals(currency)
        except MoneyError as error:
            found["currency"] = str(error)
    if "currency" not in found:
        wrong = _check_parameters(shape, kind, action, parameters, currency)
        if wrong:
            found["parameters"] = wrong
    return found


def _check_parameters(shape: Shape, kind: str, action: str, parameters: object, currency: str) -> str:
    if not isinstance(parameters, dict):
        return "A JSON object."
    if kind == RiskKind.OUTSIDE_SCORE and action == RiskAction.ASK:
        return _no_parameters(parameters, currency)
    return shape.check(parameters, currency)
