"""Every step that is no edge, and every beginning in the middle, is refused by the database."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.apps import apps
from django.db import Error, transaction
from django_fsm import FSMField

from payments.models import Discrepancy, OperationTry
from payments.psp.base import Outcome
from payments.states import (
    ATTEMPT_EDGES,
    DISCREPANCY_EDGES,
    ORDER_EDGES,
    TRY_EDGES,
    AttemptStatus,
    Edges,
    OrderStatus,
    TryStatus,
)
from tests.payments.arranging import bring_to, orders_of, start, tell
from tests.payments.attacks import copy_of, refused, run
from wallet.models.money_column import MoneyColumn

pytestmark = pytest.mark.django_db

NO_STEP = "cannot go from {} to {}"


def _order(status: str) -> UUID:
    ways = {"NOT_STARTED": "CREATED", "EXECUTING": "SENT", "SUCCESS": "SUCCEEDED", "FAILED": "DECLINED"}
    return orders_of(bring_to(ways[status]))[0].id


def _attempt(status: str) -> UUID:
    return bring_to(status).id


def _try(status: str) -> UUID:
    ways = {"CREATED": "CREATED", "SENT": "SENT", "ANSWERED": "SUCCEEDED", "UNKNOWN": "UNKNOWN"}
    return OperationTry.objects.get(attempt=bring_to(ways[status]), status=status).id


def _discrepancy(status: str) -> UUID:
    tell(start(), Outcome.SUCCEEDED)
    found = Discrepancy.objects.get()
    if status == "RESOLVED":
        run("UPDATE payments_discrepancy SET status = 'RESOLVED'")
    return found.id


Making = Callable[[str], UUID]
MACHINES: dict[str, tuple[Edges, str, Making]] = {
    "payments_paymentorder": (ORDER_EDGES, OrderStatus.NOT_STARTED, _order),
    "payments_paymentattempt": (ATTEMPT_EDGES, AttemptStatus.CREATED, _attempt),
    "payments_operationtry": (TRY_EDGES, TryStatus.CREATED, _try),
    "payments_discrepancy": (DISCREPANCY_EDGES, "OPEN", _discrepancy),
}
STATES = [(table, state) for table, (edges, _, _) in MACHINES.items() for state in edges]


@pytest.mark.parametrize(("table", "state"), STATES)
def test_only_the_edges_of_the_graph_can_be_walked(table: str, state: str) -> None:
    edges, _, make = MACHINES[table]
    row = make(state)
    step = f"UPDATE {table} SET status = %s WHERE id = %s"
    for target in {*edges, "ELSEWHERE", ""} - {state}:
        if target in edges[state]:
            assert NO_STEP.format(state, target) not in complaint(step, [target, str(row)])
        else:
            refused(step, [target, str(row)], says=NO_STEP.format(state, target))


@pytest.mark.parametrize("table", MACHINES)
def test_rows_begin_at_the_beginning(table: str) -> None:
    edges, start_state, make = MACHINES[table]
    row = make(start_state)
    for state in {*edges, "ELSEWHERE", ""} - {start_state}:
        refused(*copy_of(table, row, status=state), says=f"begins in {start_state}, not in {state}")


def complaint(statement: str, parameters: list[str]) -> str:
    """What the database has against a statement, if anything; the statement is undone."""
    try:
        with transaction.atomic():
            run(statement, parameters)
            transaction.set_rollback(True)
    except Error as error:
        return str(error)
    return ""


def protected_tables() -> list[str]:
    """The tables that hold money, states that money depends on, or evidence of them."""
    names = {
        "payments_fact",
        "payments_statehistory",
        "payments_paymentevent",
        "wallet_accountholder",
        "wallet_wallet",
    }
    for app in ("payments", "wallet", "ledger"):
        for model in apps.get_app_config(app).get_models():
            kinds = {type(field) for field in model._meta.get_fields()}
            if app == "ledger" or kinds & {MoneyColumn, FSMField}:
                names.add(model._meta.db_table)
    return sorted(names)


@pytest.mark.parametrize("table", protected_tables())
def test_tables_that_hold_money_or_evidence_cannot_be_emptied(table: str) -> None:
    refused(f"TRUNCATE {table} CASCADE", says="append-only|never deleted|refused")
