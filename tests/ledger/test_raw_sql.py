"""What the database itself refuses, whoever is asking: attacks by raw SQL, past every service."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.utils import DataError

from ledger.models import JournalEntry, Posting
from ledger.services import balance, post, roll_up, violations
from tests.ledger.building import (
    COMMISSION,
    RECEIVABLE,
    REFUNDS,
    entry,
    eur,
    funded,
    raw_entry,
    rows,
    run,
    wait_for_a_lock_wait,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller() -> str:
    """A wallet account that holds 10 euros; all platform accounts that the attacks name exist."""
    code = funded(10)
    post(entry((COMMISSION, 1), (REFUNDS, -1)))
    # Foreign keys are proved at commit; TRUNCATE fails for that reason alone while any proof is outstanding.
    connection.check_constraints()
    return code


def refused(statement: str, because: str, *, as_error: type[Exception] = IntegrityError) -> None:
    """The statement fails, with this reason, and moves nothing."""
    with pytest.raises(as_error, match=because), transaction.atomic():
        run(statement)
        connection.check_constraints()
    assert list(violations()) == []


def test_the_statement_that_the_attacks_bend_is_accepted_as_it_is(seller: str) -> None:
    run(raw_entry([(RECEIVABLE, "5", None), (seller, "-5", "-15")]))
    connection.check_constraints()
    assert balance(seller) == eur(15)
    assert list(violations()) == []


# Whole and balanced.


def test_an_unbalanced_entry(seller: str) -> None:
    refused(raw_entry([(RECEIVABLE, "5", None), (COMMISSION, "-4", None)]), "sum zero per currency")


def test_an_entry_that_balances_only_across_currencies(seller: str) -> None:
    run(
        "INSERT INTO ledger_account (code, currency, type, policy, normal_side, frozen, balance, opened_at)"
        " VALUES ('suspense:USD', 'USD', 'liability', 'deferred', -1, false, 0, now())"
    )
    refused(raw_entry([(RECEIVABLE, "5", None), ("suspense:USD", "-5", None)]), "sum zero per currency")


def test_an_entry_of_a_single_posting(seller: str) -> None:
    refused(raw_entry([(RECEIVABLE, "5", None)]), "two or more postings")


def test_a_posting_of_nothing(seller: str) -> None:
    refused(raw_entry([(RECEIVABLE, "0", None), (COMMISSION, "0", None)]), "ledger_posting_not_zero")


def test_an_entry_without_postings(seller: str) -> None:
    refused(
        raw_entry([(RECEIVABLE, "1", None)]).split("INSERT INTO ledger_posting")[0] + "SELECT 1",
        "without its postings",
    )


def test_an_entry_whose_postings_come_in_a_second_statement(seller: str) -> None:
    with pytest.raises(IntegrityError, match="without its postings"), transaction.atomic():
        JournalEntry.objects.create(
            reference="x", kind="x", fingerprint=0, occurred_at="2026-11-20T00:00Z",
            created_at="2026-11-20T00:00Z", accounting_date="2026-11-20",
        )  # fmt: skip


@pytest.mark.parametrize("first_line", [1, 3])
def test_more_postings_for_an_older_entry_although_they_balance(seller: str, first_line: int) -> None:
    refused(
        postings_for("(SELECT max(id) FROM ledger_entry)", first_line), "numbered from 1|ledger_posting_pkey"
    )


def test_postings_without_an_entry(seller: str) -> None:
    refused(postings_for("987654321"), "foreign key constraint")


def postings_for(entry_id: str, first_line: int = 1) -> str:
    """Two balanced postings of an entry that is not inserted with them."""
    return f"""
        INSERT INTO ledger_posting (entry_id, line, account_id, amount)
        SELECT {entry_id}, {first_line} + number, id, 5 - 10 * number
          FROM (VALUES (0, '{RECEIVABLE}'), (1, '{COMMISSION}')) leg (number, code) JOIN ledger_account USING (code)
    """


def test_postings_to_an_account_that_does_not_exist(seller: str) -> None:
    statement = raw_entry([(RECEIVABLE, "5", None), (COMMISSION, "-5", None)])
    refused(
        statement.replace(f"(SELECT id FROM ledger_account WHERE code = '{COMMISSION}')", "987654321"),
        "foreign key constraint|sum zero",
    )


def test_a_second_entry_under_one_reference(seller: str) -> None:
    (reference,) = rows("SELECT reference FROM ledger_entry LIMIT 1")[0]
    statement = raw_entry([(RECEIVABLE, "5", None), (COMMISSION, "-5", None)])
    refused(statement.replace("'raw:' || gen_random_uuid()", f"'{reference}'"), "ledger_entry_reference")


def test_amounts_that_no_column_holds(seller: str) -> None:
    for amount in ("1000000000000000", "'NaN'", "'Infinity'"):
        legs = [(RECEIVABLE, amount, None), (COMMISSION, f"-{amount}" if "'" not in amount else amount, None)]
        refused(raw_entry(legs), "overflow|sum zero|finite|cannot", as_error=(IntegrityError, DataError))  # type: ignore[arg-type]


# Never changed.


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_posting"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
def test_a_change_of_history(seller: str, table: str, verb: str) -> None:
    column = "amount = amount * 2" if table == "ledger_posting" else "description = 'edited'"
    statement = {
        "UPDATE": f"UPDATE {table} SET {column}",
        "DELETE": f"DELETE FROM {table}",
        "TRUNCATE": f"TRUNCATE {table} CASCADE",
    }[verb]
    refused(statement, f"{verb} of ledger_")


def test_a_change_of_history_through_the_orm(seller: str) -> None:
    with pytest.raises(IntegrityError, match="UPDATE of ledger_posting"), transaction.atomic():
        Posting.objects.update(amount=1)
    with pytest.raises(IntegrityError, match="DELETE of ledger_posting"), transaction.atomic():
        Posting.objects.all().delete()
    with pytest.raises(IntegrityError, match="UPDATE of ledger_entry"), transaction.atomic():
        entry_row = JournalEntry.objects.latest("id")
        entry_row.kind = "edited"
        entry_row.save()


def test_a_change_of_history_by_insert_or_update(seller: str) -> None:
    refused(
        "INSERT INTO ledger_posting SELECT * FROM ledger_posting"
        " ON CONFLICT (entry_id, line) DO UPDATE SET amount = 1",
        "UPDATE of ledger_posting",
    )


# Exact accounts.


@pytest.mark.parametrize("after", [None, "-14.99", "15", "-5"])
def test_an_exact_account_without_its_running_balance(seller: str, after: str | None) -> None:
    refused(raw_entry([(RECEIVABLE, "5", None), (seller, "-5", after)]), "running balance")


def test_a_running_balance_on_a_deferred_account(seller: str) -> None:
    refused(raw_entry([(RECEIVABLE, "5", "15"), (seller, "-5", "-15")]), "running balance")


def test_taking_an_account_below_its_floor(seller: str) -> None:
    legs = [(seller, "10.01", "0.01"), (REFUNDS, "-10.01", None)]
    refused(raw_entry(legs), "below its floor")
    run(raw_entry(legs, forced=True))
    assert balance(seller) == eur("-0.01")
    assert list(violations()) == []


def test_taking_below_the_floor_behind_a_leg_that_gives(seller: str) -> None:
    refused(
        raw_entry([(seller, "30", "20"), (seller, "-5", "15"), (REFUNDS, "-25", None)]), "below its floor"
    )


# Accounts and their balances.


@pytest.mark.parametrize(
    "change",
    [
        "code = code || 'x'",
        "currency = 'USD'",
        "type = 'asset'",
        "policy = 'deferred', floor = NULL",
        "normal_side = - normal_side",
        "floor = -100",
        "floor = NULL",
        "opened_at = now() - interval '1 day'",
        "id = id + 1000000",
        "balance = balance - 1",
        "balance = 0, frozen = true",
    ],
)
def test_a_change_of_an_account(seller: str, change: str) -> None:
    refused(f"UPDATE ledger_account SET {change} WHERE code = '{seller}'", "are fixed|by hand")


def test_freezing_is_the_only_change_by_hand(seller: str) -> None:
    run(f"UPDATE ledger_account SET frozen = true WHERE code = '{seller}'")


@pytest.mark.parametrize("statement", ["DELETE FROM ledger_account", "TRUNCATE ledger_account CASCADE"])
def test_removing_accounts(seller: str, statement: str) -> None:
    refused(statement, "of ledger_account is refused")


@pytest.mark.parametrize(
    ("values", "because"),
    [
        ("'x', 'EUR', 'asset', 'exact', 1, false, NULL, 5", "opens empty"),
        ("'x', 'EUR', 'asset', 'deferred', 1, false, 0, 0", "must be exact"),
        ("'x', 'eur', 'asset', 'deferred', 1, false, NULL, 0", "no such currency, side, policy or type"),
        ("'x', 'EUR', 'thing', 'deferred', 1, false, NULL, 0", "no such currency, side, policy or type"),
        ("'x', 'EUR', 'asset', 'eager', 1, false, NULL, 0", "no such currency, side, policy or type"),
        ("'x', 'EUR', 'asset', 'exact', 2, false, NULL, 0", "no such currency, side, policy or type"),
    ],
)
def test_accounts_that_cannot_be(values: str, because: str) -> None:
    refused(
        "INSERT INTO ledger_account (code, currency, type, policy, normal_side, frozen, floor, balance, opened_at)"
        f" VALUES ({values}, now())",
        because,
    )


def test_a_second_account_of_one_code(seller: str) -> None:
    refused(
        "INSERT INTO ledger_account (code, currency, type, policy, normal_side, frozen, floor, balance, opened_at)"
        f" VALUES ('{seller}', 'EUR', 'asset', 'exact', 1, false, NULL, 0, now())",
        "ledger_account_code",
    )


# The tail.


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO ledger_tail (account_id, amount) SELECT id, 5 FROM ledger_account WHERE code = '{RECEIVABLE}'",
        "UPDATE ledger_tail SET amount = amount + 1",
        "TRUNCATE ledger_tail",
    ],
)
def test_a_change_of_the_tail(seller: str, statement: str) -> None:
    refused(statement, "of ledger_tail (by hand )?is refused")


def test_deleting_the_tail_by_hand_only_folds_it(seller: str) -> None:
    run("DELETE FROM ledger_tail")
    assert balance(RECEIVABLE) == eur(10)
    assert roll_up() == 0
    assert list(violations()) == []


# At commit, and between transactions.


@pytest.mark.django_db(transaction=True)
def test_what_is_refused_at_commit_leaves_nothing_behind() -> None:
    post(entry((RECEIVABLE, 10), (COMMISSION, -10)))
    with pytest.raises(IntegrityError, match="foreign key constraint"):
        run(postings_for("987654321"))
    assert balance(RECEIVABLE) == eur(10)
    assert list(violations()) == []


@pytest.mark.django_db(transaction=True)
def test_a_running_balance_that_another_transaction_has_overtaken() -> None:
    """It was right when it was read; the other transaction committed while the insert waited for the account."""
    seller = funded(10)
    statement = raw_entry([(RECEIVABLE, "5", None), (seller, "-5", "-15")])
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(statement)
            with ThreadPoolExecutor(1) as pool:
                late = pool.submit(in_a_thread, statement)
                wait_for_a_lock_wait()
                cursor.execute("COMMIT")
                with pytest.raises(OperationalError, match="moved meanwhile"):
                    late.result()
    finally:
        other.close()
    assert balance(seller) == eur(15)
    assert list(violations()) == []


def in_a_thread(statement: str) -> None:
    """Runs on a connection of its own and leaves none open."""
    try:
        run(statement)
    finally:
        connection.close()
