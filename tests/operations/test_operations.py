"""What an operator and a monitor are told, what is let go in time, and what a second operator meets."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.scoring_scale import write_book
from reports.reasons import load_evidence
from storage.archive import ArchiveWriter
from storage.records import Account, Document, Page, SignalEvent
from storage.retention import Cutoffs, count_overdue, let_go
from storage.schema import migrations
from storage.store import Store, create_store, open_reader, open_writer

ROOT = Path(__file__).parents[2]


def _run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-m", "bellwether", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def book(tmp_path: Path) -> Path:
    assert _run(tmp_path, "init").returncode == 0
    rows = "".join(f"Firm {i},firm{i}.test,{10 + i}\n" for i in range(40))
    (tmp_path / "accounts.csv").write_text("account_name,domain,employees\n" + rows, encoding="utf-8")
    return tmp_path


def _status(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(folder, "status", "--json").stdout)
    return found


def test_status_tells_how_every_job_ended_and_prometheus_can_read_it(book: Path) -> None:
    assert _run(book, "import", "accounts", "accounts.csv").returncode == 0
    assert _run(book, "report", "security").returncode == 1  # nothing was scored yet
    jobs = _status(book)["jobs"]
    assert (jobs["import accounts"]["state"], jobs["report security"]["state"]) == ("done", "failed")
    assert jobs["report security"]["error"] == "StoreError"
    families = {family.name: family for family in text_string_to_metric_families(_run(book, "status", "--prometheus").stdout)}
    rows = {sample.labels["table"]: sample.value for sample in families["bellwether_rows"].samples}
    assert rows["accounts"] == 40
    states = {(sample.labels["job"], sample.labels["state"]) for sample in families["bellwether_job_state"].samples}
    assert states == {("import accounts", "done"), ("report security", "failed")}


def test_with_json_lines_everything_said_carries_the_run_it_belongs_to(book: Path) -> None:
    done = _run(book, "--log-json", "import", "accounts", "accounts.csv")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == ["started", "done"]
    assert {line["run"] for line in lines} == {_status(book)["jobs"]["import accounts"]["run"]}
    failed = _run(book, "report", "security", BELLWETHER_LOG_JSON="1")
    last = json.loads(failed.stderr.splitlines()[-1])
    assert (failed.returncode, last["level"]) == (1, "error")
    assert "bellwether score" in last["message"]


def test_a_job_that_was_killed_is_told_from_one_that_runs(book: Path) -> None:
    script = (
        "import time; from pathlib import Path; from bellwether.config import load_config; from bellwether.job_log import writing_job\n"
        "with writing_job(load_config(), 'score'): print('on', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=book, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == b"on\n"
        running = _status(book)
        assert running["jobs"]["score"]["state"] == "running"
        assert f"`bellwether score` (process {job.pid})" == running["writer"]
        job.send_signal(signal.SIGKILL)
    died = _status(book)
    assert (died["jobs"]["score"]["state"], died["writer"]) == ("died", None)


def test_the_second_of_two_operators_is_told_who_writes_or_waits_as_configured(book: Path) -> None:
    with open_writer(book / "bellwether.db", "crawl"):
        refused = _run(book, "import", "accounts", "accounts.csv")
        assert refused.returncode == 1
        assert f"`bellwether crawl` (process {os.getpid()})" in refused.stderr
        config = book / "bellwether.toml"
        config.write_text(config.read_text(encoding="utf-8").replace("wait_s = 0 ", "wait_s = 60 "), encoding="utf-8")
        waiting = subprocess.Popen(
            [sys.executable, "-m", "bellwether", "import", "accounts", "accounts.csv"],
            cwd=book, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert waiting.stderr is not None
        assert "waiting for `bellwether crawl`" in waiting.stderr.readline()
    assert waiting.wait(60) == 0
    waiting.stderr.close()
    with open_reader(book / "bellwether.db") as store:
        assert store.value("SELECT count(*) FROM accounts") == 40


# ---- retention ---------------------------------------------------------------------------------------------------


def _collected(folder: Path) -> Path:
    """A store with one page and one event a year, each page in an archive file of its own."""
    path = folder / "book.db"
    create_store(path)
    with open_writer(path, "test") as store:
        store.save([Account("a", "tern.test", "Tern", None, None, None, None, None, "2020-01-01")])
        for year in (2023, 2024, 2025, 2026):
            at, name = f"{year}-06-01T00:00:00Z", f"{year}.warc.gz"
            writer = ArchiveWriter(folder / "archive" / name)
            offset = writer.write(f"https://tern.test/{year}", 200, (), b"x", at)
            writer.close()
            key = str(year)
            page = Page(
                key, "a", "tern.test", f"https://tern.test/{year}", "article", 200, None, key, name, offset, at, at, None, None, None
            )
            document = Document(key, key, "a", page.url, None, "article", f"News {year}", f"We moved in {year}.", "en", None, None, at, "1")
            event = SignalEvent(
                key, "a", key, "new_location", None, 1, "completed", "subject", "buyer", f"{year}-05-30", "day", "published", at,
                f"We moved in {year}.", 0, 16, 0.9, "1", None if year == 2023 else str(year - 1),
            )  # fmt: skip
            store.save([page, document, event])
    return path


def test_what_is_older_than_its_retention_is_let_go_and_what_is_younger_stays(tmp_path: Path) -> None:
    path = _collected(tmp_path)
    keep = Cutoffs("2025-01-01T00:00:00Z", "2024-01-01")
    with open_writer(path, "tidy") as store:
        found = count_overdue(store, keep)
        assert (found.n_archive_files, found.n_pages, found.n_events, found.n_texts) == (2, 2, 1, 1)
        assert let_go(store, tmp_path / "archive", keep) == found
        assert [row["event_id"] for row in store.query("SELECT event_id FROM signal_events ORDER BY 1")] == ["2024", "2025", "2026"]
        assert store.value("SELECT duplicate_of FROM signal_events WHERE event_id = '2024'") is None
        assert store.value("SELECT text FROM documents WHERE document_id = '2023'") == ""
        assert store.value("SELECT text FROM documents WHERE document_id = '2024'") == "We moved in 2024."
        assert count_overdue(store, keep) == type(found)(0, 0, 0, 0)
        assert store.integrity() == "ok"
    assert sorted(file.name for file in (tmp_path / "archive").iterdir()) == ["2025.warc.gz", "2026.warc.gz"]


def test_without_a_configured_age_nothing_is_let_go(tmp_path: Path) -> None:
    path = _collected(tmp_path)
    with open_writer(path, "tidy") as store:
        let_go(store, tmp_path / "archive", Cutoffs(None, None))
        assert store.value("SELECT count(*) FROM signal_events") == 4
    assert len(list((tmp_path / "archive").iterdir())) == 4


def test_a_page_whose_archive_was_let_go_keeps_its_events_and_is_not_read_again(book: Path) -> None:
    writer = ArchiveWriter(book / "archive" / "old.warc.gz")
    html = (("Content-Type", "text/html"),)
    text = b"<html><body><article><h1>A second bakery</h1><p>We have opened a second bakery with 14 ovens in Porto.</p></article></body></html>"
    writer.write("https://firm1.test/news", 200, html, text, "2020-01-01T00:00:00Z")
    writer.close()
    for command in (("import", "accounts", "accounts.csv"), ("ingest", "archive/old.warc.gz"), ("extract", "--jobs", "1")):
        assert _run(book, *command).returncode == 0
    config = book / "bellwether.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("archive_days = 0", "archive_days = 30"), encoding="utf-8")
    assert _status(book)["retention"]["overdue"]["n_archive_files"] == 1
    assert _run(book, "tidy").returncode == 0
    assert not (book / "archive" / "old.warc.gz").exists()
    with open_writer(book / "bellwether.db", "test") as store:
        n_documents = store.value("SELECT count(*) FROM documents")
        store.execute("UPDATE documents SET extractor_version = 'older'")
    assert json.loads(_run(book, "extract", "--jobs", "1", "--json").stdout)["n_pages"] == 0
    with open_reader(book / "bellwether.db") as store:
        assert store.value("SELECT count(*) FROM documents") == n_documents == 1


# ---- upgrades ----------------------------------------------------------------------------------------------------

SAMPLES = {"TEXT": "2026-01-02", "INTEGER": 1, "REAL": 1.5}


def _fill(db: sqlite_utils.Database) -> dict[str, list[tuple[Any, ...]]]:
    """Two rows in every table there is, whatever its columns; keys refer to each other. What was written, by table."""
    db.conn.execute("PRAGMA foreign_keys = OFF")
    tables = [
        row[0]
        for row in db.conn.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'listed%' ORDER BY 1"
        )  # the hub's tables are made anew from the others
    ]
    for table in tables:
        columns = list(db.conn.execute("SELECT name, type, pk FROM pragma_table_info(?)", (table,)))
        references = {row[3] for row in db.conn.execute(f"PRAGMA foreign_key_list({table})")}
        for key in ("1", "2"):
            values = []
            for name, kind, is_key in columns:
                is_link = is_key or name in references or name in ("domain", "account_id")
                value = key if is_link and kind == "TEXT" else {"outcome": "won", "verdict": "right"}.get(name, SAMPLES[kind])
                values.append(value)
            db.conn.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    db.conn.commit()
    return {table: sorted(db.conn.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


@pytest.mark.parametrize("n_applied", range(1, len(migrations._migrations) + 1))
def test_a_filled_store_of_every_version_there_was_keeps_all_its_rows_through_the_upgrade(tmp_path: Path, n_applied: int) -> None:
    path = tmp_path / "old.db"
    old = sqlite_utils.Database(path)
    if n_applied < len(migrations._migrations):
        migrations.apply(old, stop_before=migrations._migrations[n_applied].name)
    else:
        migrations.apply(old)
    written = _fill(old)
    assert len(written) >= 13
    old.close()
    with open_writer(path, "init") as store:
        assert not migrations.pending(store._db)
        assert store.integrity() == "ok"
        assert list(store.query("PRAGMA foreign_key_check")) == []
    with sqlite3.connect(path) as now:
        for table, rows in written.items():
            assert sorted((row[: len(rows[0])] for row in now.execute(f"SELECT * FROM {table}")), key=repr) == rows, table
    now.close()


def test_after_an_upgrade_the_jobs_run(book: Path) -> None:
    (book / "bellwether.db").unlink()
    old = sqlite_utils.Database(book / "bellwether.db")
    migrations.apply(old, stop_before=migrations._migrations[1].name)
    old.close()
    for command in (("import", "accounts", "accounts.csv"), ("score", "--as-of", "2026-11-01"), ("report", "security"), ("status",)):
        done = _run(book, *command)
        assert done.returncode == 0, done.stderr


def test_a_reader_that_holds_on_to_a_forgotten_company_is_named(book: Path) -> None:
    assert _run(book, "import", "accounts", "accounts.csv").returncode == 0
    with open_reader(book / "bellwether.db") as reader:
        rows = reader.query("SELECT * FROM accounts")
        next(rows)
        done = _run(book, "forget", "firm3.test")
        assert done.returncode == 1
        assert "stop the hub" in done.stderr
        rows.close()
    assert _run(book, "forget", "firm3.test").returncode == 0
    left = b"".join(path.read_bytes() for path in book.glob("bellwether.db*"))
    assert left.count(b"firm3.test") == 2  # the block that stays, and its key
    assert b"Firm 3\x00" not in left


# ---- cost of single steps in a large store ---------------------------------------------------------------------------


def _steps(store: Store, work: Callable[[], object]) -> int:
    """How many hundreds of steps SQLite takes for the work: what it costs, whatever else the machine does."""
    n_steps = 0

    def count() -> int:
        nonlocal n_steps
        n_steps += 1
        return 0

    store._db.conn.set_progress_handler(count, 100)
    work()
    store._db.conn.set_progress_handler(None, 0)
    return n_steps


@pytest.mark.parametrize(
    "work",
    [
        lambda store, ids: store.execute(f"DELETE FROM signal_events WHERE event_id IN ({', '.join('?' * len(ids))})", ids),
        lambda store, ids: load_evidence(store, set(ids)),
    ],
    ids=["removing events", "evidence of events"],
)
def test_what_is_done_with_some_events_costs_the_same_however_many_others_there_are(
    tmp_path: Path, work: Callable[[Store, list[str]], object]
) -> None:
    steps = []
    for n_accounts in (50, 400):
        path = tmp_path / f"{n_accounts}.db"
        write_book(path, n_accounts)
        with open_writer(path, "test") as store:
            ids = [row["event_id"] for row in store.query("SELECT event_id FROM signal_events ORDER BY 1 LIMIT 40")]
            steps.append(_steps(store, lambda: work(store, ids)))  # noqa: B023 - called at once
    assert steps[1] < 1.5 * steps[0] + 5, steps
