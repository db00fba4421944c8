"""The Parquet lake is the store's tables: DuckDB reads it wherever it lies, writing it again changes nothing, and what is forgotten leaves it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import duckdb
import pytest

from bellwether import jobs
from bellwether.config import load_config
from examples.demo import BOOK, BOOK_KNOWN_SINCE, KINDS
from storage.errors import InputError
from storage.lake import write_lake
from storage.lake_reading import BOOK_TABLES, RUN_TABLES
from storage.partitions import list_tables
from storage.store import create_store, open_reader, open_writer

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 1)
N_KILLS = 12 if os.environ.get("BELLWETHER_DRILL") == "long" else 3
DOMAIN, NAME = "kestrelvalleydairy.test", b"Kestrel Valley Dairy"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's book, scored."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / "bellwether.toml").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
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


def _shown(folder: Path) -> dict[str, list[str]]:
    """What the hub shows of a store: the run, its scores and reasons, the book, and the listing; and that all of it is sound."""
    with open_reader(folder / "bellwether.db") as store:
        assert store.integrity() == "ok"
        assert list(store.query("PRAGMA foreign_key_check")) == []
        tables = (*BOOK_TABLES, *RUN_TABLES, "cohort_members", "listed_accounts", "listed_counts", "listed_names", "listed_runs")
        return {table: sorted(repr(row) for row in store.query(f"SELECT * FROM {table}")) for table in tables}


@pytest.fixture(params=["a folder", "S3"])
def lake(request: pytest.FixtureRequest, book: Path) -> str:
    """A lake with the book and its run."""
    place = str(book / "lake") if request.param == "a folder" else f"{request.getfixturevalue('s3')}/lake"
    with open_writer(book / "bellwether.db", "test") as store:
        write_lake(store, place)
    return place


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty store."""
    (tmp_path / "hub").mkdir()
    monkeypatch.chdir(tmp_path / "hub")
    Path("bellwether.toml").touch()
    create_store(load_config().db)
    return tmp_path / "hub"


@pytest.mark.filterwarnings("default")
def test_a_store_that_takes_a_run_from_a_lake_shows_what_the_one_that_scored_does(book: Path, lake: str, hub: Path) -> None:
    expected = _shown(book)
    assert len(expected["listed_accounts"]) > 1_000
    for _ in range(2):  # the second time nothing changes
        assert jobs.run_lake_from(None, lake, None, with_book=True)["as_of"] == str(AS_OF)
        assert _shown(hub) == expected


def test_killed_while_it_takes_a_run_it_shows_the_one_before_and_then_the_new_one(book: Path, hub: Path) -> None:
    with open_writer(book / "bellwether.db", "test") as store:
        write_lake(store, str(book / "lake"))
    command = [sys.executable, "-m", "bellwether", "lake", "--from", str(book / "lake"), "--with-book"]
    before, moments = _shown(hub), random.Random(7)
    started, environment = time.monotonic(), {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=hub, env=environment, check=True, capture_output=True)
    took_s, expected = time.monotonic() - started, _shown(hub)
    create_store(hub / "killed" / "bellwether.db")
    (hub / "killed" / "bellwether.toml").touch()
    for _ in range(N_KILLS):
        job = subprocess.Popen(command, cwd=hub / "killed", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            job.wait(took_s * moments.uniform(0.5, 1.0))
        job.kill()
        job.wait()
        assert _shown(hub / "killed") in (before, expected), "half a run is seen"
    subprocess.run(command, cwd=hub / "killed", env=environment, check=True, capture_output=True)
    assert _shown(hub / "killed") == expected == _shown(book)


def test_a_run_of_accounts_that_a_store_does_not_have_is_not_taken_without_them(book: Path, hub: Path) -> None:
    with open_writer(book / "bellwether.db", "test") as store:
        write_lake(store, str(book / "lake"))
    before = _shown(hub)
    with pytest.raises(InputError, match=r"681 accounts that .* does not have; take the book too: --with-book"):
        jobs.run_lake_from(None, str(book / "lake"), None, with_book=False)
    with pytest.raises(InputError, match="no scoring run x in the lake"):
        jobs.run_lake_from(None, str(book / "lake"), "x", with_book=True)
    assert _shown(hub) == before


def _take_all(book: Path) -> None:
    """The book's lake, written and taken into the store of the current folder."""
    with open_writer(book / "bellwether.db", "test") as store:
        write_lake(store, str(book / "lake"))
    jobs.run_lake_from(None, str(book / "lake"), None, with_book=True)


def test_a_company_that_the_lake_forgot_is_forgotten_by_who_takes_a_run_of_it(
    book: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take_all(book)
    assert NAME in (hub / "bellwether.db").read_bytes()
    monkeypatch.chdir(book)
    jobs.run_forget(None, DOMAIN)
    monkeypatch.chdir(hub)
    jobs.run_lake_from(None, str(book / "lake"), None, with_book=True)
    assert NAME not in (hub / "bellwether.db").read_bytes()
    with open_reader(hub / "bellwether.db") as store:
        assert store.value("SELECT domain FROM blocked_domains") == DOMAIN
        assert store.value("SELECT count(*) FROM listed_accounts") > 1_000


def test_a_company_that_the_taking_store_forgot_does_not_come_back_from_a_lake(
    book: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take_all(book)
    monkeypatch.chdir(hub)
    jobs.run_forget(None, DOMAIN)
    with pytest.raises(InputError, match=rf"{DOMAIN}, which .* was made to forget"):
        jobs.run_lake_from(None, str(book / "lake"), None, with_book=True)
    assert NAME not in (hub / "bellwether.db").read_bytes()


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
        before = _shown(book)
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
    jobs.run_lake_from(None, str(book / "lake"), None, with_book=False)
    assert _shown(book) == before, "taken back out of the lake, it is what the store had"
    _forget_and_look(book)
    assert _n_scores("lake") == _n_scores_of_store(book), "what is forgotten does not put rows in the lake twice"
    jobs.run_lake(None)
    assert _n_scores("lake") == _n_scores_of_store(book), "nor does writing the lake again"
    assert duckdb.sql("SELECT count(*) FROM 'lake/tables/scoring_runs/*.parquet'").fetchall() == [(1,)]


def _n_scores(lake: str) -> int:
    (row,) = duckdb.sql(f"SELECT count(*) FROM '{lake}/tables/signal_scores/*/*.parquet'").fetchall()
    return int(row[0])


def _n_scores_of_store(book: Path) -> int:
    with open_reader(book / "bellwether.db") as store:
        return int(store.value("SELECT count(*) FROM signal_scores"))


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
