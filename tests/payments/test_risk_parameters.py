"""No rule is stored that could not be evaluated, and nobody stands on a list as what they are not."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from payments.errors import RiskEntryInvalid, RiskRuleInvalid
from payments.models import RiskAction, RiskKind, RiskListEntry, RiskRule
from payments.services.risk_rules import DEFAULT_RULES, add_to_list, ensure_default_rules, store_rule
from tests.payments.risk_arranging import HOUR

pytestmark = pytest.mark.django_db

GOOD: dict[str, dict[str, Any]] = {
    RiskKind.AMOUNT_ABOVE: {"parameters": {"limit": "500.00"}, "currency": "EUR"},
    RiskKind.VELOCITY_COUNT: {"parameters": {"limit": 20}, "subject": "buyer", "window": HOUR},
    RiskKind.VELOCITY_AMOUNT: {
        "parameters": {"limit": "9"},
        "subject": "ip",
        "window": HOUR,
        "currency": "JPY",
    },
    RiskKind.COUNTRY_BLOCKED: {"parameters": {"countries": ["KP"]}, "subject": "country"},
    RiskKind.COUNTRY_ALLOWED_ONLY: {"parameters": {"countries": []}, "subject": "country"},
    RiskKind.BLOCK_LIST: {"subject": "email"},
    RiskKind.ALLOW_LIST: {"action": RiskAction.ACCEPT},
    RiskKind.SANCTIONS_NAME: {"parameters": {"match": "exact"}, "subject": "name"},
    RiskKind.OUTSIDE_SCORE: {"parameters": {"limit": 80}},
}


def rule(kind: str, **changes: Any) -> RiskRule:
    values = {"action": RiskAction.REVIEW, "name": "tested", **GOOD[kind], **changes}
    return RiskRule(kind=kind, **values)


@pytest.mark.parametrize("kind", list(RiskKind))
def test_a_good_rule_of_each_kind_is_stored(kind: str) -> None:
    stored = store_rule(rule(kind), staff="anna")
    assert RiskRule.objects.get(id=stored.id).changed_by == "staff:anna"


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (RiskKind.AMOUNT_ABOVE, {"parameters": {}}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"parameters": {"limit": 500}}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"parameters": {"limit": 5.5}}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"parameters": {"limit": "NaN"}}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"parameters": {"limit": "-1.00"}}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"parameters": {"limit": "1.001"}}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"parameters": {"limit": "1", "more": 1}}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"parameters": ["1"]}, "parameters"),
        (RiskKind.AMOUNT_ABOVE, {"currency": ""}, "currency"),
        (RiskKind.AMOUNT_ABOVE, {"currency": "XXX"}, "currency"),
        (RiskKind.AMOUNT_ABOVE, {"window": HOUR}, "window"),
        (RiskKind.AMOUNT_ABOVE, {"subject": "buyer"}, "subject"),
        (RiskKind.AMOUNT_ABOVE, {"action": RiskAction.ACCEPT}, "action"),
        (RiskKind.VELOCITY_COUNT, {"parameters": {"limit": "20"}}, "parameters"),
        (RiskKind.VELOCITY_COUNT, {"parameters": {"limit": True}}, "parameters"),
        (RiskKind.VELOCITY_COUNT, {"parameters": {"limit": -1}}, "parameters"),
        (RiskKind.VELOCITY_COUNT, {"parameters": {"limit": 1001}}, "parameters"),
        (RiskKind.VELOCITY_COUNT, {"window": None}, "window"),
        (RiskKind.VELOCITY_COUNT, {"window": timedelta(0)}, "window"),
        (RiskKind.VELOCITY_COUNT, {"window": timedelta(days=91)}, "window"),
        (RiskKind.VELOCITY_COUNT, {"subject": ""}, "subject"),
        (RiskKind.VELOCITY_COUNT, {"subject": "email"}, "subject"),
        (RiskKind.VELOCITY_COUNT, {"currency": "EUR"}, "currency"),
        (RiskKind.VELOCITY_AMOUNT, {"parameters": {"limit": "9.5"}}, "parameters"),
        (RiskKind.COUNTRY_BLOCKED, {"parameters": {"countries": "KP"}}, "parameters"),
        (RiskKind.COUNTRY_BLOCKED, {"parameters": {"countries": ["kp"]}}, "parameters"),
        (RiskKind.COUNTRY_ALLOWED_ONLY, {"parameters": {"countries": ["DEU"]}}, "parameters"),
        (RiskKind.BLOCK_LIST, {"parameters": {"x": 1}}, "parameters"),
        (RiskKind.BLOCK_LIST, {"subject": "name"}, "subject"),
        (RiskKind.ALLOW_LIST, {"action": RiskAction.REVIEW}, "action"),
        (RiskKind.SANCTIONS_NAME, {"parameters": {"match": "fuzzy"}}, "parameters"),
        (RiskKind.SANCTIONS_NAME, {"action": RiskAction.ASK}, "action"),
        (RiskKind.OUTSIDE_SCORE, {"parameters": {"limit": 101}}, "parameters"),
        (RiskKind.OUTSIDE_SCORE, {"parameters": {"limit": 50}, "action": RiskAction.ASK}, "parameters"),
    ],
)
def test_a_wrong_rule_is_refused_by_field(kind: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(RiskRuleInvalid) as refusal:
        store_rule(rule(kind, **changes), staff="anna")
    assert set(refusal.value.problems) == {field}
    assert not RiskRule.objects.filter(name="tested").exists()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RiskRuleInvalid):
        store_rule(RiskRule(kind="guess", action=RiskAction.REVIEW, name="tested"), staff="anna")


def test_nobody_is_asked_when_nobody_is_configured(settings: Settings) -> None:
    asking = {"parameters": {}, "action": RiskAction.ASK}
    store_rule(rule(RiskKind.OUTSIDE_SCORE, **asking), staff="anna")
    settings.RISK_PROVIDER = None
    with pytest.raises(RiskRuleInvalid):
        store_rule(rule(RiskKind.OUTSIDE_SCORE, name="other", **asking), staff="anna")


def test_the_database_lets_only_allow_lists_accept() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RiskRule.objects.create(name="x", kind=RiskKind.AMOUNT_ABOVE, action=RiskAction.ACCEPT)
    with pytest.raises(IntegrityError), transaction.atomic():
        RiskRule.objects.create(name="x", kind=RiskKind.VELOCITY_COUNT, action=RiskAction.REVIEW)


def test_a_rule_is_never_deleted() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RiskRule.objects.all().delete()


def test_the_default_rules_can_be_used_and_are_made_once() -> None:
    names = {values["name"] for values in DEFAULT_RULES}
    for values in DEFAULT_RULES:
        store_rule(RiskRule(**{**values, "name": f"copy-{values['name']}"}), staff="anna")
    RiskRule.objects.filter(name="large-eur").update(enabled=True, parameters={"limit": "1.00"})
    ensure_default_rules()
    ensure_default_rules()
    assert RiskRule.objects.filter(name__in=names).count() == len(names)
    kept = RiskRule.objects.get(name="large-eur")
    assert (kept.enabled, kept.parameters) == (True, {"limit": "1.00"})


@pytest.mark.parametrize(
    ("kind", "subject", "value"),
    [
        ("block", "email", "no address"),
        ("block", "phone", "0712345678"),
        ("block", "email_domain", "a@b.example"),
        ("block", "ip", "300.1.1.1"),
        ("block", "ip", "203.0.113.0/24"),
        ("block", "buyer", "buyer-7"),
        ("block", "name", "Amina"),
        ("block", "country", "KP"),
        ("allow", "card_fingerprint", " "),
        ("sanctions", "email", "a@b.example"),
        ("sanctions", "name", "..."),
    ],
)
def test_a_wrong_entry_is_refused(kind: str, subject: str, value: str) -> None:
    with pytest.raises(RiskEntryInvalid):
        add_to_list(kind=kind, subject=subject, value=value, note="n", staff="anna")


def test_personal_values_are_kept_as_digests_only() -> None:
    for subject, value in (("email", "amina@example.org"), ("phone", "+254712345678"), ("ip", "203.0.113.7")):
        add_to_list(kind="block", subject=subject, value=value, note="case", staff="anna")
    stored = str(list(RiskListEntry.objects.values_list()))
    assert "amina" not in stored and "254712345678" not in stored and "203.0.113" not in stored
    domain = add_to_list(kind="block", subject="email_domain", value="Example.ORG", note="case", staff="anna")
    assert domain.label == "example.org"
