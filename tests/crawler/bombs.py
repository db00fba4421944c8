"""Bodies that cost whoever reads them far more than whoever sends them; each with the doors through which it comes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import brotli

from tests.crawler.loopback import HTML, Answer

XML = {"Content-Type": "application/xml"}
DOORS = ("home", "listing", "feed", "sitemap", "article")
ZEROS = bytes(1 << 20)
N_MIB = 200


def gzipped() -> bytes:
    """Zeros, packed to a thousandth of what they are."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(ZEROS) for _ in range(N_MIB)) + packer.flush()


def _brotli() -> bytes:
    packer = brotli.Compressor(quality=5)
    return b"".join(packer.process(ZEROS) for _ in range(N_MIB)) + packer.finish()


ATTRIBUTES = b" ".join(b"a%d='x'" % n for n in range(50_000))
BLOW_UP = (
    b"<!DOCTYPE rss [<!ENTITY e0 'boom'>" + b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10)) + b"]>"
)
LONG_ENTITY = b"<!DOCTYPE rss [<!ENTITY e9 '" + b"A" * 50_000 + b"'>]>"
FEED = b"<rss version='2.0'><channel><title>%s</title><item %s><title>%s</title><link>/news/x</link></item></channel></rss>"
SITEMAP = b"<urlset><url %s><loc>/news/%s</loc></url></urlset>"
DEEP_JSON_LD = b"<html><head><script type='application/ld+json'>" + b'{"a":[' * 100_000 + b"</script></head><body></body></html>"


def bombs() -> Iterator[tuple[str, str, Answer]]:
    """``(name, door, answer)``."""
    for name, body in (("gzip", gzipped()), ("br", _brotli())):
        for door in DOORS:
            yield name, door, Answer(headers={**HTML, "Content-Encoding": name}, body=body)
    for door in ("home", "listing", "article"):
        yield "attributes", door, Answer(body=b"<html><body><p " + ATTRIBUTES + b">x</p></body></html>")
    yield "attributes", "feed", Answer(headers=XML, body=FEED % (b"", ATTRIBUTES, b"x"))
    yield "attributes", "sitemap", Answer(headers=XML, body=SITEMAP % (ATTRIBUTES, b"x"))
    yield "nested", "article", Answer(body=b"<html><body>" + b"<div>" * 30_000 + b"</div>" * 30_000 + b"</body></html>")
    yield "nested", "feed", Answer(headers=XML, body=b"<rss version='2.0'><channel>" + b"<div>" * 30_000)
    for name, entities in (("entities", BLOW_UP), ("long-entity", LONG_ENTITY)):
        yield name, "feed", Answer(headers=XML, body=entities + FEED % (b"&e9;" * 2000, b"", b"&e9;"))
        yield name, "sitemap", Answer(headers=XML, body=entities + SITEMAP % (b"", b"&e9;" * 2000))
    yield "json-ld", "article", Answer(body=DEEP_JSON_LD)
    yield "json", "feed", Answer(headers={"Content-Type": "application/feed+json"}, body=b'{"items":' + b"[" * 500_000)
    yield "packed", "sitemap", Answer(headers={"Content-Type": "application/gzip"}, body=gzipped())
    yield "packed-twice", "sitemap", Answer(headers={**XML, "Content-Encoding": "gzip"}, body=gzip.compress(gzipped()))
    yield "doctypes", "sitemap", Answer(headers=XML, body=b"<!DOCTYPE " * 800_000)
    yield "items", "feed", Answer(headers=XML, body=b"<rss version='2.0'><channel>" + b"<item/>" * 1_000_000)
