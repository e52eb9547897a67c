"""The answers we gave, by the caller's key."""

from django.db import models

from ledger import clock
from payments.models.shop import Shop
from payments.models.triggers import fixed


class IdempotencyKey(models.Model):
    """One key of one shop and the one answer it ever gets.

    The row is written in the transaction of the business change, so there is no key without its answer and no second
    change under one key: a concurrent duplicate waits on the unique index and then finds the answer.
    """

    id = models.BigAutoField(primary_key=True)
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=255)
    request_digest = models.BinaryField(max_length=32)
    """SHA-256 of what was asked for: the same key with another request is refused."""
    status_code = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    """A checkout as it was shown, without its buyer."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["shop", "key"], name="one_answer_per_key")]
        triggers = [fixed("shop_id", "key", "request_digest", "status_code", "answer", "created_at")]

    def __str__(self) -> str:
        return self.key
