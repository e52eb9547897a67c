"""The review queue, the rules and the lists as staff use them."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from payments.models import (
    PaymentEvent,
    RiskAction,
    RiskCheck,
    RiskDecision,
    RiskKind,
    RiskListEntry,
    RiskRule,
    Shop,
)
from payments.services.risk_rules import add_to_list
from tests.payments.arranging import eur
from tests.payments.risk_arranging import attempts, check_of, only_rule, outcome, pay, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    """A signed-in superuser."""
    client.force_login(User.objects.create_superuser("anna"))
    return client


@pytest.fixture
def held(shop: Shop) -> PaymentEvent:
    """A payment in the review queue."""
    only_rule(RiskKind.AMOUNT_ABOVE, parameters={"limit": "1.00"}, currency="EUR", name="large")
    return pay(shop, eur("1234.50"))


def page(staff: Client, name: str, *arguments: object, **query: str) -> str:
    """The text of a page of the admin."""
    response = staff.get(reverse(f"admin:payments_{name}", args=arguments), query)
    assert response.status_code == 200
    return response.content.decode()


def decide(client: Client, event: PaymentEvent, **posted: str) -> Any:
    """What the form below a payment posts."""
    url = reverse("admin:payments_riskcheck_decide", args=[check_of(event).id])
    return client.post(url, {"reason": "called the buyer", **posted}, follow=True)


def test_the_queue_lists_what_waits_with_its_reasons(staff: Client, held: PaymentEvent) -> None:
    text = page(staff, "riskcheck_changelist")
    assert held.checkout_id in text
    assert "1,234.50 EUR" in text
    assert "1234.50 EUR, and 1.00 EUR may pass." in text


def test_a_longer_queue_takes_no_more_queries(
    staff: Client, held: PaymentEvent, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        pay(held.shop)
    with django_assert_max_num_queries(16):
        page(staff, "riskcheck_changelist")


def test_the_page_shows_the_buyer_the_orders_and_the_form(staff: Client, held: PaymentEvent) -> None:
    text = page(staff, "riskcheck_change", check_of(held).id)
    assert "amina@example.org" in text
    assert held.orders.get().payment_order_id in text
    assert 'name="reason"' in text and 'value="accept"' in text and 'value="refuse"' in text
    assert "tok_visa" not in text


@pytest.mark.parametrize(("decision", "made"), [("accept", 1), ("refuse", 0)])
def test_staff_decide_by_a_form(staff: Client, held: PaymentEvent, decision: str, made: int) -> None:
    response = decide(staff, held, decision=decision)
    assert response.redirect_chain == [(reverse("admin:payments_riskcheck_changelist"), 302)]
    assert (outcome(held), attempts(held)) == (decision, made)
    assert RiskDecision.objects.get(stage="staff").decided_by == "staff:anna"
    assert held.checkout_id not in page(staff, "riskcheck_changelist")
    assert held.checkout_id in page(staff, "riskcheck_changelist", waits="nobody")
    assert 'name="reason"' not in page(staff, "riskcheck_change", check_of(held).id)


@pytest.mark.parametrize(
    "posted", [{"decision": "accept", "reason": " "}, {"decision": ""}, {"decision": "maybe"}]
)
def test_a_form_without_reason_or_decision_decides_nothing(
    staff: Client, held: PaymentEvent, posted: dict[str, str]
) -> None:
    decide(staff, held, **posted)
    assert states(held) == {("NOT_STARTED", "risk_review", "")}


def test_the_second_form_says_that_it_is_decided(staff: Client, held: PaymentEvent) -> None:
    decide(staff, held, decision="refuse")
    text = decide(staff, held, decision="accept").content.decode()
    assert "somebody has decided it" in text
    assert outcome(held) == RiskAction.REFUSE


def test_a_link_decides_nothing(staff: Client, held: PaymentEvent) -> None:
    url = reverse("admin:payments_riskcheck_decide", args=[check_of(held).id])
    assert staff.get(url, {"decision": "accept", "reason": "x"}).status_code == 405
    assert outcome(held) == RiskAction.REVIEW


def test_another_site_cannot_post_the_form(held: PaymentEvent) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("anna"))
    assert decide(client, held, decision="accept").status_code == 403
    assert outcome(held) == RiskAction.REVIEW


def test_whoever_may_only_look_decides_nothing(client: Client, held: PaymentEvent) -> None:
    looker = User.objects.create_user("boris", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_riskcheck"))
    client.force_login(looker)
    assert "1,234.50" in page(client, "riskcheck_change", check_of(held).id)
    assert 'name="reason"' not in page(client, "riskcheck_change", check_of(held).id)
    assert decide(client, held, decision="accept").status_code == 403
    client.logout()
    assert "login" in decide(client, held, decision="accept").redirect_chain[0][0]
    assert outcome(held) == RiskAction.REVIEW


def test_decisions_are_for_reading(staff: Client, held: PaymentEvent) -> None:
    decision = RiskDecision.objects.get()
    assert held.checkout_id in page(staff, "riskdecision_changelist")
    text = page(staff, "riskdecision_change", decision.id)
    assert "may pass" in text and decision.buyer_digest not in text
    assert (
        staff.post(reverse("admin:payments_riskdecision_change", args=[decision.id]), {}).status_code == 403
    )
    assert staff.post(reverse("admin:payments_riskcheck_delete", args=[check_of(held).id])).status_code == 403


RULE = {
    "name": "large-kes",
    "kind": "amount_above",
    "subject": "",
    "parameters": '{"limit": "50000.00"}',
    "window": "",
    "currency": "KES",
    "action": "review",
    "priority": "60",
    "enabled": "on",
}


def test_staff_write_a_rule(staff: Client) -> None:
    response = staff.post(reverse("admin:payments_riskrule_add"), RULE)
    assert response.status_code == 302
    rule = RiskRule.objects.get(name="large-kes")
    assert (rule.parameters, rule.changed_by) == ({"limit": "50000.00"}, "staff:anna")
    change = reverse("admin:payments_riskrule_change", args=[rule.id])
    response = staff.post(change, {**RULE, "enabled": "", "name": "renamed"})
    assert response.status_code == 302
    rule.refresh_from_db()
    assert (rule.enabled, rule.name) == (False, "large-kes")
    assert staff.post(reverse("admin:payments_riskrule_delete", args=[rule.id])).status_code == 403


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": '{"limit": 5}'}, "an amount is a string"),
        ({"currency": ""}, "A currency is needed"),
        ({"kind": "velocity_count", "currency": ""}, "From one second to 90 days"),
        ({"action": "accept"}, "For amount_above"),
    ],
)
def test_a_rule_that_could_not_be_used_is_not_stored(
    staff: Client, changes: dict[str, str], said: str
) -> None:
    response = staff.post(reverse("admin:payments_riskrule_add"), {**RULE, **changes})
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not RiskRule.objects.filter(name="large-kes").exists()


def entry(**changes: str) -> dict[str, str]:
    return {
        "kind": "block",
        "subject": "email",
        "value": "Amina@example.org",
        "note": "case 12",
        "expires_at_0": "",
        "expires_at_1": "",
        **changes,
    }


def test_staff_put_somebody_on_a_list_and_find_them_again(staff: Client, shop: Shop) -> None:
    assert staff.post(reverse("admin:payments_risklistentry_add"), entry()).status_code == 302
    stored = RiskListEntry.objects.get()
    assert (stored.label, stored.created_by) == ("", "staff:anna")
    assert outcome(pay(shop)) == RiskAction.REFUSE
    add_to_list(kind="block", subject="email", value="other@example.org", note="case 13", staff="anna")
    text = page(staff, "risklistentry_changelist", q="amina@example.ORG")
    assert "case 12" in text and "case 13" not in text
    change = reverse("admin:payments_risklistentry_change", args=[stored.id])
    staff.post(change, {"note": "case 12 closed", "expires_at_0": "2026-01-01", "expires_at_1": "00:00:00"})
    stored.refresh_from_db()
    assert stored.note == "case 12 closed"
    assert outcome(pay(shop)) == RiskAction.ACCEPT
    staff.post(reverse("admin:payments_risklistentry_delete", args=[stored.id]), {"post": "yes"})
    assert not RiskListEntry.objects.filter(id=stored.id).exists()


@pytest.mark.parametrize(
    "changes", [{"value": "no address"}, {"subject": "country", "value": "KP"}, {"note": ""}, {"value": ""}]
)
def test_a_wrong_entry_is_not_stored(staff: Client, changes: dict[str, str]) -> None:
    assert staff.post(reverse("admin:payments_risklistentry_add"), entry(**changes)).status_code == 200
    assert not RiskListEntry.objects.exists()


def test_a_sanctioned_name_stays_readable(staff: Client) -> None:
    posted = entry(kind="sanctions", subject="name", value="García Márquez, José")
    assert staff.post(reverse("admin:payments_risklistentry_add"), posted).status_code == 302
    assert "García Márquez, José" in page(staff, "risklistentry_changelist")
    assert RiskListEntry.objects.get().tokens == ["garcia", "jose", "marquez"]


def test_checks_of_others_are_not_touched(staff: Client, held: PaymentEvent) -> None:
    other = pay(held.shop)
    decide(staff, other, decision="refuse")
    assert RiskCheck.objects.filter(ended_at__isnull=True).get().event == held
