"""The crawl cannot be turned against the network it runs in: every trick through every door, and nothing internal is reached.

A trap listens on 127.0.0.2 and ::1 behind the ports that 80 and 443 stand for; beside that, the process writes down every address
that it connects to, so that the addresses where no trap can listen are watched as well.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator, Mapping

import pytest

from crawler.deny import why_denied
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, page, text
from tests.crawler.tricks import INTERNAL, INTERNAL_V6, urls

TRICKS = urls()
ALL_ADDRESSES = (*INTERNAL, *INTERNAL_V6)


def _redirect(target: str) -> Answer:
    safe = "".join(char if 0x20 < ord(char) < 0x7F else "".join(f"%{byte:02X}" for byte in char.encode()) for char in target)
    return Answer(302, {"Location": safe})


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    """The site that an attacker wrote."""
    if path == "/robots.txt":
        number = re.fullmatch(r"robots-(\d+)\.test", host)
        if number:
            return _redirect(TRICKS[int(number[1])])
        return text("\n".join(f"Sitemap: {url}" for url in TRICKS) if host == "site.test" else "")
    kind, _, number_text = path.strip("/").partition("/")
    if kind in ("redirect", "raw-redirect"):
        return _redirect(TRICKS[int(number_text)])
    if kind == "refresh":
        return page(f'<meta http-equiv="refresh" content="0; url={html.escape(TRICKS[int(number_text)])}">')
    if kind == "sitemap.xml":
        entries = "".join(f"<url><loc>{html.escape(url)}</loc></url>" for url in TRICKS)
        return Answer(headers={"Content-Type": "application/xml"}, body=f"<urlset>{entries}</urlset>".encode())
    if kind == "sitemaps.xml":
        entries = "".join(f"<sitemap><loc>{html.escape(url)}</loc></sitemap>" for url in TRICKS)
        return Answer(headers={"Content-Type": "application/xml"}, body=f"<sitemapindex>{entries}</sitemapindex>".encode())
    if kind == "feed":
        items = "".join(f"<item><title>t</title><link>{html.escape(url)}</link></item>" for url in TRICKS)
        return Answer(headers={"Content-Type": "application/rss+xml"}, body=f"<rss version='2.0'><channel>{items}</channel></rss>".encode())
    links = "".join(f'<a href="{html.escape(url)}">News</a><a rel="next" href="{html.escape(url)}">next</a>' for url in TRICKS)
    feeds = "".join(f'<link rel="alternate" type="application/rss+xml" href="{html.escape(url)}">' for url in TRICKS)
    return page(f"<html><head>{feeds}</head><body>{links}</body></html>")


class _Names:
    def __init__(self) -> None:
        self.turns = itertools.count()

    def __call__(self, name: str, kind: str) -> list[str] | None:
        if name.endswith("localhost"):
            return {"A": ["127.0.0.2"], "AAAA": ["::1"]}.get(kind, [])
        plain = re.fullmatch(r"(name|alias|mixed)-(\d+)\.test", name)
        if plain:
            return self._internal(plain[1], ALL_ADDRESSES[int(plain[2])], kind)
        if name == "inside.test":
            return ["127.0.0.2"] if kind == "A" else []
        if name.startswith("rebind-"):  # public at the first look, internal at every second one
            return ([["127.0.0.1"], ["127.0.0.2"]][next(self.turns) % 2]) if kind == "A" else []
        if name.endswith(".test"):
            return ["127.0.0.1"] if kind == "A" else []
        return None

    @staticmethod
    def _internal(how: str, address: str, kind: str) -> list[str]:
        family = "AAAA" if ":" in address else "A"
        if how == "alias":
            return ["CNAME inside.test", "127.0.0.2"] if kind == "A" else []
        if how == "mixed" and kind == "A":
            return [*([address] if family == "A" else []), "10.9.8.7"]
        return [address] if kind == family else []


@pytest.fixture
def attacked(crawl: Crawl) -> Iterator[tuple[Crawl, Web]]:
    site, trap = Web(_answering), Web(lambda host, path, headers: page("secret"))
    crawl.serve(site, _Names())
    for address in ("127.0.0.2", "::1"):
        for port in (80, 443):
            trap.listen(address, crawl.ports[port])
    yield crawl, trap
    trap.close()


def test_the_suite_knows_more_than_a_hundred_tricks() -> None:
    assert len(set(TRICKS)) > 200


def test_no_trick_reaches_an_internal_address_through_any_door(attacked: tuple[Crawl, Web]) -> None:
    crawl, trap = attacked
    crawl.add_accounts("site.test")
    crawl.add_sources("site.test", *TRICKS)
    crawl.add_sources("site.test", "http://site.test/feed", kind="feed")
    crawl.add_sources("site.test", "http://site.test/sitemap.xml", "http://site.test/sitemaps.xml", kind="sitemap")
    numbers = range(len(TRICKS))
    crawl.add_sources("site.test", *(f"http://robots-{n}.test/x" for n in numbers))
    crawl.add_sources("site.test", *(f"http://{how}-{n}.test/" for how in ("name", "alias", "mixed") for n in range(len(ALL_ADDRESSES))))
    crawl.add_sources("site.test", *(f"http://rebind-{n}.test/" for n in range(20)))
    crawl.add_frontier("site.test", *(f"http://site.test/{how}/{n}" for how in ("redirect", "refresh") for n in numbers))
    crawl.configure(max_articles_per_account=2000)
    crawl.run("crawl", http_proxy="http://127.0.0.2:80", https_proxy="http://127.0.0.2:80", ALL_PROXY="http://127.0.0.2:80")
    assert [asked.path for asked in trap.log] == []
    assert crawl.connected() <= {"127.0.0.1"}
    assert len(crawl.rows("SELECT 1 FROM failures WHERE reason IN ('address_denied', 'url_refused', 'dns')")) > 400
    assert not crawl.rows("SELECT 1 FROM pages WHERE url LIKE '%secret%' AND url NOT LIKE '%site.test%'")


@pytest.mark.parametrize("address", ALL_ADDRESSES)
def test_an_internal_address_is_denied_in_every_ipv6_disguise(address: str) -> None:
    assert why_denied(address)
    if "." in address:
        high, low = (int(part) for part in (0, 0))
        a, b, c, d = (int(part) for part in address.split("."))
        high, low = (a << 8) | b, (c << 8) | d
        for disguise in (f"::ffff:{address}", f"::ffff:0:{address}", f"::{address}", f"64:ff9b::{address}", f"2002:{high:x}:{low:x}::"):
            assert why_denied(disguise), disguise


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"])
def test_public_addresses_pass(address: str) -> None:
    assert why_denied(address) is None
