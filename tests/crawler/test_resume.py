"""A crawl may be killed at any moment; the next one goes on where it stood."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

from crawler.torn_archive import end_of_record
from storage.archive import ArchiveWriter, iter_responses, read_response
from storage.errors import ArchiveError
from tests.crawler.conftest import NOW, Crawl
from tests.crawler.loopback import Web
from tests.crawler.sites import company

HOSTS = [f"h{n}.test" for n in range(6)]
N_PAGES = 30
SITES = partial(company, n_articles=N_PAGES)


def _prepared(folder: Path, web: Web) -> Crawl:
    folder.mkdir()
    crawl = Crawl(folder)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.configure(delay_s=0.02)
    crawl.add_accounts(*HOSTS)
    return crawl


def _end_state(crawl: Crawl) -> dict[str, list[tuple[object, ...]]]:
    """Everything but where in the archive a page lies."""
    return {
        "pages": sorted(tuple(row.values()) for row in crawl.rows("SELECT page_id, account_id, url, kind, content_hash FROM pages")),
        "sources": sorted(tuple(row.values()) for row in crawl.rows("SELECT source_id, url, kind, checked_at FROM sources")),
        "frontier": sorted(tuple(row.values()) for row in crawl.rows("SELECT frontier_id, url, state, n_tries FROM frontier_urls")),
        "pings": sorted(tuple(row.values()) for row in crawl.rows("SELECT ping_id, state FROM domain_pings")),
    }


def test_a_crawl_killed_again_and_again_ends_like_one_that_was_left_in_peace(tmp_path: Path) -> None:
    dice = random.Random(20261101)
    calm_web, web = Web(SITES), Web(SITES)
    calm, killed = _prepared(tmp_path / "calm", calm_web), _prepared(tmp_path / "killed", web)
    calm.run("crawl")
    n_kills = 0
    while n_kills < 8:
        process = killed.start("crawl")
        try:
            process.communicate(timeout=dice.uniform(0.8, 2.5))
            break  # it came to its end
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            n_kills += 1
    killed.run("crawl")
    assert n_kills >= 3
    assert _end_state(killed) == _end_state(calm)
    _every_page_is_in_the_archive(killed)
    asked = Counter((asked.host, asked.path) for asked in web.log if asked.path.startswith("/news/") and asked.path != "/news/")
    assert len(asked) == len(HOSTS) * N_PAGES
    # What was under way, or not yet written, at a kill is fetched again; nothing else is.
    n_unwritten = int(0.5 / 0.02 + 1) * len(HOSTS)
    assert sum(asked.values()) - len(asked) <= n_kills * n_unwritten
    before = len(web.log)
    killed.run("crawl")
    assert len(web.log) == before, "nothing is due within its interval"
    calm.close()
    killed.close()


def _every_page_is_in_the_archive(crawl: Crawl) -> None:
    for row in crawl.rows("SELECT url, warc_file, warc_offset FROM pages"):
        assert read_response(crawl.folder / "archive" / row["warc_file"], row["warc_offset"]).url == row["url"]
    for file in (crawl.folder / "archive").glob("*.warc.gz"):
        assert not [found for _, found in iter_responses(file) if isinstance(found, ArchiveError)], f"{file} has a torn record"
    assert not list((crawl.folder / "archive").glob("*.open"))


def test_the_end_of_a_record_is_found_in_front_of_a_torn_one(tmp_path: Path) -> None:
    archive = ArchiveWriter(tmp_path / "a.warc.gz")
    first = archive.write("http://a.test/", 200, [], b"x" * 100_000, NOW)
    second = archive.write("http://b.test/", 200, [], bytes(range(256)) * 1000, NOW)
    archive.close()
    assert end_of_record(archive.path, first) == second
    assert end_of_record(archive.path, second) == archive.path.stat().st_size


def test_shards_share_the_accounts_without_overlap(tmp_path: Path) -> None:
    web = Web(SITES)
    crawl = _prepared(tmp_path / "shards", web)
    crawl.run("crawl", "domains", "--shard", "1/2")
    first = {asked.host for asked in web.log}
    crawl.run("crawl", "domains", "--shard", "2/2")
    assert {asked.host for asked in web.log} == set(HOSTS)
    assert 0 < len(first) < len(HOSTS)
    assert len(crawl.rows("SELECT 1 FROM domain_pings")) == len(HOSTS)
    crawl.close()
