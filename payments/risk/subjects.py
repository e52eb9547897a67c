"""Who or what a payment is about, as keyed digests: they can be counted and compared, and nobody can read them."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payments.models import PaymentEvent, RiskSubject
from wallet.encryption import keyed_digest

IPV6_PREFIX = 64
"""A household or a phone gets at least this much of IPv6, so the rest of the address says nothing about who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """The digests of one payment; empty where the shop told us nothing."""

    buyer: str
    email: str
    phone: str
    email_domain: str
    ip: str

    @property
    def listed(self) -> list[str]:
        """All that may stand on a list."""
        return [value for value in (self.buyer, self.email, self.phone, self.email_domain, self.ip) if value]


def subjects_of(event: PaymentEvent) -> Subjects:
    """The subjects of a checkout. `event.shop` must be loaded."""
    info: Mapping[str, Any] = event.buyer_info
    email, phone, ip = str(info.get("email", "")), str(info.get("phone", "")), info.get("ip_address", "")
    by_email = digest_of(RiskSubject.EMAIL, email) if email else ""
    by_phone = digest_of(RiskSubject.PHONE, phone) if phone else ""
    buyer_id = info.get("buyer_id", "")
    # A shop's ids mean nothing in another shop: buyer 7 of one is not buyer 7 of the other.
    buyer = (
        digest_of(RiskSubject.BUYER, f"{event.shop.slug}:{buyer_id}") if buyer_id else by_email or by_phone
    )
    return Subjects(
        buyer=buyer,
        email=by_email,
        phone=by_phone,
        email_domain=digest_of(RiskSubject.EMAIL_DOMAIN, email.rpartition("@")[2]) if email else "",
        ip=digest_of(RiskSubject.IP, str(ip)) if ip else "",
    )


def digest_of(subject: str, value: str) -> str:
    """The keyed digest of one subject's value, in the same form for everybody who writes the same.

    Raises:
        ValueError: it is no IP address.
    """
    return keyed_digest(f"{subject}:{in_one_form(subject, value)}")


def card_digest(fingerprint: object) -> str:
    """The digest of a PSP's fingerprint of a card; empty when there is none."""
    return digest_of(RiskSubject.CARD_FINGERPRINT, str(fingerprint)) if fingerprint else ""


def in_one_form(subject: str, value: str) -> str:
    """An address, a number or a domain as it is compared.

    Raises:
        ValueError: it is no IP address.
    """
    value = value.strip()
    match subject:
        case RiskSubject.EMAIL | RiskSubject.EMAIL_DOMAIN:
            return value.lower().removeprefix("@").rstrip(".")
        case RiskSubject.IP:
            return _network(value)
    return value


def _network(text: str) -> str:
    """An IPv4 address as it is; of an IPv6 address the part that a provider gives to one customer."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        address = ipaddress.IPv6Address(
            address.packed
        )  # Without a zone, which means nothing outside one host.
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
