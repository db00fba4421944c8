"""The world as one process: HTTP, HTTPS with a certificate per site, and DNS, on free loopback ports.

``python -m examples.world.server --port-file ports.json`` writes the ports once it serves, and runs until it is told to end.
``--log FILE`` gets a line for every request: seconds since 1970, and the URL.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet import defer, reactor, task
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.names import common, dns, error, server
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from examples.world.companies import TODAY, Company, load_companies, load_quirks
from examples.world.quirks import RawAnswer, site_with_quirk
from examples.world.sites import build_site

HOST = "127.0.0.1"
_MAIL = {
    "microsoft": [(0, "{flat}.mail.protection.outlook.com")],
    "google": [(1, "aspmx.l.google.com"), (5, "alt1.aspmx.l.google.com")],
    "own": [(10, "mail.{domain}")],
    "hosted": [(10, "mx1.mailhost.example"), (20, "mx2.mailhost.example")],
}
_SPF = {
    "microsoft": "v=spf1 include:spf.protection.outlook.com -all",
    "google": "v=spf1 include:_spf.google.com ~all",
    "own": "v=spf1 mx -all",
    "hosted": "v=spf1 include:spf.mailhost.example ~all",
}


class World(Resource):
    """Answers every request by the Host it names."""

    isLeaf = True  # noqa: N815 (Twisted's name)

    def __init__(self, companies: list[Company], quirks: Mapping[str, dict[str, Any]], log: Callable[[str], object]) -> None:
        super().__init__()
        self.log = log
        self.companies = {company.domain: company for company in companies}
        self.sites = {c.domain: site_with_quirk(c, build_site(c), quirks.get(c.domain, {})) for c in companies}
        self.new_homes = {q["to"]: domain for domain, q in quirks.items() if q["kind"] == "moved"}

    def render(self, request: Request) -> Any:
        """One answer."""
        host = (request.getHeader("host") or "").partition(":")[0].lower()
        path = request.uri.decode("latin-1")
        self.log(f"{time.time():.3f} {'https' if request.isSecure() else 'http'}://{host}{path}\n")
        domain = host.removeprefix("www.")
        if domain in self.new_homes:
            return self._send(request, self.sites[self.new_homes[domain]].get(f"//{domain}{path}", RawAnswer(404)), "nginx")
        company = self.companies.get(domain)
        if company is None:
            return self._send(request, RawAnswer(421, {}, b"unknown host"), "nginx")
        if path != "/robots.txt" and (host != company.host or (company.has_https and not request.isSecure())):
            return self._send(request, RawAnswer(301, {"Location": company.base_url + path}), company.server)
        site = self.sites[domain]
        answer = (
            site.get(path) or site.get(path + "/") or site.get("*") or RawAnswer(404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>")
        )
        return self._send(request, answer, company.server)

    def _send(self, request: Request, answer: RawAnswer, server_name: str) -> Any:
        if answer.reset:
            request.transport.abortConnection()
            return NOT_DONE_YET
        request.setResponseCode(answer.status)
        request.setHeader("Server", server_name)
        for name, value in answer.headers.items():
            request.setHeader(name, value)
        if answer.drip:
            dripping = task.LoopingCall(request.write, answer.body[:1])
            request.notifyFinish().addBoth(lambda _: dripping.stop())
            dripping.start(1.0)
            return NOT_DONE_YET
        if answer.status == 200 and request.setETag(f'"{hash_of(answer.body)}"'.encode()):
            return b""
        if answer.delay_s:
            waiting = task.deferLater(reactor, answer.delay_s, lambda: (request.write(answer.body), request.finish()))
            request.notifyFinish().addErrback(lambda _: waiting.cancel())
            waiting.addErrback(lambda failure: failure.trap(defer.CancelledError))
            return NOT_DONE_YET
        return answer.body


def hash_of(body: bytes) -> str:
    """A short name for a body."""
    return sha256(body).hexdigest()[:16]


class WorldNames(common.ResolverBase):
    """DNS of the world: every company that exists, at this machine."""

    def __init__(self, companies: list[Company], quirks: Mapping[str, dict[str, Any]]) -> None:
        super().__init__()
        self.companies = {c.domain: c for c in companies if quirks.get(c.domain, {}).get("kind") != "nxdomain"}
        self.others = {quirk["to"] for quirk in quirks.values() if quirk["kind"] == "moved"}

    def query(self, query: dns.Query, timeout: Any = None) -> defer.Deferred[Any]:
        """Answers, authority, additional – or NXDOMAIN."""
        name = query.name.name.decode("ascii", "replace").lower()
        company = self.companies.get(name.removeprefix("www."))
        if company is None and name.removeprefix("www.") not in self.others:
            return defer.fail(error.AuthoritativeDomainError(name))
        payloads: list[Any] = []
        if query.type == dns.A:
            payloads = [dns.Record_A(HOST, ttl=300)]
        elif query.type == dns.NS:
            payloads = [dns.Record_NS(f"ns{n}.hosting.example".encode(), ttl=300) for n in (1, 2)]
        elif company is not None and query.type == dns.MX:
            flat = name.replace(".", "-")
            payloads = [dns.Record_MX(place, to.format(flat=flat, domain=name).encode(), ttl=300) for place, to in _MAIL[company.mail]]
        elif company is not None and query.type == dns.TXT:
            payloads = [dns.Record_TXT(_SPF[company.mail].encode(), ttl=300)]
        answers = [dns.RRHeader(query.name.name, query.type, dns.IN, 300, payload, auth=True) for payload in payloads]
        return defer.succeed((answers, [], []))


@implementer(IOpenSSLContextFactory)
class _CertificatePerSite:
    """Chooses the certificate by the name that the client asks for; a site without HTTPS has none, so its handshake fails."""

    def __init__(self, names: list[str]) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._contexts = {name: self._context(name) for name in names}
        self._default = SSL.Context(SSL.TLS_METHOD)
        self._default.set_tlsext_servername_callback(self._choose)

    def getContext(self) -> SSL.Context:  # noqa: N802 (Twisted's name)
        return self._default

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace")
        if name in self._contexts:
            connection.set_context(self._contexts[name])

    def _context(self, name: str) -> SSL.Context:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sample World CA")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) + timedelta(days=90))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate(crypto.X509.from_cryptography(certificate))
        context.use_privatekey(crypto.PKey.from_cryptography_key(self._key))
        return context


def serve(port_file: Path, log: Path | None = None) -> None:
    """Serves until the process is told to end."""
    note = log.open("a", buffering=1, encoding="utf-8").write if log else len
    companies, quirks = load_companies(), load_quirks()
    secure = [name for c in companies if c.has_https for name in (c.domain, f"www.{c.domain}")]
    secure += [quirk["to"] for quirk in quirks.values() if quirk["kind"] == "moved"]
    site = Site(World(companies, quirks, note))
    names = server.DNSServerFactory(clients=[WorldNames(companies, quirks)])
    http = reactor.listenTCP(0, site, interface=HOST)
    https = reactor.listenSSL(0, site, _CertificatePerSite(secure), interface=HOST)
    ports = {"http": http.getHost().port, "https": https.getHost().port, "dns": _listen_dns(names)}
    waiting = port_file.with_suffix(".part")
    waiting.write_text(json.dumps(ports), encoding="utf-8")
    waiting.replace(port_file)  # whoever waits for the file finds it complete
    reactor.run()


def _listen_dns(names: server.DNSServerFactory) -> int:
    """A port on which DNS is answered over UDP and, because long answers are asked for again, over TCP."""
    while True:
        datagrams = reactor.listenUDP(0, dns.DNSDatagramProtocol(names), interface=HOST)
        try:
            reactor.listenTCP(datagrams.getHost().port, names, interface=HOST)
        except CannotListenError:  # the port is free for one of the two only
            datagrams.stopListening()
        else:
            return int(datagrams.getHost().port)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Serves the sites of the sample world on loopback.")
    parser.add_argument("--port-file", type=Path, required=True, help="where the ports are written, as JSON, once they listen")
    parser.add_argument("--log", type=Path, help="gets a line for every request")
    options = parser.parse_args()
    serve(options.port_file, options.log)


if __name__ == "__main__":
    main()
