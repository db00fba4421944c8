"""Real servers on loopback for the crawler's tests: web sites over HTTP and HTTPS that keep a log, and the names that lead to them."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class Answer:
    """What a server sends; ``reset`` cuts the connection instead, or in the middle of the body, ``drip_s`` sends it byte by byte.

    ``endless`` sends the body again and again, until whoever asked hangs up.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: HTML)
    body: bytes = b""
    delay_s: float = 0.0
    drip_s: float = 0.0
    reset: bool = False
    endless: bool = False


def page(text: str, **headers: str) -> Answer:
    """An HTML page."""
    return Answer(headers={**HTML, **{name.replace("_", "-"): value for name, value in headers.items()}}, body=text.encode())


def text(body: str) -> Answer:
    """A plain text, as robots.txt is one."""
    return Answer(headers={"Content-Type": "text/plain"}, body=body.encode())


@dataclass(frozen=True)
class Asked:
    """One request in the server's log."""

    host: str
    path: str
    at: float
    until: float
    connection: int
    headers: Mapping[str, str]
    scheme: str


Answering = Callable[[str, str, Mapping[str, str]], Answer]


class Web:
    """Web servers with one log; ``answering`` is given host, path and headers."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.log: list[Asked] = []
        self.open_now: dict[str, set[int]] = {}
        self.most_open: dict[str, int] = {}
        self._servers: list[ThreadingHTTPServer] = []
        self._lock = threading.Lock()
        self._n_connections = 0

    def listen(self, address: str = "127.0.0.1", port: int = 0, certificate: Path | None = None) -> int:
        """Serves on an address in the background; the port."""
        web, scheme = self, "https" if certificate else "http"

        class Handler(_Handler):
            owner, url_scheme = web, scheme

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A connection that the client dropped is no news."""

        server = Server((address, port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._servers.append(server)
        return int(server.server_address[1])

    def close(self) -> None:
        """Ends all servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def paths(self, host: str) -> list[str]:
        """What was asked of a host, in order."""
        return [asked.path for asked in self.log if asked.host == host]

    def opened(self) -> int:
        with self._lock:
            self._n_connections += 1
            return self._n_connections

    def belongs(self, connection: int, host: str) -> None:
        with self._lock:
            now_open = self.open_now.setdefault(host, set())
            now_open.add(connection)
            self.most_open[host] = max(self.most_open.get(host, 0), len(now_open))

    def closed(self, connection: int) -> None:
        with self._lock:
            for connections in self.open_now.values():
                connections.discard(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Web
    url_scheme: str

    def setup(self) -> None:
        super().setup()
        self.connection_number = self.owner.opened()

    def finish(self) -> None:
        self.owner.closed(self.connection_number)
        with contextlib.suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").partition(":")[0].lower()
        self.owner.belongs(self.connection_number, f"{self.url_scheme}://{host}")
        began = time.monotonic()
        answer = self.owner.answering(host, self.path, self.headers)
        time.sleep(answer.delay_s)
        try:
            if not answer.reset or answer.body:
                self._send(answer)
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                self.connection.close()
                self.close_connection = True
        except OSError:
            self.close_connection = True
        finally:
            self.owner.log.append(
                Asked(host, self.path, began, time.monotonic(), self.connection_number, dict(self.headers), self.url_scheme)
            )

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.endless:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.reset:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            return
        while answer.endless:
            self.wfile.write(answer.body)
        if answer.drip_s:
            for i in range(len(answer.body)):
                self.wfile.write(answer.body[i : i + 1])
                time.sleep(answer.drip_s)
        elif answer.status != 304:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """The log is ``Web.log``."""


Records = Callable[[str, str], list[str] | None]


class Names:
    """A DNS server (UDP). ``records`` is given name and type, and answers with texts (``CNAME x`` for an alias), or None: no such name."""

    def __init__(self, records: Records, ttl: int = 60) -> None:
        self.records = records
        self.ttl = ttl
        self.log: list[tuple[str, str]] = []
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, where = self.request
                where.sendto(owner.answer(data), self.client_address)

        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, data: bytes) -> bytes:
        """The answer to a query, both as they travel."""
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.log.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        found = self.records(name, kind)
        if found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        owner = question.name
        for record in found or []:
            if record.startswith("CNAME "):
                target = record.removeprefix("CNAME ")
                response.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", "CNAME", f"{target}."))
                owner = dns.name.from_text(target)
            else:
                response.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", kind, record))
        return response.to_wire()

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()


def write_certificate(path: Path, names: list[str]) -> Path:
    """A PEM file with key and certificate for the names, signed by an authority of its own."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Loopback Test CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime.now(UTC) + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path
