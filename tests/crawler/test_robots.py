"""robots.txt obeyed to the letter, whatever comes in its place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from crawler.robots import GOOD_FOR_S, RobotsCache, RobotsRules
from crawler.robots_txt import parse_robots
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import HTML, Answer, Web, page, text

# Google's tests hand over URLs that no client sends as they are. The RFC wants both sides in one spelling before they are compared
# (section 2.2.2), so an escaped letter or a raw one makes no difference here, and these three are allowed.
ARGUED = [
    ("User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/ツ\n", "http://foo.bar/foo/bar/ツ"),
    ("User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/%E3%83%84\n", "http://foo.bar/foo/bar/ツ"),
    ("User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/%62%61%7A\n", "http://foo.bar/foo/bar/baz"),
]


@pytest.mark.real
def test_googles_conformance_cases_agree_but_for_the_three_that_are_argued(real_data: Path) -> None:
    cases = [json.loads(line) for line in (real_data / "robots" / "google_robotstxt.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(cases) == 142
    differing = [
        (case["robots"], case["url"])
        for case in cases
        if parse_robots(case["robots"].encode("utf-8", "surrogateescape")).allows(case["url"], case["agent"]) != case["allowed"]
    ]
    assert differing == ARGUED


@pytest.mark.parametrize(
    ("robots", "path", "allowed"),
    [
        ("", "/", True),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: *\nDisallow: /", "/", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Bellwether\nAllow: /", "/x", True),
        ("User-agent: bellwether/2.0\nDisallow: /x", "/x", False),
        ("User-agent: Bellwether-Images\nDisallow: /", "/x", True),
        ("User-agent: a\nUnknown: line\nUser-agent: Bellwether\nDisallow: /x", "/x", False),
        ("User-agent: Bellwether\nDisallow: /a\nUser-agent: b\nDisallow: /b\nUser-agent: Bellwether\nDisallow: /c", "/c", False),
        ("User-agent: *\nDisallow: /*?print=", "/a?print=1", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a.pdf?x", True),
        ("User-agent: *\nDisallow: /a%2Fb", "/a/b", True),
        ("User-agent: *\nDisallow: /%7euser", "/~user/x", False),
        ("User-agent: *\nDisallow: /x\nAllow: /x", "/x", True),
        ("User-agent: *\r\rDisallow: /x", "/x", False),
        ("Disallow: /x\nUser-agent: *\nAllow: /", "/x", True),
        ("User-agent: * # all\nDisallow: /x # here", "/x", False),
    ],
)
def test_rules_are_read_as_the_rfc_says(robots: str, path: str, allowed: bool) -> None:
    assert parse_robots(robots.encode()).allows(f"https://a.test{path}", "Bellwether") is allowed


@pytest.mark.parametrize(
    "body", [b"\xff" * 1000, bytes(range(256)) * 100, b"User-agent: *\n" * 50_000, b"a" * 600_000, b"*" * 5_000 + b"\n:"]
)
def test_no_body_breaks_the_parser(body: bytes) -> None:
    assert parse_robots(body).allows("https://a.test/", "Bellwether")


def test_many_stars_cost_no_time() -> None:
    robots = parse_robots(b"User-agent: *\nDisallow: /" + b"*a" * 5_000 + b"$")
    assert robots.allows("https://a.test/" + "a" * 4_000 + "b", "Bellwether")


DISALLOW = "User-agent: *\nDisallow: /\n"
FILLER = "# " + "x" * 97 + "\n"
# host → what /robots.txt answers there, and whether the site may then be read
TABLE: dict[str, tuple[Answer, bool]] = {
    "s200-allow": (text("User-agent: *\nDisallow: /other\n"), True),
    "s200-disallow": (text(DISALLOW), False),
    "s204": (Answer(204), True),
    "s400": (Answer(400), True),
    "s401": (Answer(401), True),
    "s403": (Answer(403), True),
    "s404": (Answer(404), True),
    "s410": (Answer(410), True),
    "s429": (Answer(429, {"Retry-After": "1"}), False),
    "s500": (Answer(500), False),
    "s502": (Answer(502), False),
    "s503": (Answer(503, {"Retry-After": "1"}), False),
    "s504": (Answer(504), False),
    "redirect-1": (Answer(301, {"Location": "/hop/1"}), False),
    "redirect-5": (Answer(302, {"Location": "/hop/5"}), False),
    "redirect-loop": (Answer(302, {"Location": "/robots.txt"}), False),
    "redirect-6": (Answer(302, {"Location": "/allowing-hop/7"}), False),
    "redirect-nowhere": (Answer(302, {"Location": "http://nowhere.invalid/robots.txt"}), False),
    "redirect-inside": (Answer(302, {"Location": "http://10.0.0.1/robots.txt"}), False),
    "redirect-file": (Answer(302, {"Location": "file:///etc/passwd"}), False),
    "redirect-without-target": (Answer(301, {}), False),
    "timeout": (Answer(delay_s=4), False),
    "drip": (Answer(headers={"Content-Type": "text/plain"}, body=b"User-agent: *\nAllow: /\n" * 9, drip_s=0.3), False),
    "reset": (Answer(reset=True), False),
    "utf-16": (Answer(headers={"Content-Type": "text/plain"}, body=DISALLOW.encode("utf-16")), False),
    "utf-8-bom": (Answer(headers={"Content-Type": "text/plain"}, body=b"\xef\xbb\xbf" + DISALLOW.encode()), False),
    "html": (page("<html><body><h1>Welcome</h1>Disallow nothing</body></html>"), True),
    "html-soft-404": (Answer(404, HTML, b"<h1>gone</h1>"), True),
    "rule-within-512-kib": (text(FILLER * 5_000 + DISALLOW), False),
    "rule-after-512-kib": (text("User-agent: *\nDisallow: /other\n" + FILLER * 6_000 + DISALLOW), True),
    "too-large": (text(DISALLOW + FILLER * 90_000), False),
    "broken-gzip": (Answer(headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8b not gzip at all"), False),
    "crawl-delay-too-long": (text("User-agent: *\nCrawl-delay: 600\n"), False),
}


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    hop = path.rpartition("/")
    if path.startswith(("/hop/", "/allowing-hop/")):
        if hop[2] == "1":
            return text(DISALLOW if path.startswith("/hop/") else "")
        return Answer(302, {"Location": f"{hop[0]}/{int(hop[2]) - 1}"})
    return TABLE[host.removesuffix(".test")][0] if path == "/robots.txt" else page("<p>hello</p>")


def test_every_answer_for_robots_txt_means_what_the_rfc_says(crawl: Crawl) -> None:
    web = Web(_answering)
    crawl.serve(web, lambda name, kind: (["127.0.0.1"] if kind == "A" else []) if name.endswith(".test") else None)
    crawl.configure(timeout_s=2)
    for name in TABLE:
        crawl.add_accounts(f"{name}.test")
        crawl.add_sources(f"{name}.test", f"http://{name}.test/news")
    crawl.run("crawl", "feeds")
    assert {name: "/news" in web.paths(f"{name}.test") for name in TABLE} == {name: allowed for name, (_, allowed) in TABLE.items()}
    # The server notes a request when it is done with it, which may be after a crawl that did not wait for its slow answer.
    assert all(web.paths(f"{name}.test")[:1] in (["/robots.txt"], []) for name in TABLE)
    reasons = crawl.reasons()
    assert {reasons.get(f"http://{name}.test/news") for name in ("s503", "s200-disallow", "utf-16")} == {"robots"}
    assert reasons["http://timeout.test/news"] == "timeout"
    assert reasons["http://reset.test/news"] == "connection_lost"


def test_a_robots_txt_is_good_for_a_day_and_no_longer() -> None:
    now, fetched = [0.0], []

    async def fetch(url: str) -> RobotsRules:
        fetched.append(url)
        return RobotsRules()

    async def ask(*moments: float) -> None:
        cache = RobotsCache(fetch, clock=lambda: now[0])
        for moment in moments:
            now[0] = moment
            await asyncio.gather(*(cache.rules_for(f"https://a.test/{n}") for n in range(5)))

    asyncio.run(ask(0, GOOD_FOR_S - 1))
    assert fetched == ["https://a.test/robots.txt"]
    fetched.clear()
    asyncio.run(ask(0, GOOD_FOR_S))
    assert len(fetched) == 2


def test_http_is_asked_when_nothing_answers_at_https_and_a_dead_host_is_no_refusal(crawl: Crawl) -> None:
    web = Web(
        lambda host, path, headers: Answer(404) if path == "/robots.txt" else Answer(reset=True) if host == "cut.test" else page("hi")
    )
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.add_accounts("plain.test", "cut.test")
    crawl.run("crawl", "domains")
    states = {row["domain"]: (row["state"], row["error"]) for row in crawl.rows("SELECT domain, state, error FROM domain_pings")}
    assert states["plain.test"] == ("live", None)
    assert states["cut.test"][0] == "error"
    assert str(states["cut.test"][1]).startswith("connection_lost")


def test_the_terminal_stays_quiet_about_what_is_recorded(crawl: Crawl) -> None:
    web = Web(lambda host, path, headers: Answer(404) if path == "/robots.txt" else Answer(500))
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.add_accounts("broken.test")
    assert "ERROR" not in crawl.run("crawl", "domains")
    assert crawl.reasons() == {"http://broken.test/": "http_500"}
