"""A lot is in its wallet's currency: proven by a foreign key over both columns, so that raw SQL cannot break
it.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallet", "0001_initial")]
    operations = [
        migrations.RunSQL(
            """
            ALTER TABLE wallet_lot ADD CONSTRAINT lot_in_its_wallets_currency
                FOREIGN KEY (wallet_id, currency) REFERENCES wallet_wallet (id, currency);
            """,
            reverse_sql="ALTER TABLE wallet_lot DROP CONSTRAINT lot_in_its_wallets_currency;",
        )
    ]
