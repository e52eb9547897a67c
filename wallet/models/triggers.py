"""Database triggers that several tables share, declared beside the models and installed by migrations."""

import pgtrigger


def fixed(*columns: str) -> pgtrigger.Trigger:
    """These columns never change after the row was written."""
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    return pgtrigger.Trigger(
        name="fixed_columns",
        operation=pgtrigger.Update,
        when=pgtrigger.Before,
        condition=pgtrigger.Condition(changed),
        func=f"""
            RAISE EXCEPTION '%: {", ".join(columns)} never change', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
        """,
    )


def never_deleted() -> list[pgtrigger.Trigger]:
    """Rows may change along their rules, but never go, neither one by one nor by TRUNCATE."""
    refuse = """
        RAISE EXCEPTION '% rows are never deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
    """
    return [
        pgtrigger.Trigger(
            name="never_deleted", operation=pgtrigger.Delete, when=pgtrigger.Before, func=refuse
        ),
        pgtrigger.Trigger(
            name="no_truncate",
            level=pgtrigger.Statement,
            operation=pgtrigger.Truncate,
            when=pgtrigger.Before,
            func=refuse,
        ),
    ]
