"""Every field's bad values: refused as a problem that names the field, never a 500, and nothing is stored."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from payments.services.sellers import open_seller
from tests.payments.bodies import checkout_body, order_body, seller_body
from tests.payments.calling import Caller
from tests.payments.refusals import (
    BAD_IDS,
    CARD,
    NUL,
    SPACED_CARD,
    WIDE,
    WRONG_TYPES,
    all_refused,
    complaint,
)
from wallet.models import AccountHolder

pytestmark = pytest.mark.django_db

PAYMENTS = "/v1/payments"
Requests = Iterator[tuple[Any, Any, str]]


@pytest.fixture(autouse=True)
def seller(db: None) -> None:
    open_seller(seller_account="seller-books", name="Books", email="", country="")


BAD_AMOUNTS = (
    *WRONG_TYPES,
    *(10.00, -1, 10**30, "", " ", "0", "0.00", "-0", "-0.01", "-1.00", "+1.00", "1,00", "1.000,00", "1 000"),
    *("1_000", ".5", "5.", "01.00", " 1.00", "1.00 ", "10.00\n", "1e3", "1E+2", "0x10", "ten", "€1"),
    *("NaN", "sNaN", "Infinity", "-Infinity", "1.001", "1.00000", WIDE, "\N{ARABIC-INDIC DIGIT ONE}"),
    *("\N{SUPERSCRIPT TWO}", NUL, CARD, "9" * 16, "9" * 41, "1" * 5000),
)


def test_an_amount_is_a_plain_decimal_string_above_zero(caller: Caller) -> None:
    def requests() -> Requests:
        for amount in BAD_AMOUNTS:
            body = checkout_body(payment_orders=[order_body(1), order_body(2, amount=amount)])
            yield amount, body, "payment_orders[1].amount"

    all_refused(caller, PAYMENTS, requests())


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("JPY", "10.5"),
        ("JPY", "10.0"),
        ("EUR", "1.001"),
        ("USD", "0.999"),
        ("KWD", "1.0001"),
        ("CLF", "1.00001"),
    ],
)
def test_an_amount_has_no_more_decimals_than_its_currency(caller: Caller, currency: str, amount: str) -> None:
    body = checkout_body(payment_orders=[order_body(amount=amount, currency=currency)])
    answer = caller.post(PAYMENTS, body)
    assert complaint(answer, "payment_orders[0].amount") == ""
    assert answer.body["errors"][0]["code"] == "too_many_decimals"


BAD_CURRENCIES = (
    *WRONG_TYPES,
    *(
        "",
        "eur",
        "EU",
        "EURO",
        "XXX",
        "XAU",
        "ZZZ",
        "DEM",
        "E R",
        "\N{CYRILLIC CAPITAL LETTER IE}UR",
        NUL,
        "€",
    ),
)


def test_a_currency_is_one_that_people_pay_with(caller: Caller) -> None:
    all_refused(
        caller,
        PAYMENTS,
        (
            (value, checkout_body(payment_orders=[order_body(currency=value)]), "payment_orders[0].currency")
            for value in BAD_CURRENCIES
        ),
    )


@pytest.mark.parametrize("field", ["checkout_id", "buyer_id", "payment_order_id", "seller_account"])
def test_an_id_is_plain_and_could_be_no_card_number(caller: Caller, field: str) -> None:
    def requests() -> Requests:
        for value in BAD_IDS:
            match field:
                case "checkout_id":
                    yield value, checkout_body(checkout_id=value), field
                case "buyer_id":
                    yield value, checkout_body(buyer_info={field: value}), f"buyer_info.{field}"
                case _:
                    orders = [order_body(1), order_body(2, **{field: value})]
                    yield value, checkout_body(payment_orders=orders), f"payment_orders[1].{field}"

    all_refused(caller, PAYMENTS, requests())


NO_BUYERS: tuple[Any, ...] = (1, "Amina", True, None, [], {}, {"name": "Amina"})
BAD_BUYERS: dict[str, tuple[Any, ...]] = {
    "email": ("no address", "a@", "@b.org", 7, True, NUL, "a" * 250 + "@b.org", f"{CARD}@example.org"),
    "phone": ("0712", "+0712345678", "+25471234567890123", "254712345678", "+254 712 345 678", 7),
    "country": ("ke", "KEN", "K", 7, "\N{CYRILLIC CAPITAL LETTER KA}E"),
    "name": ("x" * 201, 7, True, NUL, "a\tb", CARD, SPACED_CARD, f"Amina {CARD}"),
    "nickname": ("x",),
    "card": ({"number": CARD},),
}


def test_a_buyer_is_named_and_carries_no_card(caller: Caller) -> None:
    def requests() -> Requests:
        for value in NO_BUYERS:
            yield value, checkout_body(buyer_info=value), "buyer_info"
        for field, values in BAD_BUYERS.items():
            for value in values:
                yield value, checkout_body(buyer_info={"buyer_id": "b", field: value}), f"buyer_info.{field}"

    all_refused(caller, PAYMENTS, requests())


NO_METHODS: tuple[Any, ...] = (1, "card", True, None, [])
BAD_TOKENS = (
    *WRONG_TYPES,
    *("", "a b", "tok_ä", NUL, "x" * 256, CARD, SPACED_CARD, "4242-4242-4242-4242", f"tok_{CARD}"),
)
BAD_CARD_INFO: tuple[tuple[str, Any], ...] = (
    *(("token", value) for value in BAD_TOKENS),
    *(("number", CARD), ("cvc", "123"), ("last4", 4242), ("last4", "424"), ("brand", SPACED_CARD)),
    *(("last4", "\N{FULLWIDTH DIGIT ONE}" * 4), ("exp_month", 0), ("exp_month", 13), ("exp_month", "12")),
    *(("exp_month", True), ("exp_month", 1.0), ("exp_year", 1999), ("exp_year", 10**30)),
    *(("holder_name", CARD),),
)


def test_a_way_to_pay_is_a_token_and_never_a_card(caller: Caller) -> None:
    def requests() -> Requests:
        for value in NO_METHODS:
            yield value, checkout_body(payment_method=value), "payment_method"
        for value in BAD_TOKENS:
            method = {"type": "card", "token": value}
            yield value, checkout_body(payment_method=method), "payment_method.token"
        for value in (*WRONG_TYPES, "", "cash", "CARD", NUL):
            method = {"type": value, "token": "t"}
            yield value, checkout_body(payment_method=method), "payment_method.type"
        for missing, method in (("token", {"type": "card"}), ("type", {"token": "t"})):
            yield method, checkout_body(payment_method=method), f"payment_method.{missing}"
        method = {"type": "card", "token": "t", "number": CARD}
        yield method, checkout_body(payment_method=method), "payment_method.number"
        yield "two ways", checkout_body(credit_card_info={"token": "t"}), "payment_method"
        for field, value in BAD_CARD_INFO:
            body = checkout_body(credit_card_info={"token": "t", field: value})
            del body["payment_method"]
            yield value, body, f"credit_card_info.{field}"

    all_refused(caller, PAYMENTS, requests())


BAD_URLS = (
    *(7, True, None, "", "shop.example.org", "http://shop.example.org/thanks", "javascript:alert(1)"),
    *("//shop.example.org", "https://", "https://user@shop.example.org/", "https://[::1", "ftp://a.example"),
    *("https://shop.example.org/\x00", "https://shop.example.org/" + "x" * 2000),
)
NO_ORDERS: tuple[Any, ...] = (1, "x", True, None, {}, [], [1], [None], [[]])
EVERYTHING_ELSE: tuple[tuple[dict[str, Any], str], ...] = (
    *(({"charge": value}, "charge") for value in (*WRONG_TYPES, "", "PER_ORDER", "together", NUL)),
    *(({"capture": value}, "capture") for value in (*WRONG_TYPES, "", "later", "MANUAL")),
    *(({"return_url": value}, "return_url") for value in BAD_URLS),
    *(({"payment_orders": value}, "payment_orders") for value in NO_ORDERS),
    ({"payment_orders": [order_body(n) for n in range(101)]}, "payment_orders"),
    ({"payment_orders": [order_body(1), order_body(1)]}, "payment_orders[1].payment_order_id"),
    ({"payment_orders": [order_body(status="SUCCESS")]}, "payment_orders[0].status"),
    ({"payment_orders": [order_body(captured="10.00")]}, "payment_orders[0].captured"),
    ({"payment_orders": [order_body(seller_account="nobody")]}, "payment_orders[0].seller_account"),
    ({"ledger_updated": True}, "ledger_updated"),
    ({"shop": "another"}, "shop"),
    ({"": 1}, ""),
)


def test_everything_else_is_what_it_should_be(caller: Caller) -> None:
    all_refused(
        caller, PAYMENTS, ((change, checkout_body(**change), field) for change, field in EVERYTHING_ELSE)
    )


def test_what_is_required_is_missed_by_name(caller: Caller) -> None:
    def requests() -> Requests:
        for field in ("checkout_id", "buyer_info", "payment_orders"):
            yield "missing", {name: v for name, v in checkout_body().items() if name != field}, field
        for field in ("payment_order_id", "seller_account", "amount", "currency"):
            order = {name: v for name, v in order_body().items() if name != field}
            yield "missing", checkout_body(payment_orders=[order]), f"payment_orders[0].{field}"

    all_refused(caller, PAYMENTS, requests())


BAD_SELLERS: dict[str, tuple[Any, ...]] = {
    "seller_account": BAD_IDS,
    "name": (*WRONG_TYPES, "", " ", "x" * 201, NUL, CARD),
    "email": (7, True, None, "no address", NUL),
    "country": (7, True, None, "de", "DEU"),
    "commission_rate": (
        *WRONG_TYPES,
        *(0.1, "", "-0.1", "1.1", "10%", "0.123456", "NaN", "1e-1", WIDE, ".1", "1.00001"),
    ),
    "kyc_status": ("verified",),
    "frozen": (False,),
}


@pytest.mark.parametrize("field", BAD_SELLERS)
def test_a_sellers_fields_are_as_strict(company: Caller, field: str) -> None:
    before = AccountHolder.objects.count()
    requests = ((value, seller_body(**{field: value}), field) for value in BAD_SELLERS[field])
    all_refused(company, "/v1/sellers", requests)
    assert AccountHolder.objects.count() == before


@pytest.mark.parametrize("key", ["x" * 256, "k\N{LATIN SMALL LETTER E WITH ACUTE}y", "a\tb", "a\x7fb"])
def test_an_idempotency_key_is_short_and_printable(caller: Caller, key: str) -> None:
    answer = caller.post(PAYMENTS, checkout_body(), headers={"Idempotency-Key": key})
    assert complaint(answer, "Idempotency-Key") == ""


def test_all_faults_are_told_at_once(caller: Caller) -> None:
    body = checkout_body(
        checkout_id="", charge="x", extra=1, payment_orders=[order_body(amount=1, currency="x")]
    )
    answer = caller.post(PAYMENTS, json.dumps(body))
    assert set(answer.fields) == {
        "checkout_id",
        "charge",
        "extra",
        "payment_orders[0].amount",
        "payment_orders[0].currency",
    }
