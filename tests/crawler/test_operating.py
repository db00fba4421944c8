"""What an operator sees of a crawl: how each kind stands, a run record, gauges, and a status that says whether it was well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, text
from tests.crawler.sites import company

N_PAGES = 30


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    if host == "sick.test":
        return text("") if path == "/robots.txt" else Answer(500)
    if path == "/robots.txt":
        return text("User-agent: *\nDisallow: /news/2\n")
    return Answer(404) if path == "/news/3" else company(host, path, headers)


def _served(crawl: Crawl) -> Web:
    web = Web(_answering)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    return web


def _status(crawl: Crawl) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(crawl.run("status", "--json"))
    return found


def test_status_tells_of_every_kind_what_is_due_and_what_its_last_run_met_with(crawl: Crawl) -> None:
    _served(crawl)
    crawl.add_accounts("one.test")
    before = _status(crawl)["crawl"]["kinds"]
    assert (before["domains"]["due"], before["domains"]["next_due"], before["feeds"]["due"]) == (1, "now", 0)
    crawl.run("crawl", "domains")
    assert _status(crawl)["crawl"]["kinds"]["feeds"]["due"] == 3  # the feed, the newsroom, and a sitemap that many sites have
    crawl.run("crawl")
    after = _status(crawl)["crawl"]["kinds"]
    assert (after["domains"]["due"], after["domains"]["next_due"]) == (0, "2026-11-02T02:00:00Z")
    assert after["articles"] == {
        "due": 0,
        "next_due": None,
        "fetched": 2,
        "unchanged": 0,
        "blocked_by_robots": 1,
        "failed": {"http_404": 1},
    }
    crawl.configure(now="2026-11-09T06:00:00Z")
    crawl.run("crawl", "feeds")
    again = _status(crawl)["crawl"]["kinds"]
    assert again["feeds"]["unchanged"] == 2  # one by its tag, one by its bytes
    assert again["articles"]["fetched"] == 2  # its last run is another one


def test_a_crawl_in_which_most_requests_fail_ends_with_status_1_and_keeps_what_came(crawl: Crawl) -> None:
    _served(crawl)
    crawl.add_accounts("sick.test", "one.test")
    crawl.add_frontier("sick.test", *(f"http://sick.test/{n}" for n in range(N_PAGES)))
    crawl.add_frontier("one.test", "http://one.test/news/1")
    process = crawl.start("crawl", "articles")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"articles: {N_PAGES} of {N_PAGES + 1} requests failed (http_500 {N_PAGES})" in said
    assert "Traceback" not in said
    job = _status(crawl)["jobs"]["crawl"]
    assert (job["state"], job["error"]) == ("failed", "UnhealthyCrawlError")
    assert job["figures"]["counts"]["articles"]["new_pages"] == 1
    assert len(crawl.rows("SELECT 1 FROM pages")) == 1


def test_how_much_may_fail_is_the_operators_to_set(crawl: Crawl) -> None:
    _served(crawl)
    crawl.add_accounts("sick.test", "one.test")
    crawl.add_frontier("sick.test", *(f"http://sick.test/{n}" for n in range(N_PAGES)))
    crawl.add_frontier("one.test", "http://one.test/news/1")
    crawl.configure(max_failed_share=1)
    crawl.run("crawl", "articles")


def test_a_crawl_leaves_gauges_that_prometheus_can_read_also_when_it_was_not_well(crawl: Crawl) -> None:
    _served(crawl)
    crawl.add_accounts("sick.test", "one.test")
    crawl.add_frontier("sick.test", *(f"http://sick.test/{n}" for n in range(N_PAGES)))
    crawl.add_frontier("one.test", "http://one.test/news/1")
    crawl.configure(prometheus_file='"crawl.prom"')
    crawl.start("crawl", "articles").communicate(timeout=120)
    families = {family.name: family for family in text_string_to_metric_families((crawl.folder / "crawl.prom").read_text())}
    gauges = {(sample.labels["kind"], sample.labels["what"]): sample.value for sample in families["bellwether_crawl"].samples}
    assert (gauges["articles", "fetched"], gauges["domains", "due"]) == (1, 2)
    (failed,) = families["bellwether_crawl_failed"].samples
    assert (failed.labels, failed.value) == ({"kind": "articles", "reason": "http_500"}, N_PAGES)
