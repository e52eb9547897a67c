"""From the name of a PSP account to the adapter that talks to it. Only tasks and webhooks may call this."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from payments.errors import PspAccountNotFound
from payments.psp.base import Psp


@cache
def adapter(psp_account: str) -> Psp:
    """The adapter of a configured PSP account, loaded on first use, so adapters that are not configured cost nothing.

    Raises:
        PspAccountNotFound: PAYMENT_PROVIDERS has no such name (404).
    """
    try:
        provider = settings.PAYMENT_PROVIDERS[psp_account]
    except KeyError:
        raise PspAccountNotFound from None
    loaded: Psp = import_string(provider["BACKEND"])(**provider.get("OPTIONS", {}))
    return loaded
