"""One hostile domain among a hundred: whatever the others publish comes home as if it were not there. BELLWETHER_DRILL=long: all the hundred."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Web
from tests.crawler.sites import HOSTILE, company, hostile, ways

N_HONEST = 99 if os.environ.get("BELLWETHER_DRILL") == "long" else 24
HONEST = [f"honest{n}.test" for n in range(N_HONEST)]
BROUGHT_HOME = {
    "domain_pings": "domain, state, final_url",
    "sources": "url, kind, checked_at, content_hash",
    "frontier_urls": "url, state, n_tries",
    "pages": "url, kind, http_status, content_hash, checked_at",
    "failures": "subject, reason",
}
# What a crawl says of the hostile site: a reason, and a part of the address it belongs to.
REASONS = {
    "too_large": "bomb",
    "connection_lost": "cut",
    "redirects": "loop",
    "timeout": "tarpit",
    "parse_error": "entities",
    "site_rests": "",
    "robots": "//blog.",
}


def _crawled(folder: Path, domains: list[str]) -> Crawl:
    folder.mkdir()
    crawl = Crawl(folder)
    web = Web(lambda host, path, headers: (hostile if host.endswith(HOSTILE) else company)(host, path, headers))
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.configure(timeout_s=1, max_failed_share=1)
    crawl.add_accounts(*domains)
    crawl.run("crawl", timeout_s=1_200)
    crawl.close()
    return crawl


def _of_honest(crawl: Crawl) -> dict[str, list[tuple[object, ...]]]:
    honest = f"account_id IN (SELECT account_id FROM accounts WHERE domain != '{HOSTILE}')"
    return {
        table: sorted(tuple(row.values()) for row in crawl.rows(f"SELECT {columns} FROM {table} WHERE {honest}"))
        for table, columns in BROUGHT_HOME.items()
    }


@pytest.mark.timeout(1_800)
def test_a_hostile_domain_costs_the_others_nothing_of_what_they_publish(tmp_path: Path) -> None:
    ways()  # made before anyone waits for them
    calm = _of_honest(_crawled(tmp_path / "calm", HONEST))
    beside = _crawled(tmp_path / "beside", [*HONEST, HOSTILE])
    with beside.store() as store:
        assert store.integrity() == "ok"
    assert len(calm["pages"]) == N_HONEST * 8  # home, profile, feed, newsroom, four articles
    assert _of_honest(beside) == calm
    said = {(row["reason"], row["subject"]) for row in beside.rows("SELECT reason, subject FROM failures") if HOSTILE in row["subject"]}
    for reason, part in REASONS.items():
        assert [subject for found, subject in said if found == reason and part in subject], (reason, said)
