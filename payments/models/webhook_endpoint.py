"""Where a shop wants to hear its news."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from ledger import clock
from ledger.ids import uuid7
from payments.models.shop import Shop
from payments.models.triggers import fixed
from wallet.encryption import EncryptedTextField


class WebhookEndpoint(models.Model):
    """An address of a shop to which its news are sent."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, related_name="webhook_endpoints")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True, default="")
    enabled = models.BooleanField(default=True)
    """A disabled endpoint gets no news, and what waited for it went to the dead letters."""
    event_types = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    """The news it wants; empty for all."""
    troubled_since = models.DateTimeField(null=True, blank=True)
    """Since when it fails or is slow; empty again after a quick success. A troubled endpoint is called one message at a
    time, after all others, so that it keeps nobody else waiting."""
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(default=clock.now)
    """When it last was enabled, disabled, or given other event types."""

    class Meta:
        indexes = [
            # Read with every change of a payment.
            models.Index(fields=["shop"], condition=Q(enabled=True), name="webhook_endpoint_enabled")
        ]
        triggers = [fixed("shop_id", "created_at")]

    def __str__(self) -> str:
        return self.url


class EndpointSecretQuerySet(models.QuerySet["EndpointSecret"]):
    """Questions about secrets."""

    def valid(self, at: datetime) -> "EndpointSecretQuerySet":
        """The secrets that sign at this time, newest first."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at)).order_by("-created_at", "-id")


class EndpointSecret(models.Model):
    """A secret that signs what is sent to an endpoint. While one replaces another both sign, for as long as agreed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="secrets")
    secret = EncryptedTextField()
    """`whsec_` and base64, as the shop was shown it once."""
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    """From then on it signs nothing; empty for the newest."""

    objects = EndpointSecretQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(expires_at__isnull=True),
                name="one_newest_secret_per_endpoint",
            ),
            models.CheckConstraint(
                name="secret_expires_after_its_start",
                condition=Q(expires_at__isnull=True) | Q(expires_at__gte=F("created_at")),
            ),
        ]
        triggers = [fixed("endpoint_id", "created_at")]

    def __str__(self) -> str:
        return f"secret of {self.endpoint_id}"
