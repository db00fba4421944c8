"""A site that traps crawlers costs little and holds nobody up; what an operator says of sources stands."""

from __future__ import annotations

import re
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from crawler.opml import parse_opml
from sandbox import Sandbox, TaskFailure
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import HTML, Answer, Web, page, text
from tests.crawler.sites import company

FEED = b"<rss version='2.0'><channel><item><title>One</title><link>http://one.test/news/one</link></item></channel></rss>"


def _any_name(name: str, kind: str) -> list[str]:
    return ["127.0.0.1"] if kind == "A" else []


def _trap(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    if path == "/robots.txt":
        return text("")
    if host != "trap.test":
        return page(f"<html><a href='/news/'>News</a>{''.join(f'<a href=/news/{n}>{n}</a>' for n in range(5))}</html>")
    number = int((re.findall(r"\d+", path) or ["0"])[-1]) + 1
    links = [
        f"/news/calendar?month={number}",
        f"{path.partition('?')[0].rstrip('/')}/a/a",
        f"/news/page-{number}?PHPSESSID={number:x}",
        f"/news/{number}/deeper",
        f"/news/story-{number}",
        f"/news/story-{number * 7919}",
    ]
    anchors = "".join(f'<a href="{link}">News {link}</a>' for link in links)
    return page(f"<html><body>{anchors}<a rel='next' href='/news/?page={number}'>next</a></body></html>")


def test_an_endless_site_is_left_after_its_share_of_requests_and_holds_nobody_up(crawl: Crawl) -> None:
    web = Web(_trap)
    crawl.serve(web, _any_name)
    others = [f"good{n}.test" for n in range(5)]
    crawl.add_accounts("trap.test", *others)
    crawl.run("crawl")
    assert len(web.paths("trap.test")) <= 200
    assert not [path for path in web.paths("trap.test") if "month=" in path or "PHPSESSID" in path or "/a/a/a" in path]
    for host in others:
        assert len([path for path in web.paths(host) if re.fullmatch(r"/news/\d", path)]) == 5


def test_the_share_of_a_site_is_the_operators_to_set(crawl: Crawl) -> None:
    web = Web(lambda host, path, headers: page(path))
    crawl.serve(web, _any_name)
    crawl.add_accounts("big.test")
    crawl.add_frontier("big.test", *(f"http://big.test/{n}" for n in range(30)))
    crawl.configure(max_requests_per_site=10)
    crawl.run("crawl", "articles")
    assert len([path for path in web.paths("big.test") if path != "/robots.txt"]) == 10
    assert {row["state"]: row["n"] for row in crawl.rows("SELECT state, count(*) AS n FROM frontier_urls GROUP BY 1")} == {
        "done": 10,
        "due": 20,
    }


def test_a_dripping_site_costs_two_timeouts(crawl: Crawl) -> None:
    drip = Answer(headers=HTML, body=b"drip" * 1000, drip_s=0.2)
    web = Web(lambda host, path, headers: text("") if path == "/robots.txt" else drip)
    crawl.serve(web, _any_name)
    crawl.add_accounts("drip.test")
    crawl.add_frontier("drip.test", *(f"http://drip.test/{n}" for n in range(12)))
    crawl.configure(timeout_s=0.5)
    crawl.run("crawl", "articles")
    assert len(web.paths("drip.test")) <= 1 + 3
    assert sorted(set(crawl.reasons().values())) == ["site_rests", "timeout"]


HOSTILE = {
    "entities": b"<!DOCTYPE r [<!ENTITY a 'x'>"
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(2, 12))
    + b"]><r>&a11;</r>",
    "attributes": b"<html><body><p " + b" ".join(b"a%d=x" % n for n in range(100_000)) + b">x</p></body></html>",
    "nested": b"<div>" * 100_000,
    "brackets": b"[" * 1_000_000,
    "quotes": b"<a href='" * 200_000,
    "nulls": b"\x00" * 1_000_000,
}


@pytest.mark.parametrize(
    "task", ["discovery:discover_sources", "discovery:discover_links", "discovery:parse_feed", "discovery:parse_sitemap", "opml:parse_opml"]
)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bomb_ends_as_an_empty_result_or_a_failure(task: str, kind: str) -> None:
    options: dict[str, str] = {} if task.startswith("opml") else {"url": "https://a.test/"}
    options |= {"kind": "news"} if task.endswith("links") else {"since": "2026-01-01"} if task.endswith("sitemap") else {}
    with Sandbox(1, memory_mb=300, timeout_s=5) as sandbox:
        result = sandbox.run(f"crawler.{task}", HOSTILE[kind], **options)
    assert isinstance(result, TaskFailure) or len(str(result)) < 10_000


@pytest.mark.real
def test_every_recorded_feed_is_parsed_without_a_crash(real_data: Path) -> None:
    n_read = n_failed = 0
    with Sandbox(1, memory_mb=768, timeout_s=10) as sandbox:
        for archive in sorted((real_data / "feeds").glob("*.tar.xz")):
            with tarfile.open(archive) as tar:
                for member in tar:
                    file = tar.extractfile(member)
                    if file is None or not member.name.endswith((".xml", ".rss", ".atom", ".rdf", ".json", ".feed")):
                        continue
                    result = sandbox.run("crawler.posts:read_posts", file.read(), url="https://a.test/feed", reader="post_feed")
                    n_read += 1
                    n_failed += isinstance(result, TaskFailure)
                    assert not isinstance(result, TaskFailure) or result.reason == "error", f"{archive.name} {member.name}: {result}"
    assert n_read > 1000
    assert n_failed < 0.2 * n_read


@pytest.mark.real
def test_every_opml_list_is_read(real_data: Path) -> None:
    files = sorted((real_data / "feeds" / "opml").glob("*.opml"))
    assert files
    for file in files:
        assert len(parse_opml(file.read_bytes())) > 3, file.name


def test_an_operators_sources_are_visited_and_forbidden_ones_never(crawl: Crawl) -> None:
    feeds = '<link rel="alternate" type="application/rss+xml" href="/found.xml">'
    web = Web(
        lambda host, path, headers: (
            page(f"<html><head>{feeds}</head></html>") if path == "/" else Answer(body=FEED) if ".xml" in path else Answer(404)
        )
    )
    crawl.serve(web, _any_name)
    crawl.add_accounts("one.test")
    crawl.run("sources", "forbid", "one.test", "http://one.test/found.xml")
    (crawl.folder / "list.opml").write_text(
        '<opml><body><outline text="x"><outline xmlUrl="http://one.test/hidden.xml"/><outline xmlUrl="https://strange.test/x"/></outline></body></opml>'
    )
    assert "https://strange.test/x" in crawl.run("sources", "import", "list.opml")
    crawl.run("crawl")
    assert "/hidden.xml" in web.paths("one.test")
    assert "/found.xml" not in web.paths("one.test")
    exported = crawl.run("sources", "export")
    assert [outline["feed"] for outline in parse_opml(exported.encode())] == ["http://one.test/hidden.xml"]
    assert crawl.run("sources", "import", "list.opml").count("n_added: 0") == 1


@pytest.mark.parametrize("door", ["/robots.txt", "/", "/ai.txt", "/feed.xml"])
def test_a_site_that_keeps_us_waiting_holds_up_nobody_and_has_its_turn_at_last(crawl: Crawl, door: str) -> None:
    """It answers there only when the articles of all the others were sent."""
    others = [f"good{n}.test" for n in range(24)]
    are_served, asked = threading.Event(), set()

    def answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
        if host == "late.test" and path == door:
            are_served.wait(300)
        elif host != "late.test" and path.startswith("/news/"):
            asked.add((host, path))
            if len(asked) == 5 * len(others):  # the newsroom and four articles each
                are_served.set()
        return company(host, path, headers)

    crawl.serve(Web(answering), _any_name)
    crawl.configure(timeout_s=250)
    crawl.add_accounts("late.test", *others)
    said = crawl.run("crawl", timeout_s=550)
    assert are_served.is_set()
    assert "put_off: 1" in said
    assert crawl.reasons() == {}
    counts = {row["domain"]: row["n"] for row in crawl.rows("SELECT domain, count(*) AS n FROM pages GROUP BY 1")}
    assert counts == dict.fromkeys(("late.test", *others), 8)
