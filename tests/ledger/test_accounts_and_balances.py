"""Opening accounts, reading what they hold, and folding the tail."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from moneyed import Money

from ledger import chart
from ledger.errors import AccountConflict, UnknownAccount
from ledger.ids import uuid7
from ledger.models import Account, BalanceTail
from ledger.services import (
    balance,
    balances,
    freeze,
    open_accounts,
    post,
    post_many,
    roll_up,
    trial_balance,
    unfreeze,
    violations,
)
from tests.ledger.building import COMMISSION, RECEIVABLE, entry, eur, funded, sale, taking, wallet

pytestmark = pytest.mark.django_db


def test_opening_twice_gives_the_same_account() -> None:
    spec = chart.spec(chart.wallet_code("wallet_pending", uuid7()), "EUR")
    first = open_accounts([spec])
    assert open_accounts([spec, spec]) == first
    account = Account.objects.get(code=spec.code)
    assert (account.policy, account.floor, account.normal_side, account.balance) == (
        "exact",
        Decimal(0),
        -1,
        Decimal(0),
    )


def test_an_account_that_exists_as_something_else_is_a_conflict() -> None:
    spec = chart.spec(chart.wallet_code("wallet_pending", uuid7()), "EUR")
    open_accounts([spec])
    for other in (replace(spec, currency="USD"), replace(spec, floor=None), replace(spec, floor=Decimal(5))):
        with pytest.raises(AccountConflict):
            open_accounts([other])


def test_platform_accounts_are_opened_by_their_first_posting() -> None:
    post(entry(("bank:main:EUR", 5), ("suspense:EUR", -5)))
    account = Account.objects.get(code="bank:main:EUR")
    assert (account.type, account.policy, account.currency) == ("asset", "deferred", "EUR")


def test_accounts_that_are_not_there_cannot_be_frozen() -> None:
    for change in (freeze, unfreeze):
        with pytest.raises(UnknownAccount):
            change("no_such_account")


def test_balances_are_above_zero_on_the_normal_side() -> None:
    seller = funded(10)
    assert balances([seller, RECEIVABLE]) == {seller: eur(10), RECEIVABLE: eur(10)}
    assert str(balance(seller).amount) == "10.00"


def test_balances_are_one_statement_however_many_the_accounts() -> None:
    codes = [wallet() for _ in range(20)]
    with CaptureQueriesContext(connection) as queries:
        assert len(balances(codes)) == 20
    assert len(queries) == 1


def test_a_platform_account_without_postings_holds_zero_and_a_wallet_that_is_not_open_is_unknown() -> None:
    assert balance("psp_receivable:never_used:JPY") == Money(0, "JPY")
    for unknown in (chart.wallet_code("wallet_pending", uuid7()), "no_such_account:EUR", "suspense"):
        with pytest.raises(UnknownAccount):
            balance(unknown)


def test_postings_to_one_deferred_account_in_a_batch_are_one_row_of_the_tail() -> None:
    seller = funded(1)
    roll_up()
    post_many([sale(seller, 1) for _ in range(100)])
    assert list(BalanceTail.objects.values_list("account__code", "amount")) == [(RECEIVABLE, Decimal(100))]


def test_folding_the_tail_moves_no_balance() -> None:
    seller = wallet()
    for _ in range(5):
        post(entry((RECEIVABLE, 100), (seller, -90), (COMMISSION, -10)))
    assert roll_up(limit=4) == 4
    assert (balance(RECEIVABLE), balance(COMMISSION), balance(seller)) == (eur(500), eur(50), eur(450))
    assert roll_up() == 6
    assert roll_up() == 0
    assert (balance(RECEIVABLE), balance(COMMISSION)) == (eur(500), eur(50))
    assert Account.objects.get(code=RECEIVABLE).balance == 500
    assert list(violations()) == []


def test_the_trial_balance_has_equal_sides_in_each_currency() -> None:
    seller = funded(100)
    post(taking(seller, 30))
    post(taking(seller, 90, forced=True))
    post(entry(("loss_to_recover:EUR", 7), (RECEIVABLE, -7)))
    with CaptureQueriesContext(connection) as queries:
        table = {row.code: row for row in trial_balance()}
    assert len(queries) == 1
    assert (table[RECEIVABLE].debit, table[RECEIVABLE].credit) == (eur(93), eur(0))
    assert (table[seller].debit, table[seller].credit) == (eur(20), eur(0))
    assert (table["refunds_payable:EUR"].debit, table["refunds_payable:EUR"].credit) == (eur(0), eur(120))
    debits = sum((row.debit.amount for row in table.values()), Decimal(0))
    assert debits == sum((row.credit.amount for row in table.values()), Decimal(0)) == 120
