"""The row is the queue: what a job table needs so that no message has to be trusted."""

from datetime import datetime

from django.db import models


class DueWork(models.Model):
    """A row that may have work to do.

    `next_try_at` says when; empty means that nothing is left to do. A worker claims a row by writing its own token and
    moving `next_try_at` past its lease, so a worker that dies costs one lease and no work is ever lost.
    """

    next_try_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    """How many times a worker has claimed this row."""
    claim_token = models.UUIDField(null=True, blank=True)
    """Who may start the next call. A result is never refused for lack of it."""
    dead_at = models.DateTimeField(null=True, blank=True)
    """When it went to the dead letters; a dead row is not due, and no state was changed by its dying."""
    dead_closed_at = models.DateTimeField(null=True, blank=True)
    """When a person took it off the list of dead letters; nothing else changes by that."""
    last_error = models.TextField(blank=True, default="")

    class Meta:
        abstract = True

    def revive(self, *, at: datetime) -> list[str]:
        """Due again, with its tries counted anew; the caller saves the fields that this returns."""
        self.next_try_at = at
        self.tries = 0
        self.claim_token = None
        self.dead_at = None
        return ["next_try_at", "tries", "claim_token", "dead_at"]
