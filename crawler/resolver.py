"""The guarded resolver: no connection is opened to an address that ``crawler.deny`` refuses.

It sits where Twisted asks for the address it is about to connect to, so it also covers redirects, DNS rebinding and every odd
spelling of an IP address.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver
from scrapy.crawler import Crawler
from scrapy.utils.defer import deferred_from_coro
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from zope.interface import implementer

from crawler.config import CrawlConfig
from crawler.deny import is_loopback, why_denied
from storage.errors import BellwetherError, ConfigError


class AddressDeniedError(BellwetherError):
    """A host name or address leads to a network a crawl must not touch."""


class DnsLookup:
    """Asks the configured name servers, or the system's; answers are cached as long as they allow."""

    def __init__(self, nameservers: Iterable[str], timeout_s: float = 5.0) -> None:
        self._resolver = _resolver(tuple(nameservers))
        self._resolver.lifetime = timeout_s
        self._resolver.cache = dns.resolver.LRUCache(100_000)

    async def records(self, name: str, record_type: str) -> list[str]:
        """The records of a type in presentation form, sorted; empty when there are none.

        Raises:
            dns.resolver.NXDOMAIN: there is no such name.
            dns.exception.DNSException: the servers fail or do not answer.
        """
        answer = await self._resolver.resolve(name, record_type, raise_on_no_answer=False)
        return sorted(record.to_text() for record in answer.rrset or ())

    async def addresses(self, host: str) -> list[str]:
        """IPv4 addresses, then IPv6; an IP address stands for itself, also in the odd spellings that inet_aton knows."""
        literal = _literal_address(host)
        if literal is not None:
            return [literal]
        found = await self.records(host, "A")
        return found or await self.records(host, "AAAA")


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Nothing to cancel: a lookup ends by its own timeout."""


@implementer(IHostnameResolver)
class GuardedResolver:
    """Scrapy's resolver (``TWISTED_DNS_RESOLVER``)."""

    def __init__(self, config: CrawlConfig, reactor: ReactorBase) -> None:
        self._config = config
        self._reactor = reactor
        self._lookup = DnsLookup(config.nameservers)
        self.denied: dict[str, str] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: ReactorBase) -> GuardedResolver:
        return cls(crawler.settings["BELLWETHER_CRAWL"], reactor)

    def install_on_reactor(self) -> None:
        """Puts this resolver in the place of Twisted's own."""
        self._reactor.installNameResolver(self)  # type: ignore[arg-type]  # zope interfaces are unknown to mypy

    def resolveHostName(  # noqa: N802 (Twisted's name)
        self,
        resolutionReceiver: Any,  # noqa: N803 (an IResolutionReceiver)
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Any = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> _Resolution:
        """Hands over the addresses that may be connected to; none when all are denied, which ends the request as not resolvable."""
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        deferred_from_coro(self._answer(resolutionReceiver, hostName, portNumber))
        return resolution

    async def _answer(self, receiver: Any, host: str, port: int) -> None:
        try:
            addresses = await self._lookup.addresses(host)
        except (dns.exception.DNSException, ValueError):  # the receiver learns it by getting no address
            addresses = []
        for address in addresses:
            refusal = why_denied(address, self._config.allow_nets)
            if refusal is None:
                receiver.addressResolved(_endpoint(address, self._port(address, port)))
            else:
                self.denied[host] = f"{host} leads to {refusal}"
        receiver.resolutionComplete()

    def _port(self, address: str, port: int) -> int:
        # A world on loopback cannot listen on ports 80 and 443 without privileges.
        return self._config.loopback_ports.get(port, port) if is_loopback(address) else port


def denied_hosts() -> dict[str, str]:
    """Host → why it was refused, as far as the resolver of this process was asked."""
    from twisted.internet import reactor

    resolver = getattr(reactor, "nameResolver", None)
    return resolver.denied if isinstance(resolver, GuardedResolver) else {}


def _endpoint(address: str, port: int) -> IPv4Address | IPv6Address:
    return IPv6Address("TCP", address, port) if ":" in address else IPv4Address("TCP", address, port)


def _literal_address(host: str) -> str | None:
    """The address that a host name spells out, as the C library reads it (127.1, 0x7f000001, 2130706433)."""
    bare = host.strip("[]")
    if ":" in bare:
        return bare
    if not bare or not bare[-1].isalnum() or not (bare[-1].isdigit() or "x" in bare.lower()):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(bare))
    except OSError:
        return None


def _resolver(nameservers: tuple[str, ...]) -> dns.asyncresolver.Resolver:
    if not nameservers:
        return dns.asyncresolver.Resolver()
    resolver = dns.asyncresolver.Resolver(configure=False)
    servers = []
    for server in nameservers:
        host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "53")
        if not port.isdigit():
            raise ConfigError(f"crawl.nameservers: {server!r} is not address or address:port")
        servers.append(dns.nameserver.Do53Nameserver(host, int(port)))
    resolver.nameservers = servers
    return resolver
