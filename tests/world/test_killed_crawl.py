"""A crawl of the sample world, killed again and again: it ends as if it had been left in peace, and asks for nothing that it had.

BELLWETHER_KILLS says how many kills (``make drill``: 50); after a crawl that came to its end a new one begins, until all are spent.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from examples.demo import BOOK, served_world, write_config
from storage.ids import content_hash
from storage.store import open_reader

ROOT = Path(__file__).parents[2]
N_KILLS = int(os.environ.get("BELLWETHER_KILLS", "4"))
UNWRITTEN_S = 2.0  # what came home so shortly before a kill may not have been written yet
RESULTS = {
    "sources": "SELECT * FROM sources",
    "pages": "SELECT page_id, account_id, domain, url, kind, http_status, content_type, content_hash, fetched_at, published_hint, etag,"
    " last_modified FROM pages",
    "pings": "SELECT ping_id, account_id, domain, pinged_at, state, http_status, final_url, n_redirects, tls_issuer, tls_expires_on, addresses, nameservers,"
    " mail_exchangers, txt_records, server, generator FROM domain_pings",
    "technologies": "SELECT * FROM technology_observations",
    "frontier": "SELECT frontier_id, account_id, url, kind, published_hint, found_at, state, tried_at, n_tries FROM frontier_urls",
    "policies": "SELECT * FROM site_policies",
    "failures": "SELECT stage, subject, reason FROM failures WHERE stage IN ('ping', 'crawl')",
}  # fmt: skip
# Where a row says that a URL had its turn, so that it is not asked for again within its interval.
DONE = """
SELECT url FROM frontier_urls WHERE tried_at IS NOT NULL UNION SELECT url FROM sources WHERE checked_at IS NOT NULL
UNION SELECT final_url FROM domain_pings WHERE final_url IS NOT NULL
"""
pytestmark = pytest.mark.timeout(3_600 if N_KILLS > 10 else 600)


def _rows(folder: Path, sql: str) -> list[dict[str, Any]]:
    with open_reader(folder / "bellwether.db") as store:
        return list(store.query(sql))


def _end_state(folder: Path) -> dict[str, list[str]]:
    """Everything the crawl brought home but what differs from run to run: file names, offsets, latencies, which of two sources was first to name a page."""
    state = {name: sorted(json.dumps(row) for row in _rows(folder, sql)) for name, sql in RESULTS.items()}
    state["records"] = sorted(_iter_records(folder / "archive"))
    return state


def _iter_records(archive: Path) -> Iterator[str]:
    for path in archive.glob("*.warc.gz"):
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                head = record.rec_headers
                if record.rec_type == "revisit":  # of what was under way at a kill
                    continue
                body = content_hash(record.content_stream().read())
                yield f"{record.rec_type} {head.get_header('WARC-Target-URI')} {head.get_header('WARC-Date')} {body}"


def _prepared(folder: Path, ports: dict[str, int]) -> Path:
    folder.mkdir()
    shutil.copy(BOOK / "accounts.csv", folder)
    for command in (("init",), ("import", "accounts", "accounts.csv")):
        _bellwether(folder, *command).communicate()
    write_config(folder, ports)
    return folder


def _bellwether(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bellwether", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _crawl_until(folder: Path, seconds: float | None) -> bool:
    """Whether a crawl came to its end; it is killed after so many seconds."""
    process = _bellwether(folder, "crawl")
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    assert process.returncode == 0, said
    return True


def _asked(log: Path, since: int = 0) -> list[tuple[float, str]]:
    """Time and URL of the server's log from a line on, robots.txt left out: every crawl asks for its own."""
    lines = (line.split(" ", 1) for line in log.read_text(encoding="utf-8").splitlines()[since:])
    return [(float(at), url) for at, url in lines if not url.endswith("/robots.txt")]


def test_a_crawl_killed_at_random_points_ends_like_one_left_in_peace(sample_run: Any, tmp_path: Path) -> None:
    expected = _end_state(sample_run.folder)
    dice = random.Random(20261101)
    n_kills = n_lives = 0
    while n_kills < N_KILLS:
        n_lives += 1
        log = tmp_path / f"asked-{n_lives}.log"
        with served_world(tmp_path, log) as ports:
            folder = _prepared(tmp_path / f"life-{n_lives}", ports)
            kills, done_by = [], []
            has_ended = False
            while n_kills < N_KILLS and not (has_ended := _crawl_until(folder, dice.uniform(0.9, 4.5))):
                n_kills += 1
                kills.append(time.time())
                done_by.append((len(log.read_text(encoding="utf-8").splitlines()), {row["url"] for row in _rows(folder, DONE)}))
            if not has_ended:
                assert _crawl_until(folder, None)
            _nothing_is_asked_for_again(log, kills, done_by, {row["url"] for row in _rows(folder, "SELECT url FROM frontier_urls")})
            n_before = len(log.read_text(encoding="utf-8").splitlines())
            assert _crawl_until(folder, None)
            assert _asked(log, n_before) == [], "nothing is due within its interval"
        state = _end_state(folder)
        for name, rows in expected.items():
            assert state[name] == rows, name
        assert not list((folder / "archive").glob("*.open"))


def _nothing_is_asked_for_again(log: Path, kills: list[float], done_by: list[tuple[int, set[str]]], pages: set[str]) -> None:
    """Neither what a row told of at the time of a kill, nor – of pages – what came home well before it."""
    for n_lines, done in done_by:
        assert [url for _, url in _asked(log, n_lines) if url in done] == []
    times = Counter(url for _, url in _asked(log))
    for at, url in _asked(log):
        if url in pages and times[url] > 1:
            times[url] -= 1
            assert any(0 <= kill - at <= UNWRITTEN_S for kill in kills), f"{url} was fetched again without need"
