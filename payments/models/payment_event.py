"""One checkout."""

from django.db import models
from django.db.models import Q

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
    buyer_chooses = models.BooleanField(default=False)
    """Created without a payment method: the buyer may try several, until it is closed."""
    manual_capture = models.BooleanField(default=False)
    """The money is only reserved until the shop captures it."""
    expires_at = models.DateTimeField()
    """From then on no new attempt is made."""
    expiry_due_at = models.DateTimeField(null=True, blank=True)
    """When to look whether something of it must still be called off; empty when nothing is left to expire."""
    closed_at = models.DateTimeField(null=True, blank=True)
    """When it was closed to new attempts: expired or canceled."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["expiry_due_at"],
                condition=Q(expiry_due_at__isnull=False),
                name="payment_event_expiry",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["shop", "checkout_id"], name="one_checkout_per_shop_id")
        ]
        triggers = [
            fixed("shop_id", "checkout_id", "charge", "content_digest", "created_at"),
            *never_deleted(),
        ]

    def __str__(self) -> str:
        return self.checkout_id

    @property
    def takes_another_method(self) -> bool:
        """Whether the buyer may try again when an attempt fails."""
        return self.buyer_chooses and self.closed_at is None
