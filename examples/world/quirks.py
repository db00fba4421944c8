"""What is odd, broken or hostile in the world, as the real web is: answers that no tidy site would give."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from examples.world.companies import Company, Post
from examples.world.sites import HTML, TEXT, XML, Answer

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer that is more than a page: status, headers, bytes; ``delay_s`` before it; ``drip`` sends it a byte at a time."""

    status: int = 200
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    drip: bool = False
    reset: bool = False


def site_with_quirk(company: Company, site: dict[str, Answer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    """The site's answers with its quirk built in; a path ``*`` answers whatever has no answer of its own."""
    answers = {path: _plain(answer) for path, answer in site.items()}
    build: Callable[[Company, dict[str, RawAnswer], dict[str, Any]], dict[str, RawAnswer]] = _QUIRKS[quirk["kind"]] if quirk else _none
    return build(company, answers, quirk)


def _plain(answer: Answer) -> RawAnswer:
    return RawAnswer(headers={"Content-Type": answer.content_type}, body=answer.body.encode())


def _page(text: str, content_type: str = HTML) -> RawAnswer:
    return RawAnswer(headers={"Content-Type": content_type}, body=text.encode())


def _none(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return answers


def _moved(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    new_home = f"https://{quirk['to']}/"
    target = _page(
        f"<html><head><title>{company.name} is now at {quirk['to']}</title></head><body><h1>Welcome to our new home</h1></body></html>"
    )
    return {"*": RawAnswer(301, {"Location": new_home}), f"//{quirk['to']}/": target}


def _slow(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {path: replace(answer, delay_s=quirk["delay_s"]) for path, answer in answers.items()}


def _robots_503(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {**answers, "/robots.txt": RawAnswer(503)}


def _robots_disallow(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {**answers, "/robots.txt": _page("User-agent: *\nDisallow: /\n", TEXT)}


def _crawl_delay(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {**answers, "/robots.txt": _page("User-agent: *\nCrawl-delay: 1\nDisallow: /search\n", TEXT)}


def _parked(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    offer = f"<h1>{company.domain}</h1><p>This domain is for sale. Buy this domain today.</p>"
    return {"/": _page(f"<html><head><title>{company.domain}</title></head><body>{offer}</body></html>")}


def _error_500(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {"/robots.txt": RawAnswer(404), "*": RawAnswer(500, {"Content-Type": HTML}, b"<h1>Database error</h1>")}


def _reset(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {"/robots.txt": RawAnswer(404), "*": RawAnswer(reset=True)}


def _gzip_bomb(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    headers = {"Content-Type": HTML, "Content-Encoding": "gzip"}
    return _with_extra(company, answers, RawAnswer(headers=headers, body=bomb))


def _packed(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {
        path: replace(answer, headers={**answer.headers, "Content-Encoding": "gzip"}, body=gzip.compress(answer.body, mtime=0))
        for path, answer in answers.items()
    }


def _entity_feed(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    feed = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "boom">{entities}]><rss version="2.0"><channel><title>&e8;</title></channel></rss>'
    return {**answers, _feed_path(company): _page(feed, XML)}


def _broken_feed(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    path = _feed_path(company)
    whole = answers[path].body
    return {**answers, path: replace(answers[path], body=whole[: len(whole) * 2 // 3].replace(b"</title>", b"", 1))}


def _many_attributes(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    attributes = " ".join(f"a{n}=x" for n in range(50_000))
    return _with_extra(company, answers, _page(f"<html><body><p {attributes}>Archive</p></body></html>"))


def _nested_divs(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return _with_extra(company, answers, _page(f"<html><body>{'<div>' * 30_000}Archive{'</div>' * 30_000}</body></html>"))


def _redirect_inside(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return _with_extra(company, answers, RawAnswer(302, {"Location": quirk["to"]}))


def _calendar(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    section = company.newsroom or company.blog
    links = "".join(f'<a href="/{section}/events?month={n}">{n}</a> <a href="/{section}/{"day/" * n}{n}">{n}</a>' for n in range(1, 40))
    listing = answers[f"/{section}/"]
    endless = _page(f'<html><body><h1>Events</h1>{links}<a rel="next" href="/{section}/page/9{company.dice % 10}">next</a></body></html>')
    return {**answers, f"/{section}/": replace(listing, body=listing.body.replace(b"</h1>", f"</h1>{links}".encode(), 1)), "*": endless}


def _drip(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return _with_extra(company, answers, replace(_page("<html><body>" + "drip " * 10_000), drip=True))


def _wrong_charset(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    return {
        path: replace(answer, body=answer.body.decode().encode("windows-1252", "xmlcharrefreplace")) for path, answer in answers.items()
    }


def _huge_sitemap(company: Company, answers: dict[str, RawAnswer], quirk: dict[str, Any]) -> dict[str, RawAnswer]:
    urls = "".join(f"<url><loc>{company.base_url}/catalogue/part-{n}</loc></url>" for n in range(50_000))
    path = "/sitemap.xml"
    return {**answers, path: replace(answers[path], body=answers[path].body.replace(b"</urlset>", urls.encode() + b"</urlset>"))}


def _with_extra(company: Company, answers: dict[str, RawAnswer], extra: RawAnswer) -> dict[str, RawAnswer]:
    """Adds a page beside the good ones and links it from the listing."""
    section = company.newsroom or company.blog
    path = f"/{section}/complete-archive"
    listing = answers[f"/{section}/"]
    linked = listing.body.replace(b"</h1>", f'</h1><p><a href="{path}">Complete archive</a></p>'.encode(), 1)
    return {**answers, f"/{section}/": replace(listing, body=linked), path: extra}


def _feed_path(company: Company) -> str:
    return "/feed" if company.feed == "rss" else "/atom.xml"


_QUIRKS = {
    "moved": _moved,
    "slow": _slow,
    "robots_503": _robots_503,
    "robots_disallow": _robots_disallow,
    "crawl_delay": _crawl_delay,
    "nxdomain": _none,
    "parked": _parked,
    "error_500": _error_500,
    "reset": _reset,
    "gzip_bomb": _gzip_bomb,
    "packed": _packed,
    "entity_feed": _entity_feed,
    "broken_feed": _broken_feed,
    "many_attributes": _many_attributes,
    "nested_divs": _nested_divs,
    "redirect_inside": _redirect_inside,
    "calendar": _calendar,
    "drip": _drip,
    "wrong_charset": _wrong_charset,
    "huge_sitemap": _huge_sitemap,
}
# Quirks that leave nothing of a site to read, with the ping's state.
UNREADABLE = {
    "moved": "moved",
    "robots_503": "blocked_by_robots",
    "robots_disallow": "blocked_by_robots",
    "nxdomain": "dead",
    "parked": "parked",
    "error_500": "error",
    "reset": "error",
}


def unreadable_posts(company: Company, quirk: dict[str, Any]) -> Iterator[tuple[Post, str]]:
    """Posts that no polite crawler can read, with why."""
    if quirk and quirk["kind"] in UNREADABLE:
        yield from ((post, UNREADABLE[quirk["kind"]]) for post in company.posts)
