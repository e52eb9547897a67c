"""What each PSP can do, as data. Services choose from it without importing an adapter."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from moneyed import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one kind of PSP can do."""

    methods: frozenset[str]
    currencies: frozenset[str] | None
    """None: every currency of ours."""
    largest_amount: Decimal | None = None
    """In major units of any currency; None: no limit."""
    reusable_token_prefixes: tuple[str, ...] = ()
    """Tokens that may be charged more than once begin with one of these."""
    idempotency_key_life: timedelta | None = None
    """How long the PSP honours a key, with a margin; None: it honours none, so only queries may follow a lost answer."""
    confirm: bool = False
    """A charge is made unconfirmed, its id committed, then confirmed: a lost creation cannot have moved money."""
    manual_capture: bool = False
    multicapture: bool = False
    cancel: bool = False
    refund: bool = False
    partial_refund: bool = False
    payout: bool = False
    off_session: bool = False

    def takes(self, method: str, currency: str) -> bool:
        """Whether this method in this currency can be paid here."""
        return method in self.methods and (self.currencies is None or currency in self.currencies)


CAPABILITIES: dict[str, Capabilities] = {
    "payments.psp.sandbox.SandboxPsp": Capabilities(
        methods=frozenset({"card"}),
        currencies=None,
        largest_amount=Decimal("999999999.9999"),
        reusable_token_prefixes=("pm_",),
        idempotency_key_life=timedelta(hours=20),
        manual_capture=True,
        multicapture=True,
        cancel=True,
        refund=True,
        partial_refund=True,
        payout=True,
        off_session=True,
    ),
}


def of(psp_account: str) -> Capabilities:
    """The capabilities of a configured PSP account; a provider's CAPABILITIES setting changes some of its kind's."""
    provider = settings.PAYMENT_PROVIDERS[psp_account]
    return replace(CAPABILITIES[provider["BACKEND"]], **provider.get("CAPABILITIES", {}))


def choose(*, method: str, total: Money) -> str | None:
    """The first configured PSP account that takes this method and currency, in the order of PAYMENT_PROVIDERS."""
    for psp_account in settings.PAYMENT_PROVIDERS:
        if of(psp_account).takes(method, total.currency.code):
            return str(psp_account)
    return None


def is_reusable(psp_account: str, token: str) -> bool:
    """Whether the token may be charged more than once."""
    return token.startswith(of(psp_account).reusable_token_prefixes) if token else False
