"""Crawl, extract and score on a Dask cluster: parts of the store travel to the workers, the same functions run on them, results are merged in order.

A part's result depends on the part alone. So a worker that dies costs time and nothing else: Dask gives its parts to another. Workers of this machine
cut their parts out of the store themselves, so that this process has little to do but to merge; for others each part is sent as soon as it is cut.
"""

from __future__ import annotations

import atexit
import dataclasses
import importlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec

from bellwether.config import Config, ExtractSettings
from bellwether.crawl_part import write_task
from crawler.config import CrawlConfig
from scoring.product_models import run_models
from scoring.run import Scoring, iter_drift, prepare_scoring, score_span
from storage.catalogue import Catalogue
from storage.errors import BellwetherError, ConfigError
from storage.ids import content_key
from storage.lake import clear_run, write_run, write_scores
from storage.partitions import load_part, merge_tables, write_part, write_results
from storage.records import ScoringRun
from storage.remote import fetch_files, send_files
from storage.store import Row, Store, open_reader, open_writer
from urls import registrable_domain

if TYPE_CHECKING:
    from sandbox import Sandbox
    from signals.classifier import EventClassifier

CRAWLED = ("domain_pings", "sources", "pages", "technology_observations", "site_policies", "frontier_urls", "failures")
EXTRACTED = ("documents", "signal_events", "failures")
SCORED = ("fit_scores", "signal_scores", "cluster_assignments", "cluster_movements", "next_workloads")
CRAWL_READS = ("accounts", *(table for table in CRAWLED if table != "failures"))
EXTRACT_READS = ("accounts", "pages", *EXTRACTED)
SCORE_READS = ("accounts", "firmographics", "subscriptions", "transactions", "opportunities", "domain_pings", "technology_observations", "pages",
               "signal_events", "event_feedback", *SCORED)  # fmt: skip
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
    with _place_of_parts(config, "crawl") as root:
        parts = [_Part(f"{root}/{i:05d}", tuple(ids), CRAWL_READS) for i, ids in enumerate(members)]
        results = _results(client, store, parts, crawl_part, crawl, tuple(kinds), archive_url(config))
        for done, (part, found) in enumerate(results, 1):
            counts.update(found)
            merge_tables(store, CRAWLED, f"{part.url}/made")
            on_progress(done, len(parts))
    return dict(sorted(counts.items()))


def crawl_part(part: _Part, crawl: CrawlConfig, kinds: tuple[str, ...], archive: str) -> dict[str, int]:
    """Worker: crawls a part in a process of its own (a reactor runs once), sends its archive files, and writes its rows."""
    with tempfile.TemporaryDirectory() as folder:
        db, files = Path(folder) / "part.db", Path(folder) / "archive"
        part.load(db)
        own = dataclasses.replace(crawl, db_path=db, archive_dir=files, shard=(1, 1))
        command = [sys.executable, "-m", "bellwether.crawl_part"]
        done = subprocess.run(command, input=write_task(own, kinds), capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise BellwetherError(f"the crawl of {part.url} ended with {done.returncode}: {done.stderr[-500:]}")
        send_files(sorted(files.glob("*.warc.gz")), archive)
        with open_writer(db, "crawl") as store:
            write_results(store, CRAWLED, f"{part.url}/made")
        counts: dict[str, int] = json.loads(done.stdout)
        return counts


def _part_of(domain: str, n_parts: int) -> int:
    return int(content_key("shard", registrable_domain(domain) or domain), 16) % n_parts


# ---- extract -----------------------------------------------------------------------------------------------------


def extract_on(
    client: Any, config: Config, store: Store, now: str, on_progress: Progress, pages_per_part: int = PAGES_PER_PART
) -> dict[str, int]:
    """Extracts the due pages in parts of the accounts that have any, and puts what was made in place of what there was."""
    from signals.classifier import MODEL_FOLDER, EventClassifier
    from signals.extraction import list_due_accounts

    due = list_due_accounts(store, EventClassifier(config.extract.classifier or MODEL_FOLDER))
    counts: Counter[str] = Counter()
    with _place_of_parts(config, "extract") as root:
        parts = [
            _Part(f"{root}/{i:05d}", tuple(key for key in ids if key is not None), EXTRACT_READS, with_orphans=None in ids)
            for i, ids in enumerate(_in_spans(due, pages_per_part))
        ]
        for done, (part, found) in enumerate(_results(client, store, parts, extract_part, archive_url(config), config.extract, now), 1):
            summary, page_ids = found
            counts.update(summary)
            _replace_extracted(store, part, page_ids)
            on_progress(done, len(parts))
    return dict(sorted(counts.items()))


def extract_part(part: _Part, archive: str, settings: ExtractSettings, now: str) -> tuple[dict[str, int], list[str]]:
    """Worker: extracts a part and writes its documents, events and failures; its counts, and the pages that were due."""
    from signals.extraction import extract_pages

    classifier, sandbox = _readers(settings)
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "part.db"
        part.load(db)
        with open_writer(db, "extract") as store:
            names = [
                row["warc_file"]
                for row in store.query("SELECT DISTINCT warc_file FROM pages WHERE warc_file NOT LIKE '/%' AND warc_file != ''")
            ]
            local = local_archive(archive, names, Path(folder))
            summary = dataclasses.asdict(extract_pages(store, local, classifier, sandbox, now))
            page_ids = [row["page_id"] for row in store.query("SELECT page_id FROM due_pages ORDER BY place")]
            made = f"{part.url}/made"
            write_results(store, ("documents",), made, "page_id IN (SELECT page_id FROM due_pages)")
            write_results(store, ("signal_events",), made)  # all of these accounts: which of them tell of one happening may be seen anew
            write_results(store, ("failures",), made, "subject IN (SELECT page_id FROM due_pages)")
        return {name: value for name, value in summary.items() if isinstance(value, int)}, page_ids


@cache
def _readers(settings: ExtractSettings) -> tuple[EventClassifier, Sandbox]:
    """What reads pages in this worker: started once in its life, not once for every part."""
    from sandbox import Sandbox
    from signals.classifier import MODEL_FOLDER, EventClassifier

    sandbox = Sandbox(1, settings.memory_mib, settings.timeout_s)
    atexit.register(sandbox.__exit__, None, None, None)
    return EventClassifier(settings.classifier or MODEL_FOLDER), sandbox.__enter__()


def _replace_extracted(store: Store, part: _Part, page_ids: list[str]) -> None:
    pages, accounts = (json.dumps(page_ids),), (json.dumps(part.account_ids),)
    of_nobody = " OR account_id IS NULL" if part.with_orphans else ""
    with store.transaction():
        store.execute("PRAGMA defer_foreign_keys = ON")
        store.execute(f"DELETE FROM signal_events WHERE account_id IN (SELECT value FROM json_each(?)){of_nobody}", accounts)  # noqa: S608
        store.execute("DELETE FROM documents WHERE page_id IN (SELECT value FROM json_each(?))", pages)
        store.execute("DELETE FROM failures WHERE stage = 'extract' AND subject IN (SELECT value FROM json_each(?))", pages)
        merge_tables(store, EXTRACTED, f"{part.url}/made")


def _in_spans(due: Iterable[tuple[str | None, int]], pages_per_part: int) -> Iterator[list[str | None]]:
    """Accounts in their order, cut where so many pages are together."""
    span: list[str | None] = []
    n_pages = 0
    for account_id, n in due:
        span.append(account_id)
        n_pages += n
        if n_pages >= pages_per_part:
            yield span
            span, n_pages = [], 0
    if span:
        yield span


# ---- score -------------------------------------------------------------------------------------------------------


def score_on(
    client: Any,
    config: Config,
    store: Store,
    catalogue: Catalogue,
    as_of: date,
    on_progress: Progress,
    n_accounts: int = ACCOUNTS_PER_PART,
    to_lake: bool = False,
) -> ScoringRun:
    """Scores the book in spans of accounts; the run and its rows are those of one machine.

    Args:
        to_lake: rows go to the Parquet lake from where they are made, and the store keeps none of them: nothing then is done in one place.
    """
    scoring = prepare_scoring(store, catalogue, as_of, config.seed, n_accounts)
    runs = (scoring.previous.run_id,) if scoring.previous else ()
    lake = config.lake if to_lake else ""
    if to_lake:
        clear_run(config.lake, scoring.run.run_id)
    drifts = []
    with _place_of_parts(config, "score") as root:
        parts = [
            _Part(f"{root}/{i:05d}", tuple(_accounts_between(store, *span)), SCORE_READS, runs, span=span)
            for i, span in enumerate(scoring.spans)
        ]
        results = _results(client, store, parts, score_part, scoring, lake)
        if to_lake:
            for done, (_, drift) in enumerate(results, 1):
                drifts.append(drift)
                on_progress(done, len(parts))
            write_run(
                config.lake,
                scoring.run.run_id,
                [scoring.run, *run_models(scoring.run.run_id, scoring.models), *iter_drift(scoring, drifts)],
            )
            return scoring.run
        with store.transaction():
            scoring.save_run(store)
            for done, (part, drift) in enumerate(results, 1):
                drifts.append(drift)
                merge_tables(store, SCORED, f"{part.url}/made")
                on_progress(done, len(parts))
            store.save(iter_drift(scoring, drifts))
    return scoring.run


def score_part(part: _Part, scoring: Scoring, lake: str) -> Any:
    """Worker: scores a part and writes its rows; its drift."""
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "part.db"
        part.load(db)
        with open_writer(db, "score") as store:
            scoring.save_run(store)
            drifts = score_span(store, scoring, part.span)
            if lake:
                write_scores(store, SCORED, lake, scoring.run.run_id, part.url.rpartition("/")[2])
            else:
                write_results(store, SCORED, f"{part.url}/made", "run_id = ?", (scoring.run.run_id,))
        return drifts


# ---- parts -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Part:
    """A part of the store: where it lies, whose rows of which tables it holds. With ``store`` whoever loads it cuts it out there first."""

    url: str
    account_ids: tuple[str, ...]
    tables: tuple[str, ...]
    run_ids: tuple[str, ...] = ()
    with_orphans: bool = False
    span: tuple[str, str] = ("", "")
    store: Path | None = None

    def cut(self, store: Store) -> None:
        write_part(store, self.account_ids, self.url, self.run_ids, self.with_orphans, self.tables)

    def load(self, db: Path) -> None:
        if self.store is not None:
            with open_reader(self.store) as store:
                self.cut(store)
        load_part(self.url, db)


def _results(client: Any, store: Store, parts: Sequence[_Part], work: Callable[..., Any], *arguments: Any) -> Iterator[tuple[_Part, Any]]:
    """What the work made of each part, in their order."""
    sees_store = type(client.cluster).__name__ == "LocalCluster"  # its workers are all on this machine, and no others can join
    futures = []
    for part in parts:
        if not sees_store:
            part.cut(store)
        given = dataclasses.replace(part, store=store.path) if sees_store else part
        futures.append(client.submit(work, given, *arguments, retries=RETRIES, pure=False))
    for part, future in zip(parts, futures, strict=True):
        yield part, future.result()


@contextmanager
def _place_of_parts(config: Config, job: str) -> Iterator[str]:
    """Where the parts lie while a job runs; they are gone afterwards, so that nothing outlives what the store forgets."""
    root = f"{config.lake.rstrip('/')}/{job}"
    system, path = fsspec.core.url_to_fs(root)
    if system.exists(path):
        system.rm(path, recursive=True)
    try:
        yield root
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
