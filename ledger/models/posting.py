"""Postings."""

from django.db import models
from django.db.models import Q

from ledger.models.account import Account
from ledger.models.journal_entry import JournalEntry


class Posting(models.Model):
    """One leg of an entry. Its lines are 1 to n and come in one statement, so none can be added later."""

    pk = models.CompositePrimaryKey("entry_id", "line")
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings", db_index=False)
    line = models.SmallIntegerField()
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    """Debit above zero, credit below, in the account's currency."""
    balance_after = models.DecimalField(max_digits=24, decimal_places=4, null=True)
    """What the account held then, debit positive. Exact accounts only: deferred ones keep no order."""

    class Meta:
        db_table = "ledger_posting"
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="ledger_posting_not_zero")]
        # A statement reads one account in posting order: its entries' ids are drawn under its lock.
        indexes = [models.Index(fields=["account", "entry"], name="ledger_posting_account")]

    def __str__(self) -> str:
        return f"{self.entry_id}/{self.line}"
