"""Raw SQL past every service, and the database's own refusal."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.db import Error, connection, transaction

from ledger.ids import uuid7


def refused(statement: str, parameters: Any = None, *, says: str) -> None:
    """The statement, with the checks that wait for a commit, ends in the database's error with these words."""
    with pytest.raises(Error, match=says), transaction.atomic():
        run(statement, parameters)


def run(statement: str, parameters: Any = None) -> int:
    """Run a statement and the checks that wait for a commit; returns how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        touched: int = cursor.rowcount
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return touched


def passes(statement: str, parameters: Any = None) -> None:
    """The statement is taken; it is undone again."""
    with transaction.atomic():
        assert run(statement, parameters) > 0
        transaction.set_rollback(True)


def copy_of(table: str, row: Any, **changes: Any) -> tuple[str, list[str]]:
    """An INSERT of the row once more under a new id, with these columns changed."""
    new: dict[str, Any] = {"id": str(uuid7()) if isinstance(row, UUID) else 2_000_000_000, **changes}
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(r, %s::jsonb)).* FROM {table} r WHERE id = %s",
        [json.dumps(new), str(row)],
    )
