"""What a site reserves is left alone: noindex, noarchive, text and data mining, and the wish not to be visited at all."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from scrapy.http import HtmlResponse

from crawler.reservations import reservation_of
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, page, text


def _response(html: str = "", **headers: str) -> HtmlResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HtmlResponse("https://a.test/news/1", body=html.encode(), headers=named)


@pytest.mark.parametrize(
    ("html", "headers", "kind", "reserved"),
    [
        ("", {}, "article", None),
        ("", {"X_Robots_Tag": "noindex, nofollow"}, "article", "noindex"),
        ("", {"X_Robots_Tag": "none"}, "article", "noindex"),
        ("", {"X_Robots_Tag": "noarchive"}, "article", "noarchive"),
        ("", {"X_Robots_Tag": "googlebot: noindex"}, "article", None),
        ("", {"X_Robots_Tag": "bellwether: noindex"}, "article", "noindex"),
        ("", {"X_Robots_Tag": "unavailable_after: 25 Jun 2030 15:00:00 PST"}, "article", None),
        ("", {"X_Robots_Tag": "noindex"}, "feed", None),
        ("<meta name=robots content='noindex,follow'>", {}, "article", "noindex"),
        ('<META CONTENT="NOARCHIVE" NAME="Robots">', {}, "article", "noarchive"),
        ('<meta name="googlebot" content="noindex">', {}, "article", None),
        ('<meta name="robots" content="max-image-preview:large">', {}, "article", None),
        ("", {"tdm_reservation": "1"}, "article", "tdm_reserved"),
        ("", {"tdm_reservation": "1"}, "feed", "tdm_reserved"),
        ("", {"tdm_reservation": "0"}, "article", None),
        ('<meta name="tdm-reservation" content="1">', {}, "article", "tdm_reserved"),
        ("<meta " + "a=b " * 50_000, {}, "article", None),
        ("<meta x='" * 20_000, {}, "article", None),
    ],
)
def test_reservations_are_read_where_they_may_stand(html: str, headers: dict[str, str], kind: str, reserved: str | None) -> None:
    assert reservation_of(_response(html, **headers), kind) == reserved


def test_a_pages_own_word_counts_more_than_its_sites() -> None:
    site = [("/news/*", True)]
    assert reservation_of(_response(), "article", site) == "tdm_reserved"
    assert reservation_of(_response(tdm_reservation="0"), "article", site) is None


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    if path == "/robots.txt":
        return text("")
    if path == "/.well-known/tdmrep.json" and host == "reserved.test":
        return Answer(headers={"Content-Type": "application/json"}, body=json.dumps([{"location": "/", "tdm-reservation": 1}]).encode())
    if path == "/ai.txt" and host == "reserved.test":
        return text("User-Agent: *\nDisallow: *.html\n")
    if path == "/news/hidden":
        return page("<html><p>hidden</p></html>", X_Robots_Tag="noindex")
    if path in ("/", "/news/", "/news/open"):
        return page("<html><a href='/news/'>News</a> <a href='/news/open'>Open</a> <a href='/news/hidden'>Hidden</a></html>")
    return Answer(404)


@pytest.fixture
def sites(crawl: Crawl) -> tuple[Crawl, Web]:
    web = Web(_answering)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.add_accounts("open.test", "reserved.test", "quiet.test")
    (crawl.folder / "opt-out.txt").write_text("# asked on 3 October\nwww.quiet.test  # by telephone\n")
    crawl.configure(opt_out='"opt-out.txt"')
    crawl.run("crawl")
    return crawl, web


def test_what_is_reserved_is_neither_archived_nor_asked_for_again(sites: tuple[Crawl, Web]) -> None:
    crawl, _ = sites
    kept = {row["url"] for row in crawl.rows("SELECT url FROM pages WHERE kind != 'profile'")}
    assert kept == {"http://open.test/", "http://open.test/news/", "http://open.test/news/open"}
    reasons = crawl.reasons()
    assert reasons["http://open.test/news/hidden"] == "noindex"
    assert reasons["http://reserved.test/"] == "tdm_reserved"
    (policy,) = crawl.rows("SELECT p.* FROM site_policies p JOIN accounts USING (account_id) WHERE domain = 'reserved.test'")
    assert (policy["tdm_rules"], policy["ai_txt"]) == ('[["/", true]]', "User-Agent: *\nDisallow: *.html\n")
    states = {row["url"]: row["state"] for row in crawl.rows("SELECT url, state FROM frontier_urls")}
    assert states["http://open.test/news/hidden"] == "failed"


def test_a_company_that_opted_out_is_not_visited_at_all(sites: tuple[Crawl, Web]) -> None:
    crawl, web = sites
    assert web.paths("quiet.test") == []
    assert not [name for name, _ in crawl.names.log if name.endswith("quiet.test")]


def test_an_opt_out_list_with_a_slip_of_the_pen_stops_the_crawl(crawl: Crawl) -> None:
    crawl.serve(Web(_answering), lambda name, kind: [])
    (crawl.folder / "opt-out.txt").write_text("good.test\nnot a domain\n")
    crawl.configure(opt_out='"opt-out.txt"')
    process = crawl.start("crawl", "domains")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "opt-out.txt:2" in err
