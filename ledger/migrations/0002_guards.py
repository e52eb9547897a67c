"""Triggers: what the database refuses, and balances that follow postings."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql" / "0002_guards.sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]
