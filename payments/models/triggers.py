"""Database triggers that several tables share, declared beside the models and installed by migrations."""

import pgtrigger

from payments.states import Edges, pairs
from wallet.models.triggers import fixed, never_deleted

__all__ = ["append_only", "fixed", "never_deleted", "state_machine"]


def state_machine(field: str, edges: Edges, start: str) -> list[pgtrigger.Trigger]:
    """INSERT only in the start state, UPDATE only along an edge.

    django-fsm guards one Python call; `create(status=...)`, `update(status=...)` and raw SQL walk past it.
    """
    return [
        pgtrigger.Trigger(
            name=f"{field}_starts",
            operation=pgtrigger.Insert,
            when=pgtrigger.Before,
            condition=pgtrigger.Condition(f"NEW.{field} <> '{start}'"),
            func=f"""
                RAISE EXCEPTION '% begins in {start}, not in %', TG_TABLE_NAME, NEW.{field}
                USING ERRCODE = 'integrity_constraint_violation';
            """,
        ),
        pgtrigger.Trigger(
            name=f"{field}_moves",
            operation=pgtrigger.UpdateOf(field),
            when=pgtrigger.Before,
            condition=pgtrigger.Condition(
                f"OLD.{field} IS DISTINCT FROM NEW.{field} AND (OLD.{field} || ':' || NEW.{field}) NOT IN ("
                + ", ".join(f"'{source}:{target}'" for source, target in pairs(edges))
                + ")"
            ),
            func=f"""
                RAISE EXCEPTION '% cannot go from % to %', TG_TABLE_NAME, OLD.{field}, NEW.{field}
                USING ERRCODE = 'integrity_constraint_violation';
            """,
        ),
    ]


def append_only() -> list[pgtrigger.Trigger]:
    """Rows are written once and stay."""
    refuse = """
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    """
    return [
        pgtrigger.Trigger(
            name="append_only",
            operation=pgtrigger.Update | pgtrigger.Delete,
            when=pgtrigger.Before,
            func=refuse,
        ),
        pgtrigger.Trigger(
            name="no_truncate",
            level=pgtrigger.Statement,
            operation=pgtrigger.Truncate,
            when=pgtrigger.Before,
            func=refuse,
        ),
    ]
