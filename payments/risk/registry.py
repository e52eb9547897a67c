"""The outside risk provider of the settings. Only tasks may ask it."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from payments.risk.provider import RiskProvider, RiskProviderFailed


@cache
def risk_provider() -> RiskProvider:
    """The configured provider, loaded on first use.

    Raises:
        RiskProviderFailed: RISK_PROVIDER names none.
    """
    if not settings.RISK_PROVIDER:
        raise RiskProviderFailed("no outside risk provider is configured")
    backend = import_string(settings.RISK_PROVIDER["BACKEND"])
    loaded: RiskProvider = backend(**settings.RISK_PROVIDER.get("OPTIONS", {}))
    return loaded
