"""Each kind of rule: what it lets through, what it stops, and what happens exactly at its limit."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from ledger import clock, money
from payments.models import (
    PaymentEvent,
    RiskAction,
    RiskDecision,
    RiskKind,
    RiskList,
    RiskListEntry,
    RiskRule,
    Shop,
)
from payments.psp.base import Outcome
from payments.services.checkouts import create_checkout
from payments.services.risk_rules import add_to_list
from tests.factories import NewCheckoutFactory, ShopFactory
from tests.payments.arranging import begin, eur, tell
from tests.payments.risk_arranging import (
    AMINA,
    HOUR,
    another_rule,
    attempts,
    only_rule,
    outcome,
    pay,
    reasons,
    states,
)

pytestmark = pytest.mark.django_db


def put(kind: str, subject: str, value: str, **changes: Any) -> RiskListEntry:
    """Somebody stands on a list."""
    return add_to_list(kind=kind, subject=subject, value=value, note="case 1", staff="anna", **changes)


def pay_with_card(shop: Shop, fingerprint: str, **changes: Any) -> PaymentEvent:
    """A paid checkout whose PSP told us which card it was."""
    event = pay(shop, **changes)
    attempt = event.attempts.get()
    begin(attempt)
    tell(attempt, Outcome.SUCCEEDED, raw={"card_fingerprint": fingerprint})
    return event


# Amounts.


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ((eur("499.99"),), RiskAction.ACCEPT),
        ((eur("500.00"),), RiskAction.ACCEPT),
        ((eur("500.01"),), RiskAction.REVIEW),
        ((eur("250.00"), eur("250.00")), RiskAction.ACCEPT),
        ((eur("250.00"), eur("250.01")), RiskAction.REVIEW),
        ((money.parse_amount("900000", "JPY"),), RiskAction.ACCEPT),
    ],
)
def test_an_amount_up_to_the_limit_passes(shop: Shop, amounts: Any, expected: str) -> None:
    only_rule(RiskKind.AMOUNT_ABOVE, parameters={"limit": "500.00"}, currency="EUR")
    event = pay(shop, *amounts)
    assert outcome(event) == expected


def test_the_reason_says_how_much_and_how_much_may_pass(shop: Shop) -> None:
    rule = only_rule(RiskKind.AMOUNT_ABOVE, parameters={"limit": "500.00"}, currency="EUR")
    event = pay(shop, eur("600.00"))
    decision = event.risk_decisions.get()
    assert decision.reasons == [{"rule": rule.name, "text": "600.00 EUR, and 500.00 EUR may pass."}]
    assert (decision.decided_by, decision.stage) == ("rules", "rules")


# Velocity.


SAME: dict[str, Any] = {"buyer_id": None, "email": None, "phone": None, "ip_address": None}


@pytest.mark.parametrize(
    ("subject", "one", "other"),
    [
        ("buyer", {"buyer_id": "b-1"}, {"buyer_id": "b-2"}),
        ("buyer", {"email": "One@example.org"}, {"email": "two@example.org"}),
        ("buyer", {"phone": "+254700000001"}, {"phone": "+254700000002"}),
        ("ip", {"buyer_id": "b", "ip_address": "192.0.2.1"}, {"buyer_id": "b", "ip_address": "192.0.2.2"}),
        (
            "ip",
            {"buyer_id": "b", "ip_address": "2001:db8:1:2::9"},
            {"buyer_id": "b", "ip_address": "2001:db8:1:3::9"},
        ),
        ("email_domain", {"email": "a@one.example"}, {"email": "a@two.example"}),
    ],
)
def test_payments_are_counted_by_subject(shop: Shop, subject: str, one: Any, other: Any) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject=subject, parameters={"limit": 2}, window=HOUR)
    assert [outcome(pay(shop, buyer={**SAME, **one})) for _ in range(3)] == ["accept", "accept", "review"]
    assert outcome(pay(shop, buyer={**SAME, **other})) == RiskAction.ACCEPT


def test_whoever_gives_no_subject_is_not_counted_together(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="ip", parameters={"limit": 0}, window=HOUR)
    assert outcome(pay(shop)) == RiskAction.REVIEW
    another_rule(RiskKind.VELOCITY_COUNT, subject="ip", parameters={"limit": 1}, window=HOUR)
    RiskRule.objects.filter(parameters={"limit": 0}).update(enabled=False)
    for _ in range(3):
        assert outcome(pay(shop, buyer={"ip_address": None})) == RiskAction.ACCEPT


def test_addresses_of_one_household_count_together(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="ip", parameters={"limit": 1}, window=HOUR)
    assert outcome(pay(shop, buyer={"ip_address": "2001:db8:1:2::1"})) == RiskAction.ACCEPT
    assert outcome(pay(shop, buyer={"ip_address": "2001:db8:1:2:ffff::1"})) == RiskAction.REVIEW
    assert outcome(pay(shop, buyer={"ip_address": "192.0.2.1"})) == RiskAction.ACCEPT
    assert outcome(pay(shop, buyer={"ip_address": "::ffff:192.0.2.1"})) == RiskAction.REVIEW


def test_a_buyer_id_means_nothing_in_another_shop(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="buyer", parameters={"limit": 1}, window=HOUR)
    assert outcome(pay(shop, buyer={"buyer_id": "7"})) == RiskAction.ACCEPT
    assert outcome(pay(ShopFactory.create(), buyer={"buyer_id": "7"})) == RiskAction.ACCEPT
    assert outcome(pay(shop, buyer={"buyer_id": "7"})) == RiskAction.REVIEW


def test_the_window_slides(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="buyer", parameters={"limit": 1}, window=HOUR)
    now = clock.now()
    with time_machine.travel(now, tick=False):
        assert outcome(pay(shop)) == RiskAction.ACCEPT
    with time_machine.travel(now + HOUR - timedelta(microseconds=1), tick=False):
        assert outcome(pay(shop)) == RiskAction.REVIEW
    with time_machine.travel(now + HOUR + HOUR - timedelta(microseconds=1), tick=False):
        assert outcome(pay(shop)) == RiskAction.ACCEPT


def test_a_refused_payment_counts_too(shop: Shop) -> None:
    only_rule(
        RiskKind.VELOCITY_COUNT, RiskAction.REFUSE, subject="buyer", parameters={"limit": 1}, window=HOUR
    )
    assert [outcome(pay(shop)) for _ in range(3)] == ["accept", "refuse", "refuse"]
    assert reasons(pay(shop)) == ["4 payments by this buyer in 1 hour, and 1 may pass."]


def test_a_repeated_post_is_one_payment(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="buyer", parameters={"limit": 2}, window=HOUR)
    new = NewCheckoutFactory.create(buyer_info=dict(AMINA))
    answers = [create_checkout(shop=shop, new=new).status_code for _ in range(5)]
    assert answers == [201, 200, 200, 200, 200]
    assert RiskDecision.objects.count() == 1
    assert outcome(pay(shop)) == RiskAction.ACCEPT


def test_amounts_are_summed_up_to_the_limit(shop: Shop) -> None:
    only_rule(
        RiskKind.VELOCITY_AMOUNT, subject="buyer", parameters={"limit": "30.00"}, window=HOUR, currency="EUR"
    )
    assert outcome(pay(shop, eur("20.00"))) == RiskAction.ACCEPT
    assert outcome(pay(shop, money.parse_amount("5000", "JPY"))) == RiskAction.ACCEPT
    assert outcome(pay(shop, eur("10.00"))) == RiskAction.ACCEPT
    event = pay(shop, eur("0.01"))
    assert outcome(event) == RiskAction.REVIEW
    assert reasons(event) == ["30.01 EUR by this buyer in 1 hour, and 30.00 EUR may pass."]


def test_what_failed_is_not_money_spent(shop: Shop) -> None:
    only_rule(
        RiskKind.VELOCITY_AMOUNT, subject="buyer", parameters={"limit": "30.00"}, window=HOUR, currency="EUR"
    )
    first = pay(shop, eur("20.00"))
    begin(first.attempts.get())
    tell(first.attempts.get(), Outcome.DECLINED, decline_code="insufficient_funds")
    assert outcome(pay(shop, eur("30.00"))) == RiskAction.ACCEPT
    assert outcome(pay(shop, eur("0.01"))) == RiskAction.REVIEW


def test_a_card_is_counted_over_all_its_buyers(shop: Shop) -> None:
    only_rule(RiskKind.VELOCITY_COUNT, subject="card_fingerprint", parameters={"limit": 3}, window=HOUR)
    pay_with_card(shop, "fp-1", buyer={"buyer_id": "b-1"})
    pay_with_card(shop, "fp-1", buyer={"buyer_id": "b-2"})
    pay_with_card(shop, "fp-2", buyer={"buyer_id": "b-3"})
    assert outcome(pay(shop, buyer={"buyer_id": "b-1"})) == RiskAction.ACCEPT
    pay_with_card(shop, "fp-1", buyer={"buyer_id": "b-4"})
    assert outcome(pay(shop, buyer={"buyer_id": "b-1"})) == RiskAction.REVIEW
    assert outcome(pay(shop, buyer={"buyer_id": "b-3"})) == RiskAction.ACCEPT
    assert outcome(pay(shop, buyer={"buyer_id": "b-new"})) == RiskAction.ACCEPT


def test_a_cards_amounts_are_summed(shop: Shop) -> None:
    only_rule(
        RiskKind.VELOCITY_AMOUNT,
        subject="card_fingerprint",
        parameters={"limit": "30.00"},
        window=HOUR,
        currency="EUR",
    )
    pay_with_card(shop, "fp-1", buyer={"buyer_id": "b-1"})
    pay_with_card(shop, "fp-1", buyer={"buyer_id": "b-2"})
    assert outcome(pay(shop, eur("10.00"), buyer={"buyer_id": "b-1"})) == RiskAction.ACCEPT
    assert outcome(pay(shop, eur("10.01"), buyer={"buyer_id": "b-1"})) == RiskAction.REVIEW


# Countries.


@pytest.mark.parametrize(
    ("kind", "country", "expected"),
    [
        (RiskKind.COUNTRY_BLOCKED, "KP", RiskAction.REFUSE),
        (RiskKind.COUNTRY_BLOCKED, "KE", RiskAction.ACCEPT),
        (RiskKind.COUNTRY_BLOCKED, None, RiskAction.ACCEPT),
        (RiskKind.COUNTRY_ALLOWED_ONLY, "KP", RiskAction.ACCEPT),
        (RiskKind.COUNTRY_ALLOWED_ONLY, "KE", RiskAction.REFUSE),
        (RiskKind.COUNTRY_ALLOWED_ONLY, None, RiskAction.REFUSE),
    ],
)
def test_countries(shop: Shop, kind: str, country: str | None, expected: str) -> None:
    only_rule(kind, RiskAction.REFUSE, subject="country", parameters={"countries": ["KP"]})
    assert outcome(pay(shop, buyer={"country": country})) == expected


# Lists.


@pytest.mark.parametrize(
    ("subject", "listed", "buyer"),
    [
        ("buyer", "{shop}:buyer-7", {}),
        ("email", " Amina@Example.org ", {}),
        ("phone", "+254712345678", {}),
        ("email_domain", "@EXAMPLE.org", {}),
        ("ip", "203.0.113.7", {}),
        ("ip", "2001:db8:1:2::1", {"ip_address": "2001:db8:1:2::2"}),
    ],
)
def test_whoever_is_on_the_block_list_is_refused(shop: Shop, subject: str, listed: str, buyer: Any) -> None:
    only_rule(RiskKind.BLOCK_LIST, RiskAction.REFUSE)
    put(RiskList.BLOCK, subject, listed.format(shop=shop.slug))
    event = pay(shop, buyer=buyer)
    assert outcome(event) == RiskAction.REFUSE
    assert states(event) == {("FAILED", "", "risk_refused")}
    assert attempts(event) == 0
    other = {
        "buyer_id": "x",
        "email": "x@other.example",
        "phone": "+254700000000",
        "ip_address": "192.0.2.9",
    }
    assert outcome(pay(shop, buyer=other)) == RiskAction.ACCEPT


def test_a_blocked_card_is_known_by_its_buyers(shop: Shop) -> None:
    only_rule(RiskKind.BLOCK_LIST, RiskAction.REFUSE)
    pay_with_card(shop, "fp-1")
    put(RiskList.BLOCK, "card_fingerprint", "fp-1")
    assert outcome(pay(shop)) == RiskAction.REFUSE
    assert outcome(pay(shop, buyer={"buyer_id": "another"})) == RiskAction.ACCEPT


def test_a_rule_may_look_at_one_subject_of_a_list_only(shop: Shop) -> None:
    only_rule(RiskKind.BLOCK_LIST, RiskAction.REFUSE, subject="ip")
    put(RiskList.BLOCK, "email", "amina@example.org")
    assert outcome(pay(shop)) == RiskAction.ACCEPT
    put(RiskList.BLOCK, "ip", "203.0.113.7")
    assert outcome(pay(shop)) == RiskAction.REFUSE


def test_an_entry_ends_when_it_says(shop: Shop) -> None:
    only_rule(RiskKind.BLOCK_LIST, RiskAction.REFUSE)
    put(RiskList.BLOCK, "email", "amina@example.org", expires_at=clock.now() - timedelta(seconds=1))
    assert outcome(pay(shop)) == RiskAction.ACCEPT
    put(RiskList.BLOCK, "email", "amina@example.org", expires_at=clock.now() + HOUR)
    assert outcome(pay(shop)) == RiskAction.REFUSE
    assert RiskListEntry.objects.count() == 1


def test_an_allow_list_spares_a_payment_the_rules_after_it(shop: Shop) -> None:
    only_rule(RiskKind.ALLOW_LIST, RiskAction.ACCEPT, priority=30)
    another_rule(
        RiskKind.AMOUNT_ABOVE, RiskAction.REFUSE, parameters={"limit": "1.00"}, currency="EUR", priority=60
    )
    assert outcome(pay(shop)) == RiskAction.REFUSE
    put(RiskList.ALLOW, "email", "amina@example.org")
    event = pay(shop)
    assert outcome(event) == RiskAction.ACCEPT
    assert reasons(event) == ["The email is on the allow list."]
    another_rule(RiskKind.COUNTRY_BLOCKED, subject="country", parameters={"countries": ["KE"]}, priority=5)
    assert outcome(pay(shop)) == RiskAction.REVIEW


def test_no_allow_list_spares_anybody_the_sanctions(shop: Shop) -> None:
    only_rule(RiskKind.ALLOW_LIST, RiskAction.ACCEPT, priority=1)
    another_rule(RiskKind.SANCTIONS_NAME, subject="name", parameters={"match": "exact"}, priority=90)
    put(RiskList.ALLOW, "email", "amina@example.org")
    put(RiskList.SANCTIONS, "name", "YUSUF, Amina")
    assert outcome(pay(shop)) == RiskAction.REVIEW


# Sanctions.


@pytest.mark.parametrize(
    ("listed", "buyer", "match", "expected"),
    [
        ("García Márquez, José", "Jose Garcia Marquez", "exact", RiskAction.REVIEW),
        ("JOSE GARCIA-MARQUEZ", "José García Márquez", "exact", RiskAction.REVIEW),
        ("Amina Yusuf", "Amina Binti Yusuf", "exact", RiskAction.ACCEPT),
        ("Amina Yusuf", "Amina Binti Yusuf", "contained", RiskAction.REVIEW),
        ("Amina Binti Yusuf", "Amina Yusuf", "contained", RiskAction.ACCEPT),
        ("Yusuf", "Amina Yusuf", "contained", RiskAction.ACCEPT),
        ("Yusuf", "YUSUF", "contained", RiskAction.REVIEW),
        ("Amina Yusuf", "Amina Yusufi", "contained", RiskAction.ACCEPT),
        ("Amina Yusuf", None, "contained", RiskAction.ACCEPT),
        ("Amina Yusuf", "--", "contained", RiskAction.ACCEPT),
    ],
)
def test_sanctioned_names(shop: Shop, listed: str, buyer: str | None, match: str, expected: str) -> None:
    only_rule(RiskKind.SANCTIONS_NAME, subject="name", parameters={"match": match})
    put(RiskList.SANCTIONS, "name", listed)
    event = pay(shop, buyer={"name": buyer})
    assert outcome(event) == expected
    if expected == RiskAction.REVIEW:
        assert reasons(event) == [f"The buyer's name fits {listed} on the sanctions list."]


# Several rules, and rules that cannot be read.


def test_the_strictest_rule_decides_and_all_that_hit_are_named(shop: Shop) -> None:
    only_rule(RiskKind.AMOUNT_ABOVE, parameters={"limit": "1.00"}, currency="EUR", priority=10, name="large")
    another_rule(
        RiskKind.COUNTRY_BLOCKED,
        RiskAction.REFUSE,
        subject="country",
        parameters={"countries": ["KE"]},
        priority=20,
        name="country",
    )
    event = pay(shop)
    decision = event.risk_decisions.get()
    assert decision.outcome == RiskAction.REFUSE
    assert [reason["rule"] for reason in decision.reasons] == ["large", "country"]


@pytest.mark.parametrize("parameters", [{}, {"limit": None}, {"limit": "many"}, [], {"limit": "1.001"}])
@pytest.mark.parametrize("kind", [RiskKind.AMOUNT_ABOVE, RiskKind.VELOCITY_COUNT, RiskKind.VELOCITY_AMOUNT])
def test_a_rule_that_cannot_be_read_sends_payments_to_people(
    shop: Shop, kind: str, parameters: object
) -> None:
    RiskRule.objects.update(enabled=False)
    RiskRule.objects.create(
        name="broken",
        kind=kind,
        action=RiskAction.REFUSE,
        subject="buyer",
        window=HOUR,
        currency="EUR",
        parameters=parameters,
    )
    event = pay(shop)
    assert outcome(event) == RiskAction.REVIEW
    assert reasons(event) == ["This rule cannot be read."]


def test_a_rule_that_is_off_stops_nobody(shop: Shop) -> None:
    rule = only_rule(RiskKind.AMOUNT_ABOVE, RiskAction.REFUSE, parameters={"limit": "1.00"}, currency="EUR")
    assert outcome(pay(shop)) == RiskAction.REFUSE
    RiskRule.objects.filter(id=rule.id).update(enabled=False)
    assert outcome(pay(shop)) == RiskAction.ACCEPT


def test_the_rules_of_a_new_system_stop_no_ordinary_payment(shop: Shop) -> None:
    events = [pay(shop, eur("9000.00")) for _ in range(25)]
    assert {outcome(event) for event in events} == {RiskAction.ACCEPT}
