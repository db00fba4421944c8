"""Many sites at once, and what their server's log says of us. BELLWETHER_REQUESTS sets how many requests (``make drill``: 10,000)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping

import pytest

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Asked, Web, page, text

N_REQUESTS = int(os.environ.get("BELLWETHER_REQUESTS", "1500"))
N_ALLOWED = 25  # of every site
N_SITES = max(12, N_REQUESTS // 23 + 1)  # every sixth site is not read at all
DELAY_S, CRAWL_DELAY_S = 0.25, 0.5
CLOCK_S = 0.005
# Site number modulo six → its robots.txt; each forbids the second list of paths and allows the first.
ROBOTS = {
    0: "User-agent: *\nDisallow: /private/\nDisallow: /*.pdf$\n",
    1: f"User-agent: *\nDisallow: /private/\nDisallow: /*.pdf$\nCrawl-delay: {CRAWL_DELAY_S}\n",
    2: "User-agent: *\nDisallow: /\n\nUser-agent: bellwether\nDisallow: /private\nDisallow: /*.pdf\n",
    3: "User-agent: *\nDisallow: /\nAllow: /news/\nDisallow: /news/*.pdf\n",
    4: "User-agent: somebody\nUser-agent: *\nDisallow: /private # not yours\ndisallow: *.pdf$\n",
}
UNREADABLE = 5  # its robots.txt answers 503, so nothing of it may be fetched
ALLOWED = [f"/news/{n}" for n in range(N_ALLOWED)]
FORBIDDEN = ["/private/1", "/private/", "/news/report.pdf", "/private/2?x=/news/"]


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    number = int(host.removeprefix("s").partition(".")[0])
    if path == "/robots.txt":
        return Answer(503) if number % 6 == UNREADABLE else text(ROBOTS[number % 6])
    n = int(path.rpartition("/")[2]) if path.startswith("/news/") else 0
    if n % 10 == 7:
        return Answer(301, {"Location": f"/news/{n - 1}"})
    return Answer(404) if n % 10 == 4 else page(f"<p>{host}{path}</p>" * 200)


@pytest.mark.timeout(1_800)
def test_the_log_shows_one_connection_per_site_the_promised_gaps_and_nothing_disallowed(crawl: Crawl) -> None:
    web = Web(_answering)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    sites = [f"s{n}.test" for n in range(N_SITES)]
    crawl.add_accounts(*sites)
    for site in sites:
        crawl.add_frontier(site, *(f"http://{site}{path}" for path in (*ALLOWED, *FORBIDDEN)))
    crawl.configure(delay_s=DELAY_S)
    crawl.run("crawl", "articles", timeout_s=1_500)
    readable = [site for number, site in enumerate(sites) if number % 6 != UNREADABLE]
    assert len(web.log) >= max(N_REQUESTS, len(readable) * (1 + N_ALLOWED))
    assert not [asked for asked in web.log if asked.path not in (*ALLOWED, "/robots.txt")]
    assert set(web.most_open.values()) == {1}
    by_site: dict[str, list[Asked]] = {}
    for asked in sorted(web.log, key=lambda asked: asked.at):
        by_site.setdefault(asked.host, []).append(asked)
    for number, site in enumerate(sites):
        asked_of = by_site[site]
        assert (len(asked_of) == 1) == (number % 6 == UNREADABLE)
        _is_polite(asked_of, CRAWL_DELAY_S if number % 6 == 1 else DELAY_S)


def _is_polite(log: list[Asked], promised_s: float) -> None:
    """One request at a time, each at least the promised pause after the one before."""
    for before, after in itertools.pairwise(log):
        assert after.at >= before.until - CLOCK_S, f"{after.host}: two requests at once"
        assert after.at - before.at >= promised_s - CLOCK_S, f"{after.host}{after.path} came too early"
