"""A part of the store, cut by accounts, as Parquet tables on any fsspec path: how work travels to other machines and comes back.

A part holds every row of its accounts and the small tables that all accounts share. Loaded, it is a store like any other, so the same functions
run on it. Writing a part again writes the same files, and merging it again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.store import Store, create_store, open_writer

SHARED = ("partners", "scoring_runs", "model_versions", "model_releases", "blocked_domains")
OF_RUNS = ("fit_scores", "signal_scores", "cluster_assignments", "cluster_movements", "next_workloads", "cohort_members")
_TYPES = {"TEXT": pa.string(), "INTEGER": pa.int64(), "REAL": pa.float64()}
BATCH = 50_000


def write_part(
    store: Store,
    account_ids: Iterable[str],
    url: str,
    run_ids: Sequence[str] = (),
    with_orphans: bool = False,
    tables: Sequence[str] | None = None,
) -> None:
    """Writes the rows of the accounts, ``<url>/<table>.parquet`` each. A reader's connection will do.

    Args:
        run_ids: the scoring runs whose rows are wanted; no others are.
        with_orphans: also rows that belong to no account.
        tables: those that the work reads, besides the small ones that all accounts share; None for all.
    """
    store.execute_outside("CREATE TEMP TABLE IF NOT EXISTS part_accounts (account_id TEXT PRIMARY KEY) WITHOUT ROWID")
    store.execute_outside("DELETE FROM part_accounts")
    ids = json.dumps(sorted(account_ids))
    store.execute("INSERT INTO part_accounts SELECT value FROM json_each(?)", (ids,))
    mine = "account_id IN (SELECT account_id FROM part_accounts)" + (" OR account_id IS NULL" if with_orphans else "")  # noqa: S608 - our own names
    for table, columns in list_tables(store).items():
        if table in SHARED:
            write_table(store, table, columns, "1 = 1", (), url)
        elif not is_of_accounts(table, columns) or (tables is not None and table not in tables):
            continue
        elif table in OF_RUNS:
            of_runs = f"run_id IN (SELECT value FROM json_each(?)) AND ({mine})"  # noqa: S608 - our own names
            write_table(store, table, columns, of_runs, (json.dumps(list(run_ids)),), url)
        else:
            write_table(store, table, columns, mine, (), url)


def is_of_accounts(table: str, columns: Mapping[str, str]) -> bool:
    """Whether a table's rows belong to accounts, and are not made anew from others for the hub."""
    return "account_id" in columns and not table.startswith("listed_")


def load_part(url: str, path: Path) -> None:
    """A new store at the path with the rows of a part."""
    create_store(path)
    with open_writer(path, "load part") as store:
        store.execute_outside("PRAGMA foreign_keys = OFF")  # rows may point to what lies in other parts
        store.execute_outside("PRAGMA synchronous = OFF")  # a part that is lost is loaded again
        for table, columns in list_tables(store).items():
            if table in SHARED or "account_id" in columns:
                insert_table(store, table, columns, url)


def write_table(
    store: Store, table: str, columns: Mapping[str, str], condition: str, parameters: Sequence[Any], url: str, name: str = ""
) -> int:
    """One table's rows that meet the condition, in the order of its key, as the Parquet file ``<url>/<name or table>.parquet``; how many there were."""
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
    names = ", ".join(columns)
    system, root = fsspec.core.url_to_fs(url)
    system.makedirs(root, exist_ok=True)
    rows = store.batches(f"SELECT {names} FROM {table} WHERE {condition} ORDER BY {_key(store, table)}", parameters, BATCH)  # noqa: S608
    n_rows = 0
    with system.open(f"{root}/{name or table}.parquet", "wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in rows:
            n_rows += len(batch)
            writer.write_table(
                pa.table(
                    [pa.array(column, kind) for column, kind in zip(zip(*batch, strict=True), schema.types, strict=True)], schema=schema
                )
            )
    return n_rows


def insert_table(store: Store, table: str, columns: dict[str, str], url: str) -> int:
    """Inserts a Parquet file's rows, or replaces those that carry their keys; how many there were."""
    system, root = fsspec.core.url_to_fs(url)
    path = f"{root}/{table}.parquet"
    return insert_file(store, table, columns, system, path) if system.exists(path) else 0


def insert_file(
    store: Store, table: str, columns: Mapping[str, str], system: Any, path: str, batch_rows: int = BATCH, run_id: str | None = None
) -> int:
    """The same with one file of a file system, wherever it lies and whatever it is called.

    Args:
        run_id: only rows of this scoring run.
    """
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    n_rows = 0
    with system.open(path, "rb") as file, store.transaction():
        for batch in pq.ParquetFile(file).iter_batches(batch_rows, columns=list(columns)):
            wanted = batch if run_id is None else batch.filter(pc.equal(batch["run_id"], run_id))
            rows = zip(*(column.to_pylist() for column in wanted.columns), strict=True)
            store.execute_many(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - our own names
            n_rows += wanted.num_rows
    return n_rows


def merge_tables(store: Store, tables: Sequence[str], url: str) -> int:
    """Takes the rows of a part's tables into the store; how many there were."""
    known = list_tables(store)
    return sum(insert_table(store, table, known[table], url) for table in tables)


def write_results(store: Store, tables: Sequence[str], url: str, condition: str = "1 = 1", parameters: Sequence[Any] = ()) -> None:
    """Writes the rows of a loaded part's tables that meet the condition, to be merged elsewhere."""
    known = list_tables(store)
    for table in tables:
        write_table(store, table, known[table], condition, parameters, url)


def list_tables(store: Store) -> dict[str, dict[str, str]]:
    """Tables, parents before children as they were made, with the types of their columns."""
    rows = store.query(
        "SELECT s.name AS t, c.name AS name, c.type AS type FROM sqlite_schema s JOIN pragma_table_info(s.name) c"
        " WHERE s.type = 'table' AND s.name NOT LIKE '\\_%' ESCAPE '\\' AND s.name NOT LIKE 'sqlite%' ORDER BY s.rowid, c.cid"
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["t"], {})[row["name"]] = row["type"]
    return found


def _key(store: Store, table: str) -> str:
    rows = store.query("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,))
    return ", ".join(row["name"] for row in rows)
