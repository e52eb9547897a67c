"""Configuration: what the environment fixes for the life of the process, and delays that can be changed while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(slots=True, kw_only=True)
class Timing:
    """Delays, each changeable by `SANDBOX_PSP_<NAME>` and, while running, by `POST /v1/control/settings`."""

    latency_ms: float = 0
    """Added to every answer under /v1 except the control surface."""
    processing_seconds: float = 3
    """From `processing` to its outcome."""
    review_seconds: float = 30
    """From `in_review` to its approval when nobody decides; 0 waits for ever."""
    action_seconds: float = 3600
    """After this an unfinished challenge expires its payment."""
    hold_seconds: float = 7 * 86400
    """After this the issuer releases what was authorised and not captured."""
    refund_seconds: float = 2
    """How long a refund stays pending, where the card makes it pend, and how long until one fails afterwards."""
    payout_seconds: float = 1
    """From pending to paid or failed, and from paid to returned."""
    settlement_seconds: float = 0
    """From captured to available for pay-out."""
    key_seconds: float = 24 * 3600
    """Life of an idempotency key."""
    hang_seconds: float = 30
    """How long a connection without an answer is kept open by the time-out faults."""
    webhook_retry_seconds: float = 1
    """Pause before the second delivery of a webhook; it doubles from there, up to an hour."""
    webhook_timeout_seconds: float = 10
    """How long a webhook receiver may take to answer."""


@dataclass(slots=True, kw_only=True)
class Config:
    """One running sandbox."""

    database: str
    secret_key: str
    webhook_url: str = ""
    webhook_secret: str = ""
    public_url: str = ""
    """Where browsers reach the challenge page; empty: the address that the API was called under."""
    timing: Timing = field(default_factory=Timing)


def from_environment(environ: Mapping[str, str], *, database: str) -> Config:
    """Read `SANDBOX_PSP_*`.

    Raises:
        ValueError: a needed variable is missing, or a delay is not a number of at least 0.
    """
    secret_key = environ.get("SANDBOX_PSP_SECRET_KEY", "")
    if not secret_key:
        raise ValueError("SANDBOX_PSP_SECRET_KEY is not set: it is the bearer token that callers must send.")
    webhook_url = environ.get("SANDBOX_PSP_WEBHOOK_URL", "")
    webhook_secret = environ.get("SANDBOX_PSP_WEBHOOK_SECRET", "")
    if webhook_url and not webhook_secret:
        raise ValueError(
            "SANDBOX_PSP_WEBHOOK_URL is set, but SANDBOX_PSP_WEBHOOK_SECRET is not: webhooks are signed."
        )
    return Config(
        database=database,
        secret_key=secret_key,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        public_url=environ.get("SANDBOX_PSP_PUBLIC_URL", "").rstrip("/"),
        timing=_timing(environ),
    )


def _timing(environ: Mapping[str, str]) -> Timing:
    given: dict[str, float] = {}
    for setting in fields(Timing):
        variable = f"SANDBOX_PSP_{setting.name.upper()}"
        if text := environ.get(variable, ""):
            try:
                given[setting.name] = float(text)
            except ValueError:
                given[setting.name] = -1
            if not 0 <= given[setting.name] < float("inf"):
                raise ValueError(f"{variable} is {text!r}; it must be a number of at least 0.")
    return Timing(**given)
