"""The Parquet lake: the store's tables on any fsspec path, ``<lake>/tables/<table>/*.parquet``, for DuckDB and whatever else reads Parquet.

Rows of accounts are in files by the beginning of their account id, so that what is forgotten is taken out of few of them; rows of scoring runs lie in a
folder of their run. Writing again puts whole files in place of those that were there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from storage.partitions import OF_RUNS, list_tables, write_table
from storage.records import TABLES, Record, as_row
from storage.store import Store

HIDDEN = ("job_runs", "written_files", "ingested_files")  # how this machine works, not what it knows
SMALL_BOOK = 100_000  # accounts up to which one digit of the account id makes files that are large enough
REST = "rest"  # rows of no account, and tables that have none


def write_lake(store: Store, lake: str, forgotten: Iterable[str] | None = None) -> dict[str, int]:
    """Writes the store's tables; how many rows of each.

    Args:
        forgotten: account ids of which nothing must be left: only files that may hold rows of theirs, or of none, are written, also those of scoring
            runs that the store does not have.
    """
    root = f"{lake.rstrip('/')}/tables"
    n_digits = 1 if store.value("SELECT count(*) FROM accounts") <= SMALL_BOOK else 2
    beginnings = [f"{i:0{n_digits}x}" for i in range(16**n_digits)]
    ids = None if forgotten is None else list(forgotten)
    wanted = beginnings if ids is None else [each for each in beginnings if any(key.startswith(each) for key in ids)]
    alone: set[str] = set()  # runs that are in the lake as the parts they were written in
    if ids is not None:
        _remove_from_runs(root, ids)
        alone = {_run_of(name) for name in _parts(root)}
    counts = {}
    for table, columns in list_tables(store).items():
        if table not in HIDDEN and not table.startswith("listed_"):
            counts[table] = sum(
                _replace(store, table, columns, condition, parameters, f"{root}/{folder}", name)
                for folder, name, condition, parameters in _files(store, table, columns, wanted, alone)
            )
    if ids is None:
        _remove_parts_of(root, [row["run_id"] for row in store.query("SELECT run_id FROM scoring_runs")])
    return counts


def _parts(root: str) -> list[str]:
    """Files with rows of runs that were written to the lake alone."""
    system, path = fsspec.core.url_to_fs(root)
    found: list[str] = system.glob(f"{path}/*/*/part-*.parquet")
    return found


def _run_of(part: str) -> str:
    return part.split("/")[-2]


def _remove_parts_of(root: str, run_ids: Collection[str]) -> None:
    """Takes away the parts of runs that were written to the lake alone and have since come into the store: their rows stand beside them now."""
    system, path = fsspec.core.url_to_fs(root)
    runs = [name for name in system.glob(f"{path}/*/run-*.parquet") if name.rpartition("/run-")[2].removesuffix(".parquet") in run_ids]
    for name in (*(name for name in _parts(root) if _run_of(name) in run_ids), *runs):
        system.rm_file(name)


def _files(
    store: Store, table: str, columns: Iterable[str], beginnings: Sequence[str], without_runs: Collection[str]
) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Folder and name of each of a table's files, and the condition of its rows."""
    names = set(columns)
    if table in OF_RUNS:
        for row in list(store.query(f"SELECT DISTINCT run_id FROM {table} ORDER BY 1")):  # noqa: S608 - our own names
            for each in beginnings if row["run_id"] not in without_runs else ():
                yield f"{table}/{row['run_id']}", each, "run_id = ? AND account_id >= ? AND account_id < ?", (row["run_id"], *_span(each))
        return
    if "account_id" in names:
        for each in beginnings:
            yield table, each, "account_id >= ? AND account_id < ?", _span(each)
    yield table, REST, "account_id IS NULL" if "account_id" in names else "1 = 1", ()


def _span(beginning: str) -> tuple[str, str]:
    """The first key with the beginning, and the first after all of them.

    >>> _span("0f")
    ('0f', '0fg')
    """
    return beginning, f"{beginning}g"


def _replace(store: Store, table: str, columns: dict[str, str], condition: str, parameters: Sequence[Any], url: str, name: str) -> int:
    """Writes a file under another name and then puts it in its place; a file without rows is taken away."""
    system, root = fsspec.core.url_to_fs(url)
    n_rows = write_table(store, table, columns, condition, parameters, url, f".{name}")
    target = f"{root}/{name}.parquet"
    if n_rows:
        system.mv(f"{root}/.{name}.parquet", target)
        return n_rows
    system.rm_file(f"{root}/.{name}.parquet")
    if system.exists(target):
        system.rm_file(target)
    return 0


def count_files(lake: str) -> int:
    """How many files the lake has."""
    system, root = fsspec.core.url_to_fs(f"{lake.rstrip('/')}/tables")
    return len(system.find(root)) if system.exists(root) else 0


def remove_parts(lake: str) -> None:
    """Takes away parts of the store that travelled to workers of a job which was killed."""
    for job in ("crawl", "extract", "score"):
        system, root = fsspec.core.url_to_fs(f"{lake.rstrip('/')}/{job}")
        if system.exists(root):
            system.rm(root, recursive=True)


# ---- scoring runs that are written to the lake alone -----------------------------------------------------------------------


def write_scores(store: Store, tables: Sequence[str], lake: str, run_id: str, part: str) -> None:
    """A part's rows of a run, from where they were made."""
    known = list_tables(store)
    for table in tables:
        _replace(store, table, known[table], "run_id = ?", (run_id,), f"{lake.rstrip('/')}/tables/{table}/{run_id}", f"part-{part}")


def write_run(lake: str, run_id: str, records: Iterable[Record]) -> None:
    """The run itself and what it was made with, last: a run that is listed is whole."""
    by_table: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_table.setdefault(TABLES[type(record)][0], []).append(as_row(record))
    for table, rows in sorted(by_table.items()):
        system, root = fsspec.core.url_to_fs(f"{lake.rstrip('/')}/tables/{table}")
        system.makedirs(root, exist_ok=True)
        with system.open(f"{root}/run-{run_id}.parquet", "wb") as file:
            pq.write_table(pa.Table.from_pylist(rows), file)


def clear_run(lake: str, run_id: str) -> None:
    """Takes away what an earlier, perhaps interrupted writing of the run left."""
    system, root = fsspec.core.url_to_fs(f"{lake.rstrip('/')}/tables")
    for path in system.glob(f"{root}/*/{run_id}"):
        system.rm(path, recursive=True)
    for path in system.glob(f"{root}/*/run-{run_id}.parquet"):
        system.rm_file(path)


def _remove_from_runs(root: str, forgotten: list[str]) -> None:
    """Takes accounts out of the parts of runs that were written to the lake alone."""
    system, _ = fsspec.core.url_to_fs(root)
    for name in _parts(root):
        with system.open(name, "rb") as file:
            table = pq.read_table(file)
        kept = table.filter(pa.compute.invert(pa.compute.is_in(table["account_id"], value_set=pa.array(forgotten, pa.string()))))
        if kept.num_rows < table.num_rows:
            with system.open(f"{name}.new", "wb") as file:
                pq.write_table(kept, file, compression="zstd")
            system.mv(f"{name}.new", name)
