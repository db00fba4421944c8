"""On a cluster the same functions give the same rows, also when a worker is killed in the middle and everything lies on S3-compatible storage."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bellwether import jobs
from bellwether.catalogue_file import load_catalogue
from bellwether.cluster import EXTRACTED, SCORED, connected, extract_on, score_on
from bellwether.config import Config, load_config
from bellwether.crawl_part import read_task, write_task
from crawler.config import CrawlConfig
from examples.demo import BOOK, BOOK_KNOWN_SINCE, KINDS
from storage.archive import ArchiveWriter
from storage.partitions import load_part, merge_tables, write_part, write_results
from storage.records import Account, Page
from storage.store import create_store, open_reader, open_writer

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]
AS_OF = date(2026, 11, 1)
AT = "2026-10-01T00:00:00Z"
NEWS = (
    "We have opened a second bakery in Porto, with 14 new ovens and a shop. The doors opened on 3 September 2026, and 22 people found work."
)


def _digest(db: Path, tables: tuple[str, ...]) -> str:
    with open_reader(db) as store:
        assert store.integrity() == "ok"
        rows = [sorted(json.dumps(list(row.values())) for row in store.query(f"SELECT * FROM {table}")) for table in tables]
    assert all(rows[:2])
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _kill_one(client: Any) -> None:
    """Kills the first worker while it works."""
    pids = client.run(os.getpid)
    threading.Timer(0.3, lambda: os.kill(min(pids.values()), signal.SIGKILL)).start()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bellwether.toml").write_text("")
    found = load_config()
    create_store(found.db)
    return found


def test_a_crawl_in_a_process_of_its_own_is_told_all_of_its_configuration() -> None:
    told = CrawlConfig(
        Path("a.db"), Path("archive"), "mail@firm.test", ("127.0.0.1:53",), ("127.0.0.0/8",), {80: 8080, 443: 8443}, 0.5, 8, 3.0, 1_000, 1.5,
        7, 9, 90, "2026-11-01T06:00:00Z", (Path("prints"),), frozenset({"a.test", "b.test"}), (2, 3),
    )  # fmt: skip
    assert not [field.name for field in dataclasses.fields(told) if getattr(told, field.name) == field.default]
    assert read_task(write_task(told, ("domains", "feeds"))) == (told, ["domains", "feeds"])


def test_a_part_that_travels_there_and_back_changes_nothing(config: Config, tmp_path: Path) -> None:
    shutil.copy(BOOK / "accounts.csv", tmp_path)
    jobs.run_import(None, "accounts", tmp_path / "accounts.csv", date(2023, 11, 1))
    before = _digest(config.db, ("accounts", "firmographics"))
    with open_writer(config.db, "test") as store:
        ids = [row["account_id"] for row in store.query("SELECT account_id FROM accounts ORDER BY 1 LIMIT 100")]
        write_part(store, ids, str(tmp_path / "part"))
        load_part(str(tmp_path / "part"), tmp_path / "part.db")
        with open_writer(tmp_path / "part.db", "test") as part:
            assert part.value("SELECT count(*) FROM accounts") == 100
            write_results(part, ("accounts", "firmographics"), str(tmp_path / "made"))
        for _ in range(2):
            merge_tables(store, ("accounts", "firmographics"), str(tmp_path / "made"))
    assert _digest(config.db, ("accounts", "firmographics")) == before


def test_four_workers_of_which_one_is_killed_score_as_one_machine_does(config: Config, tmp_path: Path) -> None:
    for kind in KINDS:
        shutil.copy(BOOK / f"{kind}.csv", tmp_path)
        jobs.run_import(None, kind, tmp_path / f"{kind}.csv", date.fromisoformat(BOOK_KNOWN_SINCE))
    jobs.run_score(None, date(2026, 8, 1))  # a run before, so that movements are told too
    spread = tmp_path / "spread.db"
    shutil.copy(config.db, spread)
    alone, *_ = jobs.run_score(None, AS_OF)
    with connected("local:4") as client, open_writer(spread, "score") as store:
        _kill_one(client)
        run = score_on(client, config, store, load_catalogue(None), AS_OF, lambda done, total: None, n_accounts=60)
    assert run == alone
    assert _digest(spread, (*SCORED, "scoring_runs")) == _digest(config.db, (*SCORED, "scoring_runs"))


def _collect(config: Config) -> None:
    """An archive and its pages: 24 companies with three each."""
    writer = ArchiveWriter(config.archive / "pages.warc.gz")
    accounts, pages = [], []
    for i in range(24):
        account_id = hashlib.sha256(str(i).encode()).hexdigest()[:16]
        accounts.append(Account(account_id, f"firm{i}.test", f"Padaria {i}", None, None, None, None, None, "2026-01-01"))
        for n in range(3):
            url, body = (
                f"https://firm{i}.test/{n}",
                f"<html><body><article><h1>Note {n}</h1><p>{NEWS}</p><p>Note {n % 2}.</p></article></body></html>".encode(),
            )
            offset = writer.write(url, 200, (("Content-Type", "text/html"),), body, AT)
            pages.append(
                Page(
                    f"{i:08x}{n:08x}",
                    account_id,
                    f"firm{i}.test",
                    url,
                    "article",
                    200,
                    "text/html",
                    "",
                    "pages.warc.gz",
                    offset,
                    AT,
                    AT,
                    None,
                    None,
                    None,
                )
            )
    writer.close()
    with open_writer(config.db, "test") as store:
        store.save([*accounts, *pages])


@pytest.fixture
def extracted(config: Config, tmp_path: Path) -> Path:
    """The store of one machine that has extracted; beside it ``spread.db``, which has not."""
    _collect(config)
    shutil.copy(config.db, tmp_path / "spread.db")
    jobs.run_extract(None, 1)
    return tmp_path / "spread.db"


def test_four_workers_of_which_one_is_killed_extract_as_one_machine_does(extracted: Path, config: Config) -> None:
    with connected("local:4") as client, open_writer(extracted, "extract") as store:
        _kill_one(client)
        counts = extract_on(client, config, store, AT, lambda done, total: None, pages_per_part=10)
    assert counts["n_pages"] == 72
    assert _digest(extracted, EXTRACTED) == _digest(config.db, EXTRACTED)


def test_only_accounts_with_new_pages_travel_and_the_others_rows_are_left_alone(extracted: Path, config: Config) -> None:
    with open_writer(extracted, "extract") as store, connected("local:1") as client:
        extract_on(client, config, store, AT, lambda done, total: None)
        store.execute("UPDATE documents SET language = 'xx'")  # a mark: rows that are written anew lose it
        store.execute(
            "DELETE FROM signal_events WHERE document_id IN (SELECT document_id FROM documents WHERE url = 'https://firm3.test/1')"
        )
        store.execute("DELETE FROM documents WHERE url = 'https://firm3.test/1'")
        seen: list[tuple[int, int]] = []
        assert extract_on(client, config, store, AT, lambda done, total: seen.append((done, total)))["n_pages"] == 1
        assert seen == [(1, 1)]
        assert store.value("SELECT count(*) FROM documents WHERE language != 'xx'") == 1
        store.execute("UPDATE documents SET language = (SELECT language FROM documents WHERE language != 'xx')")
    assert _digest(extracted, EXTRACTED) == _digest(config.db, EXTRACTED)


def test_workers_that_read_the_archive_from_s3_extract_as_one_machine_does(
    s3: str, extracted: Path, config: Config, tmp_path: Path
) -> None:
    (tmp_path / "bellwether.toml").write_text(f'[storage]\narchive_url = "{s3}/archive"\nlake = "{s3}/lake"\n')
    jobs._send_archive(load_config())
    shutil.rmtree(config.archive)
    with connected("local:2") as client, open_writer(extracted, "extract") as store:
        for _ in range(2):  # the second time nothing is due, and nothing changes
            extract_on(client, load_config(), store, AT, lambda done, total: None, pages_per_part=20)
    assert _digest(extracted, EXTRACTED) == _digest(config.db, EXTRACTED)
