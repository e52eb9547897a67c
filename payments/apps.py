from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(_ensure_defaults, sender=self)


def _ensure_defaults(**_: Any) -> None:
    """Rows that a system needs from its first day; idempotent, so each migration may run it."""
    from payments.services.defaults import ensure_defaults  # noqa: PLC0415  # Models are not loaded before.

    ensure_defaults()
