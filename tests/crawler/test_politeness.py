"""What a webmaster sees of us in the server's log."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, page, text

DELAY_S = 0.1
EARLY_S = 0.06
ROBOTS = text("User-agent: *\nDisallow: /private\n")


def _any_name(name: str, kind: str) -> list[str]:
    return ["127.0.0.1"] if kind == "A" else []


def test_one_connection_per_host_with_the_promised_pause_and_nothing_that_is_disallowed(crawl: Crawl) -> None:
    web = Web(lambda host, path, headers: ROBOTS if path == "/robots.txt" else page(path))
    crawl.serve(web, _any_name, https=True)
    hosts = [f"h{n}.test" for n in range(8)]
    crawl.add_accounts(*hosts)
    for host in hosts:
        schemes = ("http", "https")
        crawl.add_frontier(host, *(f"{scheme}://{host}/{area}/{n}" for scheme in schemes for area in ("news", "private") for n in range(6)))
    crawl.configure(delay_s=DELAY_S)
    crawl.run("crawl", "articles")
    assert len(web.log) == len(hosts) * (2 + 12)
    assert not [asked for asked in web.log if asked.path.startswith("/private")]
    assert set(web.most_open.values()) == {1}
    for host in hosts:
        asked = sorted((asked for asked in web.log if asked.host == host), key=lambda asked: asked.at)
        for before, after in itertools.pairwise(asked):
            assert after.at >= before.until - 0.005, "two requests at once"
        # A loaded machine may bring single arrivals together, but not the first and the last.
        assert asked[-1].at - asked[0].at >= (len(asked) - 2) * DELAY_S
    agents = {asked.headers["User-Agent"] for asked in web.log}
    assert len(agents) == 1
    assert agents.pop().startswith("Bellwether/")


def test_one_connection_per_host_even_where_no_pause_is_asked_for(crawl: Crawl) -> None:
    web = Web(lambda host, path, headers: replace(page(path), delay_s=0.02))
    crawl.serve(web, _any_name)
    crawl.add_accounts("fast.test")
    crawl.add_frontier("fast.test", *(f"http://fast.test/{n}" for n in range(20)))
    crawl.run("crawl", "articles")
    assert len(web.log) == 21
    assert web.most_open == {"http://fast.test": 1}


def test_a_crawl_delay_is_kept(crawl: Crawl) -> None:
    web = Web(lambda host, path, headers: text("User-agent: *\nCrawl-delay: 0.4") if path == "/robots.txt" else page(path))
    crawl.serve(web, _any_name)
    crawl.add_accounts("slow.test")
    crawl.add_frontier("slow.test", *(f"http://slow.test/{n}" for n in range(4)))
    crawl.run("crawl", "articles")
    moments = sorted(asked.at for asked in web.log if asked.path != "/robots.txt")
    assert len(moments) == 4
    assert moments[-1] - moments[0] >= 2 * 0.4


def test_a_busy_site_is_left_alone_as_long_as_it_asks_and_then_asked_again(crawl: Crawl) -> None:
    answers = iter([Answer(429, {"Retry-After": "1"}), Answer(503, {"Retry-After": "1"})])

    def answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
        return Answer(404) if path == "/robots.txt" else next(answers, page("there you are"))

    web = Web(answering)
    crawl.serve(web, _any_name)
    crawl.add_accounts("busy.test")
    crawl.add_frontier("busy.test", "http://busy.test/a", "http://busy.test/b")
    crawl.run("crawl", "articles")
    moments = [asked.at for asked in web.log if asked.path != "/robots.txt"]
    assert len(moments) == 4
    assert moments[1] - moments[0] >= 1 - EARLY_S
    assert moments[2] - moments[1] >= 1 - EARLY_S
    assert [row["state"] for row in crawl.rows("SELECT state FROM frontier_urls")] == ["done", "done"]


def test_a_site_that_wants_an_hour_gets_it_and_its_pages_stay_due(crawl: Crawl) -> None:
    web = Web(lambda host, path, headers: Answer(404) if path == "/robots.txt" else Answer(429, {"Retry-After": "3600"}))
    crawl.serve(web, _any_name)
    crawl.add_accounts("busy.test")
    crawl.add_frontier("busy.test", *(f"http://busy.test/{n}" for n in range(9)))
    crawl.run("crawl", "articles")
    assert len([asked for asked in web.log if asked.path != "/robots.txt"]) == 1
    assert [row["state"] for row in crawl.rows("SELECT state FROM frontier_urls")] == ["due"] * 9
    assert set(crawl.reasons().values()) == {"http_429", "site_rests"}


def test_no_crawl_leaves_this_machine_without_a_contact(crawl: Crawl) -> None:
    crawl.folder.joinpath("bellwether.toml").write_text("[crawl]\ndelay_s = 1\n")
    process = crawl.start("crawl", "domains")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "crawl.contact is empty" in err
    assert not crawl.connect_log.exists() or not crawl.connected()
