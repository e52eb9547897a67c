"""Who may hold money with us."""

from django.db import models
from django.db.models import Q

from ledger import clock
from ledger.ids import uuid7
from wallet.encryption import EncryptedTextField
from wallet.models.triggers import fixed, never_deleted


class HolderKind(models.TextChoices):
    """What somebody is to us."""

    SELLER = "seller"
    BUYER = "buyer"
    PLATFORM = "platform"


class KycStatus(models.TextChoices):
    """How far the check of who they are has come ("know your customer")."""

    NOT_STARTED = "not_started"
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"


class AccountHolder(models.Model):
    """A person or business that may hold money with us. Belongs to the company, not to one shop."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=8, choices=HolderKind.choices)
    reference = models.CharField(max_length=64)
    """The caller's own id, such as a `seller_account`; once per kind."""
    name = models.CharField(max_length=200)
    """What staff and statements call them: a seller's trading name."""
    email = EncryptedTextField(blank=True, default="")
    email_digest = models.CharField(max_length=64, blank=True, default="", db_index=True)
    """`keyed_digest` of the address in lower case, to find its holder; empty when there is none."""
    country = models.CharField(max_length=2, blank=True, default="")
    """ISO 3166-1 alpha-2."""
    kyc_status = models.CharField(max_length=11, choices=KycStatus.choices, default=KycStatus.NOT_STARTED)
    frozen = models.BooleanField(default=False)
    """A frozen holder is paid nothing until staff have looked; what they are owed stays theirs."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference"], name="one_holder_per_reference"),
            models.CheckConstraint(name="holder_kind_is_known", condition=Q(kind__in=HolderKind.values)),
            models.CheckConstraint(
                name="holder_kyc_status_is_known", condition=Q(kyc_status__in=KycStatus.values)
            ),
            models.CheckConstraint(name="holder_has_a_reference", condition=~Q(reference="")),
            models.CheckConstraint(
                name="holder_country_is_a_code", condition=Q(country="") | Q(country__regex="^[A-Z]{2}$")
            ),
        ]
        triggers = [fixed("id", "kind", "reference", "created_at"), *never_deleted()]

    def __str__(self) -> str:
        return self.reference
