"""Journal entries."""

from django.db import models


class JournalEntry(models.Model):
    """Something that happened, told in postings that sum to zero. Never changed: a correction is another one.

    An entry and all its postings arrive in one SQL statement, or the database refuses them.
    """

    occurred_at = models.DateTimeField()
    """When it happened in the world."""
    created_at = models.DateTimeField()
    """When we wrote it."""
    fingerprint = models.BigIntegerField()
    """Digest of kind and legs: tells a repeated request from another one under the same reference."""
    accounting_date = models.DateField()
    """The day to whose books it belongs, in UTC."""
    forced = models.BooleanField(default=False)
    """A true fact that may take accounts below their floors."""
    reference = models.CharField(max_length=200, db_collation="C")
    """Whoever posts the same thing again uses the same reference; it is posted once."""
    kind = models.CharField(max_length=40)
    """What happened, in one word of `bookkeeping`: capture, release, reversal ..."""
    description = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        db_table = "ledger_entry"
        verbose_name_plural = "journal entries"
        # A constraint and not `unique=True`, which would build a second index for LIKE.
        constraints = [models.UniqueConstraint(fields=["reference"], name="ledger_entry_reference")]

    def __str__(self) -> str:
        return self.reference
