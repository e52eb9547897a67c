"""The back-office pages of payments."""

from payments.admin import orders, risk_reviews, risk_rules, shops, webhooks, work

__all__ = ["orders", "risk_reviews", "risk_rules", "shops", "webhooks", "work"]
