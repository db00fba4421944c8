"""The store: one SQLite file, many readers, one writer at a time."""

from __future__ import annotations

import dataclasses
import fcntl
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlite_utils

from storage.errors import StoreError, StoreLockedError, StoreMissingError, StoreVersionError
from storage.records import TABLES, Record, as_row
from storage.schema import migrations

Row = dict[str, Any]
BATCH = 1000
LOCK_POLL_S = 0.2
log = logging.getLogger("bellwether")


class Store:
    """An open store. Use ``open_reader``, ``open_writer`` or ``create_store``.

    The writer holds an exclusive lock on ``<store>.lock`` for as long as it lives: SQLite before 3.51.3 can corrupt a WAL
    database when two connections write or checkpoint at once, and a second job should say who is in its way.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.path = path
        self._db = sqlite_utils.Database(connection)
        self._lock = lock

    def query(self, sql: str, parameters: Iterable[Any] | Mapping[str, Any] = ()) -> Iterator[Row]:
        """Rows of a SELECT as dictionaries, one by one."""
        cursor = self._db.conn.execute(sql, parameters if isinstance(parameters, Mapping) else tuple(parameters))
        names = [column[0] for column in cursor.description]
        for values in cursor:
            yield dict(zip(names, values, strict=True))

    def batches(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any], size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a SELECT as tuples, many at a time: for those who read millions."""
        cursor = self._db.conn.execute(sql, parameters)
        while rows := cursor.fetchmany(size):
            yield rows

    def value(self, sql: str, parameters: Iterable[Any] | Mapping[str, Any] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self._db.conn.execute(sql, parameters if isinstance(parameters, Mapping) else tuple(parameters)).fetchone()
        return row[0] if row else None

    def save(self, records: Iterable[Record]) -> None:
        """Inserts the records, or replaces the rows that carry their keys. Records of several kinds may be mixed."""
        by_table: dict[type, list[Row]] = {}
        for record in records:
            by_table.setdefault(type(record), []).append(as_row(record))
        with self.transaction():
            for kind in TABLES:  # parents before children
                if kind in by_table:
                    table, keys = TABLES[kind]
                    self._db.table(table).upsert_all(by_table[kind], pk=keys if len(keys) > 1 else keys[0], batch_size=BATCH)

    def save_rows(self, kind: type, rows: Iterable[tuple[Any, ...]]) -> None:
        """Inserts rows of one kind of record, fields in the record's order, or replaces those that carry their keys: for millions of rows."""
        table, _ = TABLES[kind]
        names = [field.name for field in dataclasses.fields(kind)]
        marks = ", ".join("?" * len(names))
        with self.transaction():
            self._db.conn.executemany(f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608 - our own names

    def execute(self, sql: str, parameters: Iterable[Any] | Mapping[str, Any] = ()) -> int:
        """Runs one statement that changes rows; returns how many it changed."""
        with self.transaction():
            cursor = self._db.conn.execute(sql, parameters if isinstance(parameters, Mapping) else tuple(parameters))
        return cursor.rowcount

    def execute_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Runs one statement for every row."""
        with self.transaction():
            self._db.conn.executemany(sql, rows)

    def execute_outside(self, sql: str) -> None:
        """Runs a statement that SQLite allows in no transaction, such as VACUUM."""
        self._db.conn.execute(sql)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested."""
        with self._db.atomic():
            yield

    def integrity(self) -> str:
        """``ok``, or what SQLite found wrong."""
        return str(self.value("PRAGMA integrity_check"))

    def truncate_log(self) -> bool:
        """Folds the write-ahead log back into the store and empties it; False while a reader still needs what is in it."""
        return not self.value("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes the connection; a writer folds its write-ahead log back and lets go of its lock."""
        if self._lock is not None:
            with suppress(sqlite3.OperationalError):  # a full disk: the log stays and is folded back by the next writer
                self.truncate_log()
        self._db.conn.close()
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def create_store(path: Path) -> None:
    """Makes an empty store, or brings an existing one up to date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    open_writer(path, job="init", create=True).close()


def copy_database(source: Path, target: Path) -> None:
    """Writes a consistent, compact copy of a SQLite file, also while others use it.

    Raises:
        StoreError: the source is damaged.
    """
    connection = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.DatabaseError as error:
        raise StoreError(f"cannot copy {source} to {target}: {error}; is there room? else run `bellwether doctor`") from error
    finally:
        connection.close()


def open_writer(path: Path, job: str, create: bool = False, wait_s: float = 0.0) -> Store:
    """The one writing connection, with all migrations applied; waits up to ``wait_s`` for another job to end.

    Raises:
        StoreMissingError: no store there.
        StoreLockedError: another job writes; the message names it.
        StoreVersionError: made by a newer version.
    """
    if not create:
        _require(path)
    lock = _take_lock(path, job, time.monotonic() + wait_s)
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        store = Store(path, connection, lock)
        _refuse_newer(store._db, path)
        migrations.apply(store._db)
    except sqlite3.DatabaseError as error:
        os.close(lock)
        raise StoreError(f"{path} is not a readable SQLite store: {error}; restore it from a backup") from error
    except BaseException:
        os.close(lock)
        raise
    return store


def open_reader(path: Path) -> Store:
    """A read-only connection; any number may be open beside the writer.

    Raises:
        StoreMissingError: no store there.
        StoreVersionError: made by a newer version, or not yet brought up to date.
    """
    _require(path)
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        store = Store(path, connection, None)
        _refuse_newer(store._db, path)
        if migrations.pending(store._db):
            raise StoreVersionError(f"{path} was made by an older version; run `bellwether init` in its folder to bring it up to date")
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is not a readable SQLite store: {error}; restore it from a backup") from error
    return store


def _require(path: Path) -> None:
    if not path.exists():
        raise StoreMissingError(f"no store at {path}; make one with `bellwether init` or name another with --db")


def lock_holder(path: Path) -> str | None:
    """Who writes the store now, in words; None when nobody does."""
    lock_path = _lock_path(path)
    holder = lock_path.read_text(encoding="utf-8", errors="replace").strip() if lock_path.exists() else ""
    process = re.search(r"process (\d+)", holder)
    return holder if process and is_alive(int(process[1])) else None


def is_alive(process: int) -> bool:
    """Whether a process of that number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _take_lock(path: Path, job: str, deadline: float) -> int:
    lock = os.open(_lock_path(path), os.O_RDWR | os.O_CREAT, 0o644)
    told = False
    while not _try_lock(lock):
        holder = _read_holder(lock)
        if time.monotonic() >= deadline:
            os.close(lock)
            raise StoreLockedError(f"{path} is being written by {holder}; wait for it to end, then try again, or set storage.wait_s")
        if not told:
            log.warning("waiting for %s, which writes %s", holder, path)
            told = True
        time.sleep(LOCK_POLL_S)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"`bellwether {job}` (process {os.getpid()})".encode(), 0)
    return lock


def _try_lock(lock: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_holder(lock: int) -> str:
    return os.pread(lock, 200, 0).decode(errors="replace").strip() or "another process"


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _refuse_newer(db: sqlite_utils.Database, path: Path) -> None:
    known = {migration.name for migration in migrations._migrations}
    unknown = sorted({migration.name for migration in migrations.applied(db)} - known)
    if unknown:
        raise StoreVersionError(f"{path} was made by a newer version of bellwether (it has {', '.join(unknown)}); upgrade bellwether")
