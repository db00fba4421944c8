"""Which network addresses a crawl may never connect to.

An explicit table of the IANA special-purpose registries (IPv4 and IPv6, as of 2026) plus cloud metadata addresses. ``ipaddress.is_global``
is not enough: it passes NAT64, 6to4 and other spellings that carry an inner IPv4 address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DENIED = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared address space",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "cloud platform service",
    "169.254.0.0/16": "link local and cloud metadata",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved and broadcast",
    "::/96": "unspecified, loopback and IPv4-compatible",
    "64:ff9b:1::/48": "local-use translation",
    "100::/64": "discard only",
    "100:0:0:1::/64": "dummy prefix",
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link local",
    "fec0::/10": "site local",
    "ff00::/8": "multicast",
}
_TABLE = [(ipaddress.ip_network(network), why) for network, why in _DENIED.items()]
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # the only block of IPv6 from which public addresses are given out
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def why_denied(address: str, allow_nets: Sequence[str] = ()) -> str | None:
    """Why a crawl must not connect to an address, or None when it may.

    Args:
        address: an IP address in its usual spelling.
        allow_nets: networks (CIDR) that the operator allows although they are not public.

    >>> why_denied("::ffff:127.0.0.1"), why_denied("127.0.0.1", ["127.0.0.0/8"]), why_denied("93.184.216.34")
    ('127.0.0.1 is loopback', None, None)
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"{address} is no IP address"
    if any(_holds(ipaddress.ip_network(network), parsed) for network in allow_nets):
        return None
    inner = _embedded_ipv4(parsed)
    if inner is not None:
        return why_denied(str(inner))
    for network, why in _TABLE:
        if _holds(network, parsed):
            return f"{parsed} is {why}"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed not in _GLOBAL_UNICAST:
        return f"{parsed} is reserved"
    return None


def is_loopback(address: str) -> bool:
    """Whether an address is this machine.

    >>> is_loopback("127.8.0.1"), is_loopback("8.8.8.8")
    (True, False)
    """
    return ipaddress.ip_address(address).is_loopback


def _holds(network: ipaddress.IPv4Network | ipaddress.IPv6Network, address: Address) -> bool:
    return network.version == address.version and address in network


def _embedded_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 transition address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    number = int(address)
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address((number >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        return ipaddress.IPv4Address(~number & 0xFFFFFFFF)
    if address in _NAT64:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return None
