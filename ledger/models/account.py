"""Accounts."""

from django.db import models

from ledger.chart import AccountType, Policy, Side


class Account(models.Model):
    """A place where money of one currency is counted. All but `frozen` and `balance` is fixed for life."""

    code = models.CharField(max_length=120)
    """The name of the account in the chart, with what it is kept for."""
    currency = models.CharField(max_length=3)
    type = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in AccountType])
    policy = models.CharField(max_length=8, choices=[(policy.value, policy.value) for policy in Policy])
    normal_side = models.SmallIntegerField(choices=[(side.value, side.name.lower()) for side in Side])
    frozen = models.BooleanField(default=False)
    """A frozen account takes no entries but forced ones, which tell what has happened already."""
    floor = models.DecimalField(max_digits=19, decimal_places=4, null=True, blank=True)
    """The least the account may hold on its normal side, except by a forced entry. Exact accounts only."""
    balance = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    """The folded sum of the postings, debit positive. A deferred account's balance is this plus its tail.
    Five digits wider than an amount, so that no true amount is refused because of what was there before."""
    opened_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_account"
        # What an account may be is proved by a trigger when it is opened, and fixed from then on; a CHECK would be
        # read again for every posting.
        constraints = [models.UniqueConstraint(fields=["code"], name="ledger_account_code")]

    def __str__(self) -> str:
        return self.code
