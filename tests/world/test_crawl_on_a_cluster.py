"""The sample world crawled on a cluster, by the command: the same pages, sources and states as on one machine, and every page in the archive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo import BOOK, BOOK_KNOWN_SINCE, served_world, write_config
from storage.archive import read_response
from storage.store import open_reader
from tests.world.conftest import ROOT, SampleRun

# What a crawl brings home, but for when and where in the archive.
BROUGHT_HOME = {
    "domain_pings": "account_id, state, http_status, final_url, generator",
    "sources": "source_id, account_id, kind, url, found_on",
    "pages": "page_id, account_id, url, kind, http_status, content_hash",
    "frontier_urls": "frontier_id, account_id, url, kind, state",
    "technology_observations": "account_id, category, technology, first_seen_on, retired_on",
    "failures WHERE stage IN ('ping', 'crawl')": "stage, subject, account_id, reason",
}


def _run(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bellwether", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _brought_home(db: Path) -> dict[str, list[tuple[object, ...]]]:
    with open_reader(db) as store:
        assert store.integrity() == "ok"
        return {
            table: sorted((tuple(row.values()) for row in store.query(f"SELECT {columns} FROM {table}")), key=repr)
            for table, columns in BROUGHT_HOME.items()
        }


@pytest.mark.timeout(900)
def test_the_sample_world_crawled_in_parts_is_the_same_world(sample_run: SampleRun, tmp_path: Path) -> None:
    _run(tmp_path, "init")
    shutil.copy(BOOK / "accounts.csv", tmp_path)
    _run(tmp_path, "import", "accounts", "accounts.csv", "--observed-on", BOOK_KNOWN_SINCE)
    with served_world(tmp_path) as ports:
        write_config(tmp_path, ports)
        _run(tmp_path, "crawl", "--cluster", "local:2", "--parts", "3")
    spread, alone = _brought_home(tmp_path / "bellwether.db"), _brought_home(sample_run.db)
    for table in BROUGHT_HOME:
        assert len(alone[table]) > 10
        assert spread[table] == alone[table], table
    with open_reader(tmp_path / "bellwether.db") as store:
        for page in store.query("SELECT url, warc_file, warc_offset FROM pages"):
            assert read_response(tmp_path / "archive" / page["warc_file"], page["warc_offset"]).url == page["url"]
    assert not [path for path in (tmp_path / "lake").rglob("*") if path.is_file()], "parts are gone when the job is done"
