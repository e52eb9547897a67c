"""The chart of accounts, and the codes that it understands."""

from decimal import Decimal

import pytest

from ledger import chart
from ledger.chart import CHART, AccountType, Policy, Qualifier, Side
from ledger.errors import CurrencyMismatch, UnknownAccount, UnknownCurrency
from ledger.ids import uuid7

DEBIT_TYPES = {AccountType.ASSET, AccountType.EXPENSE}
CREDIT_TYPES = {AccountType.LIABILITY, AccountType.INCOME, AccountType.EQUITY}


def test_every_account_grows_on_the_side_of_its_type() -> None:
    for kind in CHART.values():
        if kind.type is not AccountType.MEMO:
            assert (kind.side is Side.DEBIT) == (kind.type in DEBIT_TYPES), kind.name
            assert (kind.side is Side.CREDIT) == (kind.type in CREDIT_TYPES), kind.name


def test_only_wallets_are_exact_and_have_a_floor() -> None:
    for kind in CHART.values():
        is_wallet = kind.qualifier is Qualifier.WALLET
        assert (kind.policy is Policy.EXACT) == is_wallet
        assert kind.floor == (Decimal(0) if is_wallet else None)


def test_a_code_names_the_account_what_it_is_for_and_its_currency() -> None:
    assert chart.code("psp_receivable", "EUR", psp="stripe") == "psp_receivable:stripe:EUR"
    assert chart.code("bank", "EUR", bank="main") == "bank:main:EUR"
    assert chart.code("suspense", "JPY") == "suspense:JPY"
    spec = chart.spec("psp_receivable:stripe:EUR", "EUR")
    assert (spec.type, spec.normal_side, spec.policy, spec.floor) == (
        AccountType.ASSET,
        Side.DEBIT,
        Policy.DEFERRED,
        None,
    )


def test_a_wallet_account_takes_its_currency_from_the_wallet() -> None:
    code = chart.wallet_code("wallet_available", uuid7())
    assert chart.spec(code, "KES").currency == "KES"
    assert chart.spec(code, "KES").policy is Policy.EXACT


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("psp_receivable", {}),
        ("psp_receivable", {"bank": "main"}),
        ("psp_receivable", {"psp": "stripe", "bank": "main"}),
        ("psp_receivable", {"psp": "Stripe"}),
        ("psp_receivable", {"psp": "a:b"}),
        ("suspense", {"psp": "stripe"}),
        ("wallet_pending", {}),
        ("no_such_account", {}),
    ],
)
def test_a_code_that_the_chart_does_not_have_is_refused(name: str, labels: dict[str, str]) -> None:
    with pytest.raises(UnknownAccount):
        chart.code(name, "EUR", **labels)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "suspense",
        "suspense:",
        "suspense:eur",
        "suspense:EUR:EUR",
        "suspense:EUR\n",
        "psp_receivable:EUR",
        "psp_receivable::EUR",
        "wallet_pending:1",
        "wallet_pending:00000000-0000-0000-0000-00000000000G",
        "SUSPENSE:EUR",
    ],
)
def test_malformed_codes_are_refused(code: str) -> None:
    with pytest.raises(UnknownAccount):
        chart.spec(code, "EUR")


def test_a_code_and_a_currency_that_differ_are_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        chart.spec("suspense:EUR", "USD")
    with pytest.raises(UnknownCurrency):
        chart.spec("suspense:XTS", "XTS")


def test_only_wallet_accounts_have_wallet_codes() -> None:
    with pytest.raises(UnknownAccount):
        chart.wallet_code("suspense", uuid7())
