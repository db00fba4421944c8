"""The Parquet lake is the store's tables: DuckDB reads it wherever it lies, writing it again changes nothing, and what is forgotten leaves it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from bellwether import jobs
from bellwether.config import load_config
from examples.demo import BOOK, BOOK_KNOWN_SINCE, KINDS
from storage.lake import write_lake
from storage.partitions import list_tables
from storage.store import open_reader, open_writer

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 1)
DOMAIN, NAME = "kestrelvalleydairy.test", b"Kestrel Valley Dairy"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's book, scored."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / "bellwether.toml").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        from storage.store import create_store

        create_store(load_config().db)
        for kind in KINDS:
            jobs.run_import(None, kind, BOOK / f"{kind}.csv", date.fromisoformat(BOOK_KNOWN_SINCE))
        jobs.run_score(None, AS_OF)
    for rejects in BOOK.glob("*.rejects.csv"):
        rejects.unlink()
    return folder


@pytest.fixture
def book(scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(scored, tmp_path / "book")
    monkeypatch.chdir(tmp_path / "book")
    return tmp_path / "book"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_duckdb_reads_from_the_lake_what_the_store_holds(book: Path) -> None:
    counts = jobs.run_lake(None)
    with open_reader(book / "bellwether.db") as store:
        tables = [table for table in list_tables(store) if counts.get(table)]
        assert {"accounts", "fit_scores", "signal_scores", "cluster_assignments", "transactions"} <= set(tables)
        for table in tables:
            rows = sorted(tuple(row.values()) for row in store.query(f"SELECT * FROM {table}"))
            read = duckdb.sql(f"SELECT * FROM read_parquet('lake/tables/{table}/**/*.parquet', hive_partitioning = false)").fetchall()
            assert sorted(read, key=repr) == sorted(rows, key=repr), table
    best = duckdb.sql(
        "SELECT a.domain FROM 'lake/tables/fit_scores/*/*.parquet' f JOIN 'lake/tables/accounts/*.parquet' a USING (account_id) ORDER BY f.score DESC"
    ).fetchall()
    assert len(best) > 1_000


def test_writing_the_lake_again_changes_nothing(book: Path) -> None:
    jobs.run_lake(None)
    before = _bytes(book / "lake")
    jobs.run_lake(None)
    assert _bytes(book / "lake") == before


def test_rows_that_went_to_the_lake_alone_are_those_that_the_store_would_have(book: Path) -> None:
    with open_writer(book / "bellwether.db", "test") as store:
        expected = sorted(tuple(row.values()) for row in store.query("SELECT * FROM signal_scores"))
        store.execute_outside("PRAGMA foreign_keys = OFF")
        for table in (
            "feature_drift",
            "fit_scores",
            "signal_scores",
            "cluster_assignments",
            "next_workloads",
            "cohort_members",
            "listed_runs",
            "scoring_runs",
        ):
            store.execute(f"DELETE FROM {table}")
    command = [sys.executable, "-m", "bellwether", "score", "--as-of", str(AS_OF), "--cluster", "local:2", "--to-lake"]
    for _ in range(2):
        done = subprocess.run(command, cwd=book, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        read = duckdb.sql("SELECT * FROM 'lake/tables/signal_scores/*/*.parquet'").fetchall()
        assert sorted(read, key=repr) == sorted(expected, key=repr)
    with open_reader(book / "bellwether.db") as store:
        assert store.value("SELECT count(*) FROM signal_scores") == 0
    run = duckdb.sql("SELECT as_of, n_accounts FROM 'lake/tables/scoring_runs/*.parquet'").fetchall()
    assert run == [(str(AS_OF), 681)]
    _forget_and_look(book)


def test_a_forgotten_company_leaves_the_lake_too(book: Path) -> None:
    jobs.run_lake(None)
    leftover = book / "lake" / "score" / "00000"  # of a job that was killed
    leftover.mkdir(parents=True)
    (leftover / "accounts.parquet").write_bytes(NAME)
    before = _bytes(book / "lake" / "tables")
    _forget_and_look(book)
    after = _bytes(book / "lake" / "tables")
    assert not leftover.exists()
    assert after.keys() - before.keys() == {"blocked_domains/rest.parquet"}
    changed = {name for name, content in before.items() if content != after.get(name)}
    assert len(changed) < len(after) / 3, "only files that may hold the company are written anew"


def _forget_and_look(book: Path) -> None:
    with open_reader(book / "bellwether.db") as store:
        account_id = store.value("SELECT account_id FROM accounts WHERE domain = ?", (DOMAIN,))
    jobs.run_forget(None, DOMAIN)
    n_files = 0
    for path in (book / "lake").rglob("*.parquet"):
        columns = [row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
        text = " || ' ' || ".join(f"coalesce({name}::VARCHAR, '')" for name in columns)
        if path.parent.name != "blocked_domains":  # the block stays
            found = duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE contains({text}, '{DOMAIN}') OR contains({text}, '{account_id}')")
            assert found.fetchall() == [(0,)], path
        n_files += 1
    assert n_files > 3


def test_the_lake_lies_on_any_storage(book: Path) -> None:
    import fsspec

    with open_writer(book / "bellwether.db", "test") as store:
        write_lake(store, "memory://bellwether/lake")
    system = fsspec.filesystem("memory")
    assert len(system.glob("/bellwether/lake/tables/accounts/*.parquet")) == 16
    assert not system.glob("/bellwether/lake/tables/**/.*")
