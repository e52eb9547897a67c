"""One checkout."""

from django.db import models

from ledger import clock
from ledger.ids import uuid7
from payments.models.shop import Shop
from payments.models.triggers import fixed, never_deleted
from wallet.encryption import EncryptedJSONField


class ChargeMode(models.TextChoices):
    """Whether the orders of a checkout are charged together (one charge per currency) or one by one."""

    PER_CHECKOUT = "per_checkout"
    PER_ORDER = "per_order"


class PaymentEvent(models.Model):
    """A buyer's checkout: buyer info and one or more payment orders."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, related_name="payment_events")
    checkout_id = models.CharField(max_length=64)
    """The shop's own id; once per shop."""
    charge = models.CharField(max_length=16, choices=ChargeMode.choices, default=ChargeMode.PER_CHECKOUT)
    buyer_info = EncryptedJSONField()
    """Personal data, encrypted, so that a person can be forgotten without touching the journal."""
    buyer_digest = models.CharField(max_length=64, db_index=True)
    """Keyed digest of who the buyer is, to add up one buyer's payments without reading personal data."""
    return_url = models.CharField(max_length=2000, blank=True, default="")
    content_digest = models.BinaryField(max_length=32)
    """SHA-256 of the request that created it: the same checkout_id with other content is refused."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["shop", "checkout_id"], name="one_checkout_per_shop_id")
        ]
        triggers = [
            fixed("shop_id", "checkout_id", "charge", "content_digest", "created_at"),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return self.checkout_id
