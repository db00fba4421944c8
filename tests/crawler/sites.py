"""Sites of invented companies: small honest ones, and one that does at once whatever a crawl has to fear."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tests.crawler.bombs import ATTRIBUTES, BLOW_UP, FEED, XML, gzipped
from tests.crawler.loopback import HTML, Answer, page, text

_NEWS_FEED = b"<rss version='2.0'><channel><item><title>One</title><link>/news/1</link></item></channel></rss>"
_SENTENCE = "The company reports on its work of this quarter and thanks everybody who took part in it. "

HOSTILE = "hostile.test"
N_ENDLESS = 60  # links of every page of its newsroom to more of the same


def company(host: str, path: str, headers: Mapping[str, str], n_articles: int = 4) -> Answer:
    """A home page, a feed that knows whether it changed, and a newsroom with as many articles."""
    if path == "/robots.txt":
        return text("")
    if path == "/":
        return page("<link rel=alternate type='application/rss+xml' href='/feed.xml'><a href='/news/'>News</a>")
    if path == "/feed.xml":
        tag = {"ETag": '"1"', "Content-Type": "application/rss+xml"}
        return Answer(304, tag) if headers.get("If-None-Match") == '"1"' else Answer(headers=tag, body=_NEWS_FEED)
    if path == "/news/":
        return page("".join(f'<a href="/news/{n}">Number {n}</a>' for n in range(n_articles)))
    number = path.removeprefix("/news/")
    if number.isdigit() and int(number) < n_articles:
        return page(f"<html><body><article><h1>{host}: {number}</h1><p>{_SENTENCE * 20}</p></article></body></html>")
    return Answer(404)


@cache
def ways() -> dict[str, Answer]:
    """Ways to answer that cost whoever asks. The tar pit comes last: after two timeouts a site is left alone."""
    return {
        "attributes": Answer(headers=XML, body=FEED % (b"", ATTRIBUTES, b"x")),
        "bomb": Answer(headers={**HTML, "Content-Encoding": "gzip"}, body=gzipped()),
        "cut": Answer(body=_SENTENCE.encode() * 20_000, reset=True),
        "cut-unannounced": Answer(body=_SENTENCE.encode() * 20_000, reset=True, endless=True),
        "endless": Answer(body=_SENTENCE.encode() * 1_000, endless=True),
        "entities": Answer(headers=XML, body=BLOW_UP + FEED % (b"&e9;" * 2000, b"", b"&e9;")),
        "headers": Answer(headers={f"X-{n}": "x" * 30_000 for n in range(1_000)}),
        "long-header": Answer(headers={"X": "x" * 1_000_000}),
        "nested": Answer(headers=XML, body=b"<rss version='2.0'><channel>" + b"<div>" * 30_000),
        "reset": Answer(reset=True),
        "tarpit": Answer(body=b"drip" * 10_000, drip_s=0.2),
    }


def hostile(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    """A site that answers in all of these ways, and redirects in circles, lists without end, and has a robots.txt that never ends at its blog."""
    if path == "/robots.txt":
        return ways()["endless"] if host != HOSTILE else text("".join(f"Sitemap: http://{host}/map-{way}.xml\n" for way in ways()))
    if path == "/":
        feeds = "".join(f'<link rel=alternate type="application/rss+xml" href="/feed-{way}.xml">' for way in (*ways(), "loop-0"))
        careers = '<a href="/tarpit-1">Careers</a><a href="/tarpit-2">Jobs</a>'
        return page(f'<head>{feeds}</head><a href="/news/">News</a><a href="http://blog.{HOSTILE}/">Blog</a>{careers}')
    if path in ("/ai.txt", "/.well-known/tdmrep.json"):
        return ways()["tarpit"]
    if "loop-" in path:
        before, _, number = path.rpartition("-")
        return Answer(301, {"Location": f"{before}-{int(''.join(filter(str.isdigit, number))) + 1}"})
    way = max((way for way in ways() if way in path), key=len, default="")
    return ways()[way] if way else _endless_listing(path)


def _endless_listing(path: str) -> Answer:
    number = int("".join(filter(str.isdigit, path))[-9:] or "0") + 1
    bare = path.partition("?")[0].rstrip("/")
    links = [f"/news/0-{way}-{number}" for way in (*ways(), "loop")]
    links += [f"/news/calendar?month={number}", f"{bare}/a/a", f"/news/page-{number}?PHPSESSID={number:x}", f"/news/{number}/deeper"]
    links += [f"/news/story-{number * factor}" for factor in range(1, N_ENDLESS)]
    anchors = "".join(f'<a href="{link}">News {link}</a>' for link in links)
    return page(f"<html><body>{anchors}<a rel='next' href='/news/?page={number}'>next</a></body></html>")
