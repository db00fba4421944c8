"""The guarded resolver: what a name leads to, without the addresses that ``crawler.deny`` refuses.

It is asked for every new connection, so it also covers redirects, DNS rebinding and the odd spellings of an IP address; ``crawler.fetcher``
looks at the address once more when it makes the socket.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

import dns.asyncresolver
import dns.exception
import dns.resolver
from aiohttp.abc import AbstractResolver, ResolveResult
from scrapy.exceptions import CannotResolveHostError

from crawler.config import CrawlConfig
from crawler.deny import is_loopback, why_denied
from storage.errors import ConfigError


class AddressDeniedError(CannotResolveHostError, OSError):
    """A host name or address leads to a network a crawl must not touch; an OSError, so that it passes through aiohttp as any other of a socket."""


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


class GuardedResolver(AbstractResolver):
    """Name lookup of the fetcher: only addresses that may be connected to come back."""

    def __init__(self, config: CrawlConfig) -> None:
        self._config = config
        self._lookup = DnsLookup(config.nameservers)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """The addresses of a host, in aiohttp's form.

        Raises:
            AddressDeniedError: all of them are denied.
            OSError: there are none.
        """
        try:
            addresses = await self._lookup.addresses(host)
        except (dns.exception.DNSException, ValueError) as error:
            raise OSError(None, f"{host} cannot be resolved: {type(error).__name__}") from error
        if not addresses:
            raise OSError(None, f"{host} has no address")
        allowed = [address for address in addresses if why_denied(address, self._config.allow_nets) is None]
        if not allowed:
            refuse_denied(addresses[0], host, self._config.allow_nets)
        return [self._result(host, address, port) for address in allowed]

    async def close(self) -> None:
        """Nothing is held open."""

    def _result(self, host: str, address: str, port: int) -> ResolveResult:
        # A world on loopback cannot listen on ports 80 and 443 without privileges.
        stand_in = self._config.loopback_ports.get(port, port) if is_loopback(address) else port
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return ResolveResult(hostname=host, host=address, port=stand_in, family=family, proto=0, flags=socket.AI_NUMERICHOST)


def refuse_denied(address: str, host: str, allow_nets: Sequence[str]) -> None:
    """Lets an address pass.

    Raises:
        AddressDeniedError: a crawl must not connect to it.
    """
    refusal = why_denied(address, allow_nets)
    if refusal is not None:
        raise AddressDeniedError(refusal if address == host else f"{host} leads to {refusal}")


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
