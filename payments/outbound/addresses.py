"""Which internet addresses a shop may make us call: global unicast only.

A webhook's address is chosen by somebody outside and called from inside our network. Everything that is not plainly
the public internet is refused, whatever notation hides it. The lists are IANA's Special-Purpose Address Registries for
IPv4 and IPv6 (RFC 6890 and what was added since); they are written out here because Python's own `is_global` differs
between its releases.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

LOOPBACK = frozenset({ip_address("127.0.0.1"), ip_address("::1")})
"""What the setting WEBHOOKS_ALLOW_LOOPBACK adds."""

REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host; many systems connect 0.0.0.0 to themselves
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; one cloud keeps its metadata here
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # global by its number, a host's inside service in one cloud
        "169.254.0.0/16",  # link-local; most clouds keep their metadata here
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunneling
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, with broadcast
    )
)

GLOBAL_V6 = IPv6Network("2000::/3")
"""All that IANA has given out as global unicast. Outside of it are loopback, IPv4-mapped and -compatible addresses,
NAT64 (64:ff9b::/96, 64:ff9b:1::/48), unique local, link-local, site-local and multicast.
"""

REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, with Teredo, which carries an IPv4 address, and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def is_allowed(address: IPv4Address | IPv6Address, *, allow_loopback: bool) -> bool:
    """Whether a shop may make us connect to this address."""
    if address in LOOPBACK:
        return allow_loopback
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_V4)
    return (
        address.scope_id is None
        and address in GLOBAL_V6
        and not any(address in network for network in REFUSED_V6)
    )
