"""Together or one by one: how many charges a checkout becomes, and when a token does not allow it."""

from dataclasses import replace

import pytest
from django.conf import settings

from ledger import money
from payments import errors
from payments.models import OperationTry, PaymentAttempt, PaymentEvent, PaymentOrder, Shop
from payments.psp import capabilities
from payments.representation import amount_text
from payments.services.checkouts import create_checkout
from payments.states import PendingReason
from tests.factories import NewCheckoutFactory, order_for
from tests.payments.arranging import eur

pytestmark = pytest.mark.django_db

MIXED = (eur("10.00"), eur("5.00"), money.parse_amount("1200", "JPY"))


def charged(shop: Shop, *, token: str, charge: str = "per_checkout") -> list[str]:
    """What a checkout over two orders in euros and one in yen asks PSPs for."""
    orders = [order_for(amount) for amount in MIXED]
    create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=orders, token=token, charge=charge))
    amounts = [attempt.amount for attempt in PaymentAttempt.objects.all()]
    assert OperationTry.objects.count() == len(amounts)
    return sorted(f"{amount.currency.code} {amount_text(amount)}" for amount in amounts)


def test_orders_of_one_currency_are_charged_together(shop: Shop) -> None:
    assert charged(shop, token="pm_visa") == ["EUR 15.00", "JPY 1200"]


def test_orders_are_charged_one_by_one_when_the_shop_says_so(shop: Shop) -> None:
    assert charged(shop, token="pm_visa", charge="per_order") == ["EUR 10.00", "EUR 5.00", "JPY 1200"]


@pytest.mark.parametrize("charge", ["per_checkout", "per_order"])
def test_a_token_that_can_be_used_once_cannot_pay_two_charges(shop: Shop, charge: str) -> None:
    with pytest.raises(errors.ChargeModeNotSupported) as refused:
        charged(shop, token="tok_visa", charge=charge)
    assert refused.value.field == "charge"
    assert PaymentEvent.objects.count() == 0


def test_a_token_that_can_be_used_once_pays_one_order_in_either_mode(shop: Shop) -> None:
    for charge in ("per_checkout", "per_order"):
        create_checkout(shop=shop, new=NewCheckoutFactory.create(token="tok_visa", charge=charge))
    assert PaymentAttempt.objects.count() == 2


def test_each_line_of_an_attempt_is_live_and_covers_its_order(shop: Shop) -> None:
    charged(shop, token="pm_visa")
    for order in PaymentOrder.objects.all():
        (line,) = order.attempt_lines.all()
        assert (line.live, line.amount) == (True, order.amount)


def test_a_checkout_without_a_method_waits_for_its_buyer(shop: Shop) -> None:
    create_checkout(shop=shop, new=NewCheckoutFactory.create(method="", token=""))
    assert PaymentAttempt.objects.count() == 0
    assert PaymentOrder.objects.get().pending_reason == PendingReason.AWAITING_BUYER


def test_a_method_that_no_psp_takes_is_refused(shop: Shop) -> None:
    with pytest.raises(errors.MethodNotSupported) as refused:
        create_checkout(shop=shop, new=NewCheckoutFactory.create(method="cowrie", token="shell"))
    assert refused.value.field == "payment_method"


def test_an_amount_that_the_psp_cannot_take_is_refused_as_a_whole(shop: Shop) -> None:
    orders = [order_for(eur("600000000.00")), order_for(eur("600000000.00"))]
    with pytest.raises(errors.AmountNotSupported) as refused:
        create_checkout(shop=shop, new=NewCheckoutFactory.create(orders=orders))
    assert refused.value.field == "payment_orders"
    assert PaymentEvent.objects.count() == 0


def test_money_is_not_reserved_where_the_psp_cannot(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = settings.PAYMENT_PROVIDERS["sandbox"]["BACKEND"]
    cannot = replace(capabilities.CAPABILITIES[backend], manual_capture=False)
    monkeypatch.setitem(capabilities.CAPABILITIES, backend, cannot)
    with pytest.raises(errors.CaptureNotSupported) as refused:
        create_checkout(shop=shop, new=NewCheckoutFactory.create(manual_capture=True))
    assert refused.value.field == "capture"
