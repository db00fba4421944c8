"""The loopback site of the crawl benchmark: many hosts, pages of 50 KB, as fast as a process can send them; HTTP and DNS.

``python -m benchmarks.crawl_site PORT_FILE`` writes its ports as JSON and serves until it is told to end. Any name leads to 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

PAGE_BYTES = 50_000
_SENTENCE = "The company reports on its work of this quarter and thanks everybody who took part in it. "
_BODY = f"<html><head><title>Page</title></head><body><p>{_SENTENCE * (PAGE_BYTES // len(_SENTENCE))}</p></body></html>"
_ROBOTS = "User-agent: *\nDisallow: /private\n"


def _answer(head: bytes) -> bytes:
    path = head.split(b" ", 2)[1]
    if path == b"/robots.txt":
        kind, body = b"text/plain", _ROBOTS.encode()
    else:
        kind, body = b"text/html; charset=utf-8", _BODY.replace("Page", path.decode("latin-1"), 1).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)


class Site(asyncio.Protocol):
    """HTTP with as little work as can be: every request is answered when its head is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            head, self.waiting = self.waiting.split(b"\r\n\r\n", 1)
            self.transport.write(self.answer(head))  # type: ignore[attr-defined]

    def answer(self, head: bytes) -> bytes:
        """The answer to a request, as it travels."""
        return _answer(head)


class Names(asyncio.DatagramProtocol):
    """Every name leads to 127.0.0.1."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        question = query.question[0]
        if question.rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(question.name, 3600, "IN", "A", "127.0.0.1"))
        self.transport.sendto(response.to_wire(), address)  # type: ignore[attr-defined]


async def serve(port_file: Path) -> None:
    """Serves until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Site, "0.0.0.0", 0, backlog=1024)  # noqa: S104 - 127.0.1.n stand for as many hosts
    names, _ = await loop.create_datagram_endpoint(Names, ("127.0.0.1", 0))
    ports = {"http": server.sockets[0].getsockname()[1], "dns": names.get_extra_info("sockname")[1]}
    write_ports(port_file, ports)
    await asyncio.Event().wait()


def write_ports(port_file: Path, ports: dict[str, int]) -> None:
    """Whole or not at all: whoever waits for the file reads it as soon as it is there."""
    part = port_file.with_suffix(".part")
    part.write_text(json.dumps(ports), encoding="utf-8")
    part.replace(port_file)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
