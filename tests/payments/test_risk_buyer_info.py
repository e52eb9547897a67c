"""The buyer's IP address: taken in one form, refused when it is none, and kept readable for nobody but staff."""

from typing import Any

import pytest
from django.db import connection

from payments.models import PaymentEvent, RiskDecision
from tests.factories import SellerFactory
from tests.payments.bodies import checkout_body
from tests.payments.calling import Answer, Caller

pytestmark = pytest.mark.django_db


def post(caller: Caller, ip_address: Any) -> Answer:
    return caller.post(
        "/v1/payments", checkout_body(buyer_info={"buyer_id": "buyer-1", "ip_address": ip_address})
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_an_address_is_kept_in_its_shortest_form(caller: Caller, sent: str, kept: str) -> None:
    SellerFactory.create(seller_account="seller-books")
    answer = post(caller, sent)
    assert answer.status == 201
    assert answer.body["buyer_info"]["ip_address"] == kept
    assert PaymentEvent.objects.get().buyer_info["ip_address"] == kept
    assert len(RiskDecision.objects.get().ip_digest) == 64
    with connection.cursor() as cursor:
        cursor.execute("SELECT e::text, d::text FROM payments_paymentevent e, payments_riskdecision d")
        stored = str(cursor.fetchall())
    assert sent not in stored
    assert kept not in stored


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " 203.0.113.7",
        "203.0.113.256",
        "203.0.113.7/24",
        "203.0.113",
        "0xcb007107",
        "3405803783",
        "fe80::1%eth0",
        "localhost",
        "2001:db8::g",
        "\N{ARABIC-INDIC DIGIT TWO}03.0.113.7",
        "1" * 46,
        3405803783,
        True,
        None,
        ["203.0.113.7"],
    ],
)
def test_what_is_no_address_is_refused_by_name(caller: Caller, sent: Any) -> None:
    answer = post(caller, sent)
    assert answer.status == 400
    assert answer.fields == ["buyer_info.ip_address"]
    assert not PaymentEvent.objects.exists()
