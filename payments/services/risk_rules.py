"""Rules and lists: what a new system starts with, and what staff change."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from ledger import clock
from payments.errors import RiskEntryInvalid, RiskRuleInvalid
from payments.models import RiskAction, RiskKind, RiskList, RiskListEntry, RiskRule, RiskSubject
from payments.risk.names import tokens
from payments.risk.parameters import LISTED, problems
from payments.risk.subjects import digest_of, in_one_form
from wallet.encryption import keyed_digest

_PUBLIC = (RiskSubject.EMAIL_DOMAIN,)
"""Listed values that are nobody's secret and stay readable."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

DEFAULT_RULES: tuple[Mapping[str, Any], ...] = (
    # On from the first day: they hit nobody until somebody is put on a list, and cost next to nothing.
    {
        "name": "sanctioned-name",
        "kind": RiskKind.SANCTIONS_NAME,
        "subject": RiskSubject.NAME,
        "parameters": {"match": "contained"},
        "action": RiskAction.REVIEW,
        "priority": 10,
        "enabled": True,
    },
    {
        "name": "block-list",
        "kind": RiskKind.BLOCK_LIST,
        "action": RiskAction.REFUSE,
        "priority": 20,
        "enabled": True,
    },
    {
        "name": "allow-list",
        "kind": RiskKind.ALLOW_LIST,
        "action": RiskAction.ACCEPT,
        "priority": 30,
        "enabled": True,
    },
    # What a provider's score means, once one is asked.
    {
        "name": "score-refuse",
        "kind": RiskKind.OUTSIDE_SCORE,
        "parameters": {"limit": 90},
        "action": RiskAction.REFUSE,
        "priority": 70,
        "enabled": True,
    },
    {
        "name": "score-review",
        "kind": RiskKind.OUTSIDE_SCORE,
        "parameters": {"limit": 60},
        "action": RiskAction.REVIEW,
        "priority": 71,
        "enabled": True,
    },
    # Off until somebody has looked at the shop's own figures: with these on, one test buyer who pays twenty times an
    # hour, or a load test with one buyer, waits in the review queue.
    {
        "name": "buyer-payments-per-hour",
        "kind": RiskKind.VELOCITY_COUNT,
        "subject": RiskSubject.BUYER,
        "parameters": {"limit": 20},
        "window": _HOUR,
        "action": RiskAction.REVIEW,
        "priority": 50,
        "enabled": False,
    },
    {
        "name": "card-payments-per-hour",
        "kind": RiskKind.VELOCITY_COUNT,
        "subject": RiskSubject.CARD_FINGERPRINT,
        "parameters": {"limit": 20},
        "window": _HOUR,
        "action": RiskAction.REVIEW,
        "priority": 51,
        "enabled": False,
    },
    {
        "name": "ip-payments-per-hour",
        "kind": RiskKind.VELOCITY_COUNT,
        "subject": RiskSubject.IP,
        "parameters": {"limit": 100},
        "window": _HOUR,
        "action": RiskAction.REVIEW,
        "priority": 52,
        "enabled": False,
    },
    {
        "name": "buyer-eur-per-day",
        "kind": RiskKind.VELOCITY_AMOUNT,
        "subject": RiskSubject.BUYER,
        "parameters": {"limit": "10000.00"},
        "window": _DAY,
        "currency": "EUR",
        "action": RiskAction.REVIEW,
        "priority": 55,
        "enabled": False,
    },
    {
        "name": "large-eur",
        "kind": RiskKind.AMOUNT_ABOVE,
        "parameters": {"limit": "5000.00"},
        "currency": "EUR",
        "action": RiskAction.REVIEW,
        "priority": 60,
        "enabled": False,
    },
    {
        "name": "ask-about-every-payment",
        "kind": RiskKind.OUTSIDE_SCORE,
        "action": RiskAction.ASK,
        "priority": 80,
        "enabled": False,
    },
)


def ensure_default_rules() -> None:
    """Store the rules a new system starts with; those that are there, changed or not, stay as they are."""
    RiskRule.objects.bulk_create(
        [RiskRule(**rule, changed_by="default") for rule in DEFAULT_RULES], ignore_conflicts=True
    )


@transaction.atomic
def store_rule(rule: RiskRule, *, staff: str) -> RiskRule:
    """Save a new or changed rule; it counts for every payment from the next one on.

    Raises:
        RiskRuleInvalid: it could not be used; `problems` says what is wrong, by field (422).
    """
    found = rule_problems(rule)
    if found:
        raise RiskRuleInvalid(found)
    rule.changed_at = clock.now()
    rule.changed_by = f"staff:{staff}"
    rule.save()
    return rule


def rule_problems(rule: RiskRule) -> Mapping[str, str]:
    """What is wrong with a rule, by field."""
    return problems(
        kind=rule.kind,
        subject=rule.subject,
        parameters=rule.parameters,
        window=rule.window,
        currency=rule.currency,
        action=rule.action,
        provider_configured=bool(settings.RISK_PROVIDER),
    )


@transaction.atomic
def add_to_list(
    *,
    kind: str,
    subject: str,
    value: str,
    note: str,
    staff: str,
    expires_at: datetime | None = None,
) -> RiskListEntry:
    """Put somebody on a list. Who is on it already gets the new note and end.

    Values: buyer `<shop slug>:<the shop's buyer id>`; an email address; a phone number as E.164; an email domain; an IP
    address (of IPv6 its /64 network counts); a PSP's card fingerprint; for sanctions a full name.

    Raises:
        RiskEntryInvalid: the value cannot be what the subject says, or the subject has no place on the list (422).
    """
    check_entry(kind=kind, subject=subject, value=value)
    words: tuple[str, ...] = ()
    if kind == RiskList.SANCTIONS:
        words = tokens(value)
        label, digest = value.strip(), keyed_digest(f"{subject}:{' '.join(words)}")
    else:
        digest = digest_of(subject, value)
        label = in_one_form(subject, value) if subject in _PUBLIC else ""
    entry, _ = RiskListEntry.objects.update_or_create(
        kind=kind,
        subject=subject,
        digest=digest,
        defaults={"note": note, "expires_at": expires_at, "label": label, "tokens": list(words)},
        create_defaults={
            "note": note,
            "expires_at": expires_at,
            "label": label,
            "tokens": list(words),
            "created_by": f"staff:{staff}",
        },
    )
    return entry


def check_entry(*, kind: str, subject: str, value: str) -> None:
    """Whether this may stand on this list.

    Raises:
        RiskEntryInvalid: the value cannot be what the subject says, or the subject has no place on the list (422).
    """
    if kind == RiskList.SANCTIONS:
        if subject != RiskSubject.NAME or not tokens(value):
            raise RiskEntryInvalid("A sanctions list holds names.")
        return
    if subject not in LISTED:
        raise RiskEntryInvalid(f"A list holds {', '.join(map(str, LISTED))}.")
    try:
        value = in_one_form(subject, value)
    except ValueError:
        raise RiskEntryInvalid("This is no IP address.") from None
    fits = {
        RiskSubject.BUYER: ":" in value,
        RiskSubject.EMAIL: "@" in value[1:-1],
        RiskSubject.PHONE: value.startswith("+") and value[1:].isdigit(),
        RiskSubject.EMAIL_DOMAIN: "." in value and "@" not in value,
    }
    if not value or not fits.get(RiskSubject(subject), True):
        raise RiskEntryInvalid(f"This is no {subject}.")


def digests_to_look_up(value: str) -> list[str]:
    """The digests under which this value may stand on a list, for whoever looks it up."""
    found = []
    for subject in LISTED:
        try:
            check_entry(kind=RiskList.BLOCK, subject=subject, value=value)
        except RiskEntryInvalid:
            continue
        found.append(digest_of(subject, value))
    return found
