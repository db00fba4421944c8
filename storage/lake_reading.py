"""A scoring run out of a lake into a store, for the hub and the reports to show; row by row, so that a run of any size takes little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fsspec
import pyarrow.parquet as pq

from storage.errors import InputError
from storage.partitions import OF_RUNS, insert_file, list_tables
from storage.records import ScoringRun
from storage.store import Store

BOOK_TABLES = ("blocked_domains", "partners", "accounts", "firmographics", "subscriptions", "transactions", "opportunities", "pages", "documents",
        "signal_events", "event_feedback", "model_versions", "model_releases")  # fmt: skip
RUN_TABLES = (
    "scoring_runs",
    "run_models",
    "feature_drift",
    "fit_scores",
    "signal_scores",
    "cluster_assignments",
    "cluster_movements",
    "next_workloads",
)
COLLECTED = ("domain_pings", "sources", "frontier_urls", "ingested_files")  # a store that has any of these keeps a book of its own
BATCH = 2_000


def find_run(lake: str, run_id: str | None = None) -> ScoringRun:
    """The run of that id in the lake, or the one of the latest date.

    Raises:
        InputError: there is none, or the latest date has several.
    """
    runs = {row["run_id"]: ScoringRun(**row) for row in _iter_rows(lake, "scoring_runs") if run_id in (None, row["run_id"])}
    latest = [run for run in runs.values() if run.as_of == max(run.as_of for run in runs.values())]
    if not latest:
        raise InputError(
            f"no scoring run {run_id or ''} in the lake at {lake}; `bellwether lake` or `score --cluster … --to-lake` writes them"
        )
    if len(latest) > 1:
        raise InputError(
            f"the lake at {lake} has {len(latest)} runs of {latest[0].as_of}: name one of {', '.join(sorted(run.run_id for run in latest))} with --run"
        )
    return latest[0]


def list_blocked(lake: str) -> list[str]:
    """The domains that nobody may keep any more, by the lake."""
    return sorted(row["domain"] for row in _iter_rows(lake, "blocked_domains"))


def load_run(store: Store, lake: str, run: ScoringRun, with_book: bool = False) -> dict[str, int]:
    """Puts the run's rows into the store, in place of those it has of it; how many of each table. Again, it changes nothing.

    Args:
        with_book: accounts, purchases, events and models are those of the lake afterwards, too: for a store that only shows what others scored.

    Raises:
        InputError: the run speaks of accounts that the store does not have, or its own book would be replaced.
    """
    tables = list_tables(store)
    collected = [table for table in COLLECTED if store.value(f"SELECT 1 FROM {table} LIMIT 1")]  # noqa: S608 - our own names
    if with_book and collected:
        raise InputError(f"{store.path} has {', '.join(collected)} of its own, which no other book fits; leave out --with-book")
    counts: dict[str, int] = {}
    with store.transaction():
        store.execute("PRAGMA defer_foreign_keys = ON")
        for table in BOOK_TABLES if with_book else ():
            if table != "blocked_domains":  # what this store was made to forget stays forgotten
                store.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            counts[table] = sum(insert_file(store, table, tables[table], system, path, BATCH) for system, path in _files(lake, table))
        for table in RUN_TABLES:
            store.execute(f"DELETE FROM {table} WHERE run_id = ?", (run.run_id,))  # noqa: S608 - our own names
            files = _files(lake, f"{table}/{run.run_id}" if table in OF_RUNS else table)
            counts[table] = sum(insert_file(store, table, tables[table], system, path, BATCH, run.run_id) for system, path in files)
        for table in OF_RUNS if with_book else ():
            store.execute(f"DELETE FROM {table} WHERE account_id NOT IN (SELECT account_id FROM accounts)")  # noqa: S608 - our own names
        back = store.query("SELECT domain FROM accounts WHERE domain IN (SELECT domain FROM blocked_domains) ORDER BY 1")
        if domains := [row["domain"] for row in back]:
            raise InputError(
                f"the lake at {lake} has {', '.join(domains)}, which {store.path} was made to forget; run `bellwether forget` where the lake is written"
            )
        n_unknown = store.value(
            "SELECT count(DISTINCT account_id) FROM fit_scores WHERE account_id NOT IN (SELECT account_id FROM accounts)"
        )
        if n_unknown:
            raise InputError(
                f"the run {run.run_id} speaks of {n_unknown} accounts that {store.path} does not have; take the book too: --with-book"
            )
    return counts


def _iter_rows(lake: str, table: str) -> Iterator[dict[str, Any]]:
    for system, path in _files(lake, table):
        with system.open(path, "rb") as file:
            yield from pq.read_table(file).to_pylist()


def _files(lake: str, folder: str) -> Iterator[tuple[Any, str]]:
    """The table's files that are in their place, in the order of their names."""
    system, root = fsspec.core.url_to_fs(f"{lake.rstrip('/')}/tables/{folder}")
    yield from ((system, path) for path in sorted(system.glob(f"{root}/*.parquet")) if not path.rpartition("/")[2].startswith("."))
