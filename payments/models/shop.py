"""Who calls the API."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from ledger import clock
from ledger.ids import uuid7


class LateSuccess(models.TextChoices):
    """A payment succeeded after its order had failed, or had been paid otherwise."""

    REFUND = "refund", "send it back at once"
    KEEP = "keep", "keep it in unapplied receipts until staff decide"


class Shop(models.Model):
    """An e-commerce site. It sees its own orders only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(max_length=200)
    late_success = models.CharField(max_length=8, choices=LateSuccess.choices, default=LateSuccess.REFUND)
    """What happens to money that a PSP took for an order that could no longer take it."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A secret that a shop, or the company itself, shows with each request. Only its digest is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    shop = models.ForeignKey(Shop, null=True, blank=True, on_delete=models.PROTECT, related_name="api_keys")
    """Empty for a company key, which may manage sellers but owns no orders."""
    label = models.CharField(max_length=200)
    prefix = models.CharField(max_length=16, unique=True)
    """The public beginning of the key, by which it is found and shown to people."""
    digest = models.BinaryField(max_length=32)
    """SHA-256 of the whole key; the key has 256 random bits, so nothing slower is needed."""
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix}…)"
