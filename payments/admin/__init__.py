"""The back-office pages of payments."""

from payments.admin import orders, risk_reviews, risk_rules, shops, work

__all__ = ["orders", "risk_reviews", "risk_rules", "shops", "work"]
