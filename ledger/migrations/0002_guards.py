"""Triggers: what the database refuses, and balances that follow postings."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql" / "0002_guards.sql"
FUNCTIONS = (
    "ledger_refuse_change",
    "ledger_postings_added",
    "ledger_entries_added",
    "ledger_account_opened",
    "ledger_refuse_change_of_account",
    "ledger_only_by_trigger",
    "ledger_tail_folded",
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [
        migrations.RunSQL(
            SQL.read_text(), reverse_sql="".join(f"DROP FUNCTION {name} CASCADE;" for name in FUNCTIONS)
        )
    ]
