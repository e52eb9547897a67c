"""The posting kernel."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql" / "0003_post.sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_guards")]
    operations = [
        migrations.RunSQL(
            SQL.read_text(), reverse_sql="DROP FUNCTION ledger_post; DROP FUNCTION ledger_taken_elsewhere;"
        )
    ]
