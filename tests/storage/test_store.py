"""The store: migrations, one writer, idempotent writes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlite_utils

from storage.errors import StoreError, StoreLockedError, StoreMissingError, StoreVersionError
from storage.records import TABLES, Account, Partner
from storage.schema import migrations
from storage.store import Store, copy_database, create_store, open_reader, open_writer


@pytest.fixture
def db(tmp_path: Path) -> Path:
    create_store(tmp_path / "book.db")
    return tmp_path / "book.db"


def _account(domain: str = "ashgrove.test") -> Account:
    return Account("0123456789abcdef", domain, "Ashgrove", None, None, None, None, None, "2026-01-01")


def test_every_table_is_strict_and_every_record_has_one(db: Path) -> None:
    with open_reader(db) as store:
        strict = {row["name"] for row in store.query("SELECT name FROM pragma_table_list WHERE strict = 1 AND schema = 'main'")}
    assert {table for table, _ in TABLES.values()} <= strict


def test_writing_a_record_twice_leaves_one_row(db: Path) -> None:
    with open_writer(db, "test") as store:
        store.save([_account()])
        store.save([_account()])
        assert store.value("SELECT count(*) FROM accounts") == 1


def _save_and_fail(store: Store) -> None:
    with store.transaction():
        store.save([_account()])
        store.execute("INSERT INTO opportunities (opportunity_id) VALUES ('incomplete')")


def test_a_failed_transaction_leaves_nothing(db: Path) -> None:
    with open_writer(db, "test") as store:
        with pytest.raises(sqlite3.IntegrityError):
            _save_and_fail(store)
        assert store.value("SELECT count(*) FROM accounts") == 0


@pytest.mark.parametrize("n_applied", range(1, len(migrations._migrations)))
def test_a_store_of_an_older_version_opens_and_keeps_its_rows(tmp_path: Path, n_applied: int) -> None:
    path = tmp_path / "old.db"
    old = sqlite_utils.Database(path)
    migrations.apply(old, stop_before=migrations._migrations[n_applied].name)
    old.execute("INSERT INTO partners VALUES ('4100117', 'Tallow Street Systems')")
    old.conn.commit()
    old.close()
    with pytest.raises(StoreVersionError, match="bellwether init"):
        open_reader(path)
    with open_writer(path, "test") as store:
        assert store.value("SELECT partner_name FROM partners") == "Tallow Street Systems"
        assert not migrations.pending(store._db)


def test_a_store_of_a_newer_version_is_refused_and_left_alone(db: Path) -> None:
    connection = sqlite3.connect(db)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('bellwether', 'm999_flying_cars', '2031-01-01')"
    )
    connection.commit()
    connection.close()
    for opened in (lambda: open_writer(db, "test"), lambda: open_reader(db)):
        with pytest.raises(StoreVersionError, match="m999_flying_cars"):
            opened()
    assert sqlite3.connect(db).execute("SELECT count(*) FROM _sqlite_migrations WHERE name = 'm999_flying_cars'").fetchone() == (1,)


def test_a_failing_migration_leaves_the_store_as_it_was(db: Path) -> None:
    before = sqlite3.connect(db).execute("SELECT name FROM sqlite_master ORDER BY 1").fetchall()

    @migrations(name="m998_broken")
    def broken(db: sqlite_utils.Database) -> None:
        db.execute("CREATE TABLE half (x TEXT) STRICT")
        db.execute("no SQL at all")

    try:
        with pytest.raises(StoreError):
            open_writer(db, "test")
    finally:
        migrations._migrations[:] = [m for m in migrations._migrations if m.name != "m998_broken"]
    assert sqlite3.connect(db).execute("SELECT name FROM sqlite_master ORDER BY 1").fetchall() == before


def test_a_second_writer_learns_who_holds_the_lock(db: Path) -> None:
    with open_writer(db, "crawl domains"), pytest.raises(StoreLockedError, match=rf"bellwether crawl domains.*process {os.getpid()}"):
        open_writer(db, "score")
    open_writer(db, "score").close()


def test_the_lock_of_a_killed_writer_is_free_and_its_committed_rows_stay(db: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from storage.store import Store, open_writer; from storage.records import Partner\n"
        "store = open_writer(Path(sys.argv[1]), 'doomed'); store.save([Partner('1', 'kept')]); print('saved', flush=True); time.sleep(60)"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(db)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"saved\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    with open_writer(db, "score") as store:
        assert store.value("SELECT partner_name FROM partners") == "kept"
        assert store.integrity() == "ok"


def test_readers_read_while_a_writer_writes(db: Path) -> None:
    with open_writer(db, "test") as writer, open_reader(db) as reader:
        writer.save([Partner("1", "Tallow")])
        assert reader.value("SELECT count(*) FROM partners") == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.save([Partner("2", "no")])


def test_no_store_and_no_sqlite_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError, match="bellwether init"):
        open_reader(tmp_path / "nowhere.db")
    (tmp_path / "text.db").write_text("hello, I am no database, however long I go on " * 30)
    for opened in (lambda: open_writer(tmp_path / "text.db", "t"), lambda: open_reader(tmp_path / "text.db")):
        with pytest.raises(StoreError, match="not a readable SQLite store"):
            opened()


def test_a_backup_is_a_whole_store(db: Path, tmp_path: Path) -> None:
    with open_writer(db, "test") as store:
        store.save([_account()])
        copy_database(store.path, tmp_path / "copy.db")
    with open_reader(tmp_path / "copy.db") as copy:
        assert copy.value("SELECT domain FROM accounts") == "ashgrove.test"
