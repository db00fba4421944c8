"""Crawl, extract and score on a Dask cluster: parts of the store travel to the workers, the same functions run on them, results are merged in order.

A part's result depends on the part alone. So a worker that dies costs time and nothing else: Dask gives its parts to another.
"""

from __future__ import annotations

import dataclasses
import importlib
import pickle
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import fsspec

from bellwether.config import Config, ExtractSettings
from crawler.config import CrawlConfig
from scoring.book import iter_spans
from scoring.run import Scoring, prepare_scoring, save_drift, score_span
from storage.catalogue import Catalogue
from storage.errors import BellwetherError, ConfigError
from storage.ids import content_key
from storage.partitions import load_part, merge_tables, write_part, write_results
from storage.records import ScoringRun
from storage.remote import fetch_files, send_files
from storage.store import Row, Store, open_writer
from urls import registrable_domain

CRAWLED = ("domain_pings", "sources", "pages", "technology_observations", "site_policies", "frontier_urls", "failures")
EXTRACTED = ("documents", "signal_events", "failures")
SCORED = ("fit_scores", "signal_scores", "cluster_assignments", "cluster_movements", "next_workloads")
PAGES_PER_PART = 500
ACCOUNTS_PER_PART = 2_500  # fewer than one machine takes at once, so that all workers have something to do to the end
RETRIES = 3
Progress = Callable[[int, int], None]


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the cluster at an address, or of one on this machine for ``local:N`` with N worker processes.

    Raises:
        ConfigError: the extra is not installed, or nobody answers there.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise ConfigError("--cluster needs Dask; run `pip install 'bellwether[cluster]'`") from None
    kind, _, number = address.partition(":")
    if kind == "local":
        if not number.isdigit() or int(number) < 1:
            raise ConfigError(f"--cluster local:N needs a number of workers, got {address!r}")
        with (
            distributed.LocalCluster(n_workers=int(number), threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Dask scheduler answers at {address}: {error}; start one with `dask scheduler`") from error
    with client:
        yield client


# ---- crawl -------------------------------------------------------------------------------------------------------


def crawl_on(
    client: Any, config: Config, store: Store, crawl: CrawlConfig, kinds: Sequence[str], n_parts: int, on_progress: Progress
) -> dict[str, int]:
    """Crawls the accounts in parts, a Scrapy process each; accounts of one registrable domain are in one part, so that manners hold."""
    members: list[list[str]] = [[] for _ in range(n_parts)]
    for row in store.query("SELECT account_id, domain FROM accounts ORDER BY domain"):
        members[_part_of(row["domain"], n_parts)].append(row["account_id"])
    counts: Counter[str] = Counter()
    with _parts(config, store, "crawl", [(ids, ()) for ids in members]) as urls:
        futures = [client.submit(crawl_part, url, crawl, tuple(kinds), archive_url(config), retries=RETRIES, pure=False) for url in urls]
        for done, (url, future) in enumerate(zip(urls, futures, strict=True), 1):
            counts.update(future.result())
            merge_tables(store, CRAWLED, f"{url}/made")
            on_progress(done, len(urls))
    return dict(sorted(counts.items()))


def crawl_part(url: str, crawl: CrawlConfig, kinds: tuple[str, ...], archive: str) -> dict[str, int]:
    """Worker: crawls a part in a process of its own (a reactor runs once), sends its archive files, and writes its rows."""
    with tempfile.TemporaryDirectory() as folder:
        db, files = Path(folder) / "part.db", Path(folder) / "archive"
        load_part(url, db)
        own = dataclasses.replace(crawl, db_path=db, archive_dir=files, shard=(1, 1))
        done = subprocess.run(
            [sys.executable, "-m", "bellwether.crawl_part"], input=pickle.dumps((own, kinds)), capture_output=True, check=False
        )
        if done.returncode:
            raise BellwetherError(f"the crawl of {url} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
        send_files(sorted(files.glob("*.warc.gz")), archive)
        with open_writer(db, "crawl") as store:
            write_results(store, CRAWLED, f"{url}/made")
        counts: dict[str, int] = pickle.loads(done.stdout)  # noqa: S301 - our own process wrote it
        return counts


def _part_of(domain: str, n_parts: int) -> int:
    return int(content_key("shard", registrable_domain(domain) or domain), 16) % n_parts


# ---- extract -----------------------------------------------------------------------------------------------------


def extract_on(
    client: Any, config: Config, store: Store, now: str, on_progress: Progress, pages_per_part: int = PAGES_PER_PART
) -> dict[str, int]:
    """Extracts the due pages in parts of accounts, and puts what was made in place of what those accounts had."""
    n_pages = int(store.value("SELECT count(*) FROM pages WHERE warc_file != ''"))
    spans = list(iter_spans(n_pages, pages_per_part))
    counts: Counter[str] = Counter()
    members = [_accounts_between(store, *span) for span in spans]
    with _parts(config, store, "extract", [(ids, ()) for ids in members], with_orphans=True) as urls:
        futures = [client.submit(extract_part, url, archive_url(config), config.extract, now, retries=RETRIES, pure=False) for url in urls]
        for done, (url, span, future) in enumerate(zip(urls, spans, futures, strict=True), 1):
            counts.update(future.result())
            _replace_extracted(store, span, done == 1, url)
            on_progress(done, len(urls))
    return dict(sorted(counts.items()))


def extract_part(url: str, archive: str, settings: ExtractSettings, now: str) -> dict[str, int]:
    """Worker: extracts a part and writes its documents, events and failures."""
    from sandbox import Sandbox
    from signals.classifier import MODEL_FOLDER, EventClassifier
    from signals.extraction import extract_pages

    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "part.db"
        load_part(url, db)
        with open_writer(db, "extract") as store, Sandbox(1, settings.memory_mib, settings.timeout_s) as sandbox:
            names = [
                row["warc_file"]
                for row in store.query("SELECT DISTINCT warc_file FROM pages WHERE warc_file NOT LIKE '/%' AND warc_file != ''")
            ]
            local = local_archive(archive, names, Path(folder))
            classifier = EventClassifier(settings.classifier or MODEL_FOLDER)
            summary = dataclasses.asdict(extract_pages(store, local, classifier, sandbox, now))
            write_results(store, EXTRACTED, f"{url}/made")
        return {name: value for name, value in summary.items() if isinstance(value, int)}


def _replace_extracted(store: Store, span: tuple[str, str], with_orphans: bool, url: str) -> None:
    mine = "((account_id >= ? AND account_id < ?)" + (" OR account_id IS NULL)" if with_orphans else ")")
    with store.transaction():
        store.execute("PRAGMA defer_foreign_keys = ON")
        store.execute(f"DELETE FROM signal_events WHERE {mine}", span)  # noqa: S608 - constants
        store.execute(f"DELETE FROM documents WHERE {mine}", span)  # noqa: S608 - constants
        store.execute(f"DELETE FROM failures WHERE stage = 'extract' AND {mine}", span)  # noqa: S608 - constants
        merge_tables(store, EXTRACTED, f"{url}/made")


# ---- score -------------------------------------------------------------------------------------------------------


def score_on(
    client: Any, config: Config, store: Store, catalogue: Catalogue, as_of: date, on_progress: Progress, n_accounts: int = ACCOUNTS_PER_PART
) -> ScoringRun:
    """Scores the book in spans of accounts; the run and its rows are those of one machine."""
    scoring = prepare_scoring(store, catalogue, as_of, config.seed, n_accounts)
    runs = (scoring.previous.run_id,) if scoring.previous else ()
    drifts = []
    with _parts(config, store, "score", [(_accounts_between(store, *span), runs) for span in scoring.spans]) as urls:
        futures = [
            client.submit(score_part, url, scoring, span, retries=RETRIES, pure=False)
            for url, span in zip(urls, scoring.spans, strict=True)
        ]
        with store.transaction():
            scoring.save_run(store)
            for done, (url, future) in enumerate(zip(urls, futures, strict=True), 1):
                drifts.append(future.result())
                merge_tables(store, SCORED, f"{url}/made")
                on_progress(done, len(urls))
            save_drift(store, scoring, drifts)
    return scoring.run


def score_part(url: str, scoring: Scoring, span: tuple[str, str]) -> Any:
    """Worker: scores a part and writes its rows; its drift."""
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "part.db"
        load_part(url, db)
        with open_writer(db, "score") as store:
            scoring.save_run(store)
            drifts = score_span(store, scoring, span)
            write_results(store, SCORED, f"{url}/made", scoring.run.run_id)
        return drifts


# ---- parts -------------------------------------------------------------------------------------------------------


@contextmanager
def _parts(
    config: Config, store: Store, job: str, members: Sequence[tuple[list[str], Sequence[str]]], with_orphans: bool = False
) -> Iterator[list[str]]:
    """Where the parts lie while a job runs; they are gone afterwards, so that nothing outlives what the store forgets."""
    root = f"{config.lake.rstrip('/')}/{job}"
    urls = [f"{root}/{i:05d}" for i in range(len(members))]
    system, path = fsspec.core.url_to_fs(root)
    if system.exists(path):
        system.rm(path, recursive=True)
    try:
        for i, (url, (ids, runs)) in enumerate(zip(urls, members, strict=True)):
            write_part(store, ids, url, runs, with_orphans and i == 0)
        yield urls
    finally:
        if system.exists(path):
            system.rm(path, recursive=True)


def _accounts_between(store: Store, first: str, last: str) -> list[str]:
    rows: Iterator[Row] = store.query("SELECT account_id FROM accounts WHERE account_id >= ? AND account_id < ?", (first, last))
    return [row["account_id"] for row in rows]


def archive_url(config: Config) -> str:
    """Where archive files lie for everybody: the configured place, else the folder beside the store."""
    return config.archive_url or str(config.archive)


def local_archive(url: str, names: Sequence[str], folder: Path) -> Path:
    """A folder of this machine that holds the named files: the archive itself where it is one, else copies."""
    if "://" not in url:
        return Path(url)
    fetch_files(url, names, folder / "archive")
    return folder / "archive"
