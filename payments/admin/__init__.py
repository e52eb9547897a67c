"""The back-office pages of payments."""

from payments.admin import orders, shops, work

__all__ = ["orders", "shops", "work"]
