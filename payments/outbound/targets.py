"""The address of a shop's endpoint, read once and strictly.

Two readers of one URL must never disagree about its host, so only one plain form is taken, and what is read here is
what is connected to. Names are resolved when a message is sent (`sending`), not here.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from payments.outbound.addresses import is_allowed

LONGEST_URL = 2000
PORTS = (443, 80, 8080, 8443)
"""Where web servers listen. Other ports belong to databases, mail and the like."""

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!-~]*)?",
    re.ASCII,
)
"""No userinfo, no blanks, no backslash in the host, nothing that is not ASCII; the path may hold a query."""
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
"""The last label of a name is never a number: then it is an address, which C libraries read in octal and hex too."""


class TargetRefused(Exception):
    """We do not call this address; the text says why, for the shop."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes."""

    scheme: str
    host: str
    """A name in lower case, or an address without brackets."""
    port: int
    path: str
    """With its query, as the shop wrote it."""
    address: IPv4Address | IPv6Address | None
    """When the host is an address."""

    @property
    def authority(self) -> str:
        """What stands in the Host header."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def read_target(url: str, *, allow_loopback: bool) -> Target:
    """The endpoint at `url`.

    `allow_loopback` is for development: it adds this machine itself, on any port, also without TLS.

    Raises:
        TargetRefused: not an https address on the public internet, or not written in the one plain form.
    """
    if len(url) > LONGEST_URL:
        raise TargetRefused(f"The address is longer than {LONGEST_URL} characters.")
    match = _URL.fullmatch(url)
    if match is None or "#" in url:
        raise TargetRefused("Write it as https://host/path, without user, fragment, blanks or backslashes.")
    host, address = _host(match)
    loopback = allow_loopback and (host == "localhost" or bool(address and address.is_loopback))
    if address is None and "." not in host and not loopback:
        raise TargetRefused("This name is not one of the public internet.")
    if match["scheme"] != "https" and not loopback:
        raise TargetRefused("Only https addresses are called.")
    if address is not None and not is_allowed(address, allow_loopback=allow_loopback):
        raise TargetRefused("This address is not on the public internet.")
    port = int(match["port"]) if match["port"] else (443 if match["scheme"] == "https" else 80)
    if port not in PORTS and not (loopback and 0 < port < 65536):
        raise TargetRefused(f"Only the ports {', '.join(str(port) for port in PORTS)} are called.")
    return Target(scheme=match["scheme"], host=host, port=port, path=match["path"] or "/", address=address)


def _host(match: re.Match[str]) -> tuple[str, IPv4Address | IPv6Address | None]:
    """The host, and which address it is when it is one."""
    try:
        if match["ipv6"] is not None:
            six = IPv6Address(match["ipv6"])
            return six.compressed, six
        host = match["host"].lower()
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            four = IPv4Address(host)
            return str(four), four
    except AddressValueError as error:
        raise TargetRefused("Write an address in its usual notation.") from error
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise TargetRefused("This is no host name.")
    return host, None
