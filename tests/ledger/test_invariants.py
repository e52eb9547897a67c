"""The checker sees every kind of damage, and names the rows. Damage is done as a superuser, past the triggers."""

import pytest
from django.db import DatabaseError, connection, transaction

from ledger.models import Account, JournalEntry
from ledger.services import Violation, balance, post, roll_up, snapshot, violations
from ledger.services.invariants import GUARDS
from tests.ledger.building import COMMISSION, RECEIVABLE, entry, eur, funded, rows, run, sale, taking

pytestmark = pytest.mark.django_db


def damage(statement: str) -> list[Violation]:
    """What the checker finds after the statement has run with all triggers and foreign keys off."""
    connection.check_constraints()
    run("SET LOCAL session_replication_role = replica")
    run(statement)
    run("SET LOCAL session_replication_role = origin")
    return list(violations())


@pytest.fixture
def seller() -> str:
    """A wallet account with a history, among others."""
    code = funded(100)
    post(entry((RECEIVABLE, 10), (COMMISSION, -10)))
    post(taking(code, 30))
    post(taking(funded(5), 20, forced=True))
    roll_up(limit=2)
    assert list(violations()) == []
    return code


def last_entry() -> int:
    """The id of the newest entry."""
    return JournalEntry.objects.latest("id").id


def found(report: list[Violation]) -> dict[int, set[str]]:
    """The rows by the number of the invariant."""
    by_number: dict[int, set[str]] = {}
    for violation in report:
        by_number.setdefault(violation.invariant, set()).update(violation.rows)
    return by_number


def test_an_edited_amount(seller: str) -> None:
    last = last_entry()
    report = found(
        damage(f"UPDATE ledger_posting SET amount = amount + 1 WHERE entry_id = {last} AND line = 2")
    )
    assert f"ledger_entry:{last}" in report[1]
    assert "currency:EUR" in report[1]
    refunds = Account.objects.get(code="refunds_payable:EUR")
    assert report[2] == {f"ledger_account:{refunds.id}"}


def test_a_swap_of_amounts_between_two_accounts_of_one_entry(seller: str) -> None:
    last = last_entry()
    report = found(damage(f"UPDATE ledger_posting SET amount = -amount WHERE entry_id = {last}"))
    assert 1 not in report
    assert f"ledger_posting:{last}/1" in report[2]


def test_a_posting_that_is_gone(seller: str) -> None:
    last = last_entry()
    assert (
        f"ledger_entry:{last}"
        in found(damage(f"DELETE FROM ledger_posting WHERE entry_id = {last} AND line = 1"))[1]
    )


def test_an_entry_whose_postings_are_all_gone(seller: str) -> None:
    last = last_entry()
    assert f"ledger_entry:{last}" in found(damage(f"DELETE FROM ledger_posting WHERE entry_id = {last}"))[1]


def test_an_entry_that_is_gone_from_under_its_postings(seller: str) -> None:
    last = last_entry()
    report = found(damage(f"DELETE FROM ledger_entry WHERE id = {last}"))
    assert report[1] == {f"ledger_posting:{last}/1", f"ledger_posting:{last}/2"}


def test_a_stored_balance_that_was_edited(seller: str) -> None:
    account = Account.objects.get(code=seller)
    report = found(damage(f"UPDATE ledger_account SET balance = balance - 1 WHERE id = {account.id}"))
    assert report == {2: {f"ledger_account:{account.id}"}}


def test_a_row_of_the_tail_that_is_gone(seller: str) -> None:
    (account_id,) = rows("SELECT account_id FROM ledger_tail ORDER BY id DESC LIMIT 1")[0]
    report = found(damage("DELETE FROM ledger_tail WHERE id = (SELECT max(id) FROM ledger_tail)"))
    assert report == {2: {f"ledger_account:{account_id}"}}


def test_a_running_balance_that_was_edited(seller: str) -> None:
    (entry_id, line) = rows(
        "SELECT entry_id, line FROM ledger_posting WHERE balance_after IS NOT NULL LIMIT 1"
    )[0]
    report = found(
        damage(f"UPDATE ledger_posting SET balance_after = 0 WHERE entry_id = {entry_id} AND line = {line}")
    )
    assert report == {2: {f"ledger_posting:{entry_id}/{line}"}}


def test_a_force_that_was_taken_away(seller: str) -> None:
    forced = JournalEntry.objects.get(forced=True)
    report = found(damage(f"UPDATE ledger_entry SET forced = false WHERE id = {forced.id}"))
    assert report == {7: {f"ledger_entry:{forced.id}"}}


def test_an_amount_finer_than_its_currency(seller: str) -> None:
    last = last_entry()
    report = found(damage(f"UPDATE ledger_posting SET amount = amount * 1.0001 WHERE entry_id = {last}"))
    assert report[14] == {f"ledger_posting:{last}/1", f"ledger_posting:{last}/2"}


def test_a_guard_that_is_switched_off(seller: str) -> None:
    connection.check_constraints()
    run("ALTER TABLE ledger_posting DISABLE TRIGGER ledger_posting_append_only")
    run("DROP TRIGGER ledger_account_fixed ON ledger_account")
    report = found(list(violations()))
    assert report == {1: {"ledger_posting:ledger_posting_append_only", "ledger_account:ledger_account_fixed"}}


def test_every_trigger_on_the_books_is_in_the_list_of_guards() -> None:
    installed = {
        f"{table}:{name}"
        for table, name in rows(
            "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'ledger_%%'",
        )
    }
    for row in installed:
        table, name = row.split(":")
        assert name in GUARDS[table]


@pytest.mark.django_db(transaction=True)
def test_all_checks_can_share_one_snapshot_that_writes_nothing() -> None:
    seller = funded(10)
    with snapshot():
        assert list(violations()) == []
        assert balance(seller) == eur(10)
        with pytest.raises(DatabaseError, match="read-only"):
            post(sale(seller, 1))
        transaction.set_rollback(True)
    assert balance(seller) == eur(10)
