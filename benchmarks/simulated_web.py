"""Sites of as many companies as wanted, for runs at scale: HTTPS, HTTP and DNS on loopback, every page made when it is asked for.

``python -m benchmarks.simulated_web PORT_FILE --posts 5`` writes its ports as JSON and serves until it is told to end. ``aN.test`` is the site of the
N-th company: a home page that links a feed, and a feed of posts. A post is a text of the training examples with paragraphs of quiet ones after it,
about as long as a press release. What was sent and received is told at ``/counted`` over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from html import escape
from pathlib import Path
from urllib.request import urlopen

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.crawl_site import Names, Site, write_ports
from signals.training import Example, load_examples

TODAY = date(2026, 11, 1)
N_POSTS = 5
N_QUIET = 2  # texts without news that follow the one with news: some 470 words together
_NAV = "".join(f'<li><a href="/about/{i}">Topic {i} of this company</a></li>' for i in range(30))
N_FILLED = (
    2600  # lines of style that bring a page to the weight of real ones: 540 of them have 156 KB at the median, 45 KB gzipped on average
)
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
_FILLED = (
    "<style>"
    + "".join(
        f".c{i * 7919 % 99991:05x}{{margin:{i % 37}px {i * 31 % 53}px;color:#{i * 104729 % 16777216:06x};width:{i * 17 % 101}%}}"
        for i in range(N_FILLED)
    )
    + "</style>"
)
_counted = {"n_requests": 0, "n_bytes": 0}


@contextmanager
def served_web(folder: Path, n_posts: int) -> Iterator[dict[str, int]]:
    """The sites while the block runs; the ports of ``http``, ``https`` and ``dns``."""
    port_file = folder / "web-ports.json"
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.simulated_web", str(port_file), "--posts", str(n_posts)])
    try:
        while not port_file.exists():
            if process.poll() is not None:
                raise SystemExit("the simulated web did not start")
            time.sleep(0.05)
        yield json.loads(port_file.read_text(encoding="utf-8"))
    finally:
        process.terminate()
        process.wait()
        port_file.unlink(missing_ok=True)


def read_counted(ports: dict[str, int]) -> dict[str, int]:
    """How many requests came so far, and how many bytes went through the line with them."""
    with urlopen(f"http://127.0.0.1:{ports['http']}/counted") as answer:
        found: dict[str, int] = json.load(answer)
        return found


def domain(n: int) -> str:
    """The domain of the n-th company."""
    return f"a{n}.test"


@cache
def _examples() -> tuple[list[Example], list[Example]]:
    listed = load_examples()
    return listed, [example for example in listed if not example.labels and not example.is_trap]


def post(host: str, number: int) -> str:
    """A company's post of that number, as a page."""
    company = int(host.removeprefix("a").removesuffix(".test") or 0) if host[1:2].isdigit() else 0
    listed, quiet = _examples()
    place = company * 7 + number
    first = listed[place * 31 % len(listed)]
    texts = [first.text, *(quiet[(place * 17 + i * 101) % len(quiet)].text for i in range(N_QUIET))]
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in texts)
    return (
        f"<!doctype html><html lang=en><head><title>{escape(first.title)}</title>{_FILLED}</head><body><nav><ul>{_NAV}</ul></nav>"
        f"<article><h1>{escape(first.title)}</h1>{paragraphs}<p>Story {number} of {host}.</p></article>"
        f"<aside><ul>{_NAV}</ul></aside><footer><p>All rights reserved. Terms of use, privacy, imprint.</p></footer></body></html>"
    )


def _feed(host: str, n_posts: int) -> str:
    days = [datetime.combine(TODAY - timedelta(days=1 + i * 5), datetime.min.time(), UTC) for i in range(n_posts)]
    items = "".join(
        f"<item><title>Story {i}</title><link>https://{host}/news/{i}</link><pubDate>{format_datetime(day)}</pubDate></item>"
        for i, day in enumerate(days)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{host}</title><link>https://{host}/</link>{items}</channel></rss>'


def _home(host: str) -> str:
    return (
        f'<!doctype html><html lang=en><head><title>{host}</title><meta name=generator content="WordPress 6.4">'
        f'<link rel=alternate type="application/rss+xml" href="/feed.xml">{_FILLED}</head><body><nav><ul>{_NAV}</ul></nav>'
        f"<main><h1>{host}</h1><p>We build what our customers need, and tell of it.</p></main></body></html>"
    )


def _answer(head: bytes, n_posts: int) -> bytes:
    lines = head.decode("latin-1").split("\r\n")
    path = lines[0].split(" ")[1]
    host = next((line.partition(":")[2].strip().partition(":")[0] for line in lines if line.lower().startswith("host:")), "")
    kind = "text/html; charset=utf-8"
    if path == "/counted":
        kind, body = "application/json", json.dumps(_counted)
    elif path == "/robots.txt":
        kind, body = "text/plain", "User-agent: *\nDisallow: /private\n"
    elif path == "/feed.xml":
        kind, body = "application/rss+xml", _feed(host, n_posts)
    elif path == "/":
        body = _home(host)
    elif path.startswith("/news/") and path[6:].isdigit():
        body = post(host, int(path[6:]))
    else:
        return _NOT_FOUND
    content = body.encode()
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


class _Site(Site):
    n_posts = N_POSTS

    def answer(self, head: bytes) -> bytes:
        answer = _answer(head, self.n_posts)
        if not head.startswith(b"GET /counted "):
            _counted["n_requests"] += 1
            _counted["n_bytes"] += len(head) + len(answer)
        return answer


def _certificate() -> ssl.SSLContext:
    """A server's context with a fresh key; nobody checks the names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(private + made.public_bytes(serialization.Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context


async def serve(port_file: Path, n_posts: int) -> None:
    """Serves until the process ends."""
    _Site.n_posts = n_posts
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(_Site, "127.0.0.1", 0, backlog=1024)
    secure = await loop.create_server(_Site, "127.0.0.1", 0, backlog=1024, ssl=_certificate())
    names, _ = await loop.create_datagram_endpoint(Names, ("127.0.0.1", 0))
    ports = {
        "http": plain.sockets[0].getsockname()[1],
        "https": secure.sockets[0].getsockname()[1],
        "dns": names.get_extra_info("sockname")[1],
    }
    write_ports(port_file, ports)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Sites of as many companies as wanted.")
    parser.add_argument("port_file", type=Path)
    parser.add_argument("--posts", type=int, default=N_POSTS)
    options = parser.parse_args()
    asyncio.run(serve(options.port_file, options.posts))
