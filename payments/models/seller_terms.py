"""What we agreed with a seller."""

from decimal import Decimal

from django.db import models


class SellerTerms(models.Model):
    """A seller's commission. Orders copy the rate when they are created, so a change touches later orders only."""

    holder = models.OneToOneField(
        "wallet.AccountHolder", primary_key=True, on_delete=models.PROTECT, related_name="terms"
    )
    commission_rate = models.DecimalField(max_digits=6, decimal_places=5, default=Decimal("0.10"))
    """Our share of each sale: 0.10 is ten percent."""

    class Meta:
        verbose_name_plural = "seller terms"
        constraints = [
            models.CheckConstraint(
                name="commission_rate_is_a_share",
                condition=models.Q(commission_rate__gte=0, commission_rate__lte=1),
            )
        ]

    def __str__(self) -> str:
        return f"{self.holder_id}: {self.commission_rate}"
