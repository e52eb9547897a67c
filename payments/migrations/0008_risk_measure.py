"""One round trip for the risk rules in force and what is known about a payment."""

from pathlib import Path

import django.contrib.postgres.indexes
from django.db import migrations, models

SQL = Path(__file__).parent / "sql" / "0008_risk_measure.sql"


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0007_invariant_runs'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='risklistentry',
            name='each_risk_entry_once_per_list',
        ),
        migrations.RemoveIndex(
            model_name='risklistentry',
            name='risk_sanctioned_tokens',
        ),
        migrations.AddIndex(
            model_name='risklistentry',
            index=django.contrib.postgres.indexes.GinIndex(condition=models.Q(('kind', 'sanctions')), fastupdate=False, fields=['tokens'], name='risk_sanctioned_tokens'),
        ),
        migrations.AddIndex(
            model_name='risklistentry',
            index=models.Index(fields=['kind', 'subject'], name='risk_entry_kind'),
        ),
        migrations.AddConstraint(
            model_name='risklistentry',
            constraint=models.UniqueConstraint(fields=('digest', 'kind', 'subject'), name='each_risk_entry_once_per_list'),
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql="DROP FUNCTION payments_risk_measure"),
    ]
