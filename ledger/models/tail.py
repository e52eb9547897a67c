"""The tail of deferred accounts."""

from django.db import models

from ledger.models.account import Account


class BalanceTail(models.Model):
    """What was posted to a deferred account and is not yet folded into its balance.

    The database writes these rows when postings arrive and folds them when they are deleted: balance and tail
    together never change by a roll-up.
    """

    # No constraint in the database: rows come only from a trigger that has just joined the account, and an
    # account cannot be deleted. A constraint would lock the row of the busiest accounts for every payment.
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="tail", db_constraint=False, db_index=False
    )
    amount = models.DecimalField(max_digits=24, decimal_places=4)
    """The sum of the postings of one statement, debit positive."""

    class Meta:
        db_table = "ledger_tail"
        indexes = [models.Index(fields=["account"], name="ledger_tail_account")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.amount}"
