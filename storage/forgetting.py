"""Forgetting a company: its rows, its archived pages, and its return."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from storage.errors import StoreError
from storage.ids import content_hash, content_key
from storage.store import Store

ListRecords = Callable[[Path, int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ForgetSummary:
    """What was removed: rows, archived records, written reports.

    ``files_left`` are the operator's own and may still hold the company: archives outside the archive folder, and reports changed since they were written.
    """

    domain: str
    n_rows: int
    n_archive_records: int
    n_files: int
    files_left: list[str]


def forget_domain(store: Store, archive: Path, domain: str, blocked_on: str, list_records: ListRecords) -> ForgetSummary:
    """Removes every trace of a company and blocks its domain from then on; may be killed and run again.

    New archive files are complete before the store points to them, and old ones go after it no longer does.

    Args:
        list_records: ``(path, start)`` → ``{"responses": [{"offset", "url"}…], "next": offset or None, "error"}``, as ``list_responses`` gives.
    """
    theirs: dict[str, set[int]] = {}  # also what the company said on other people's hosts
    for row in store.query(_PAGES_OF_COMPANY, (domain,)):
        theirs.setdefault(row["warc_file"], set()).add(row["warc_offset"])
    names = sorted(theirs)
    own = [name for name in names if not Path(name).is_absolute() and (archive / name).exists()]
    rewritten = {name: _without_domain(archive / name, domain, theirs[name], list_records) for name in own}
    accounts = list(store.query("SELECT account_id, account_name, customer_id FROM accounts WHERE domain = ?", (domain,)))
    account_ids = [row["account_id"] for row in accounts]
    traces = [domain, *(row[name] for row in accounts for name in ("account_name", "customer_id") if row[name])]
    n_files, changed_files = _remove_written(store, traces)
    with store.transaction():
        store.execute("PRAGMA defer_foreign_keys = ON")
        for name, (new_name, offsets, _) in rewritten.items():
            for old, new in offsets.items():
                store.execute(
                    "UPDATE pages SET warc_file = ?, warc_offset = ? WHERE warc_file = ? AND warc_offset = ?", (new_name, new, name, old)
                )
        n_rows = sum(_delete(store, table, condition, parameter) for table, condition, parameter in _traces(store, account_ids, domain))
        store.execute("INSERT INTO listed_trigrams(listed_trigrams) VALUES ('rebuild')")
        store.execute("INSERT OR REPLACE INTO blocked_domains VALUES (?, 'forgotten', ?)", (domain, blocked_on))
    remove_unreferenced(store, archive)
    store.execute_outside("VACUUM")
    if not store.truncate_log():
        raise StoreError(
            f"the rows of {domain} are gone, but another process still reads what they were and keeps them in {store.path}-wal; "
            "stop the hub and other readers, then run forget again"
        )
    left = [name for name in names if name not in own] + changed_files
    return ForgetSummary(domain, n_rows, sum(n for _, _, n in rewritten.values()), n_files, left)


_PAGES_OF_COMPANY = """
    SELECT warc_file, warc_offset FROM pages LEFT JOIN accounts USING (account_id) WHERE ? IN (pages.domain, accounts.domain) ORDER BY 1, 2
"""


def _traces(store: Store, account_ids: list[str], domain: str) -> Iterator[tuple[str, str, str]]:
    """(table, condition, parameter) of every row that speaks of the company, children before parents."""
    tables = [row["name"] for row in store.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    with_account = [table for table in tables if store.value("SELECT 1 FROM pragma_table_info(?) WHERE name = 'account_id'", (table,))]
    yield "documents", "page_id IN (SELECT page_id FROM pages WHERE domain = ?)", domain
    yield "failures", "instr(detail || ' ' || subject, ?) > 0", domain
    yield "pages", "domain = ?", domain
    for account_id in account_ids:
        for table in [*(name for name in with_account if name != "accounts"), "accounts"]:
            yield table, "account_id = ?", account_id


def _delete(store: Store, table: str, condition: str, parameter: str) -> int:
    return store.execute(f"DELETE FROM {table} WHERE {condition}", (parameter,))  # noqa: S608 - names from the schema


def _without_domain(path: Path, domain: str, theirs: set[int], list_records: ListRecords) -> tuple[str, dict[int, int], int]:
    """Writes a copy without the domain's records and those at the given offsets: (its name, old offset → new offset, number of records left out)."""
    records = list(_iter_records(path, list_records))
    ends = [offset for offset, _ in records[1:]] + [path.stat().st_size]
    new_path = path.with_name(content_key("forgotten", path.name, domain)[:16] + ".warc.gz")
    offsets: dict[int, int] = {}
    with path.open("rb") as old, new_path.open("wb") as new:
        for (offset, url), end in zip(records, ends, strict=True):
            host = urlsplit(url).hostname or ""
            if host == domain or host.endswith("." + domain) or offset in theirs:
                continue
            old.seek(offset)
            offsets[offset] = new.tell()
            new.write(old.read(end - offset))
        new.flush()
        os.fsync(new.fileno())
    return new_path.name, offsets, len(records) - len(offsets)


def _iter_records(path: Path, list_records: ListRecords) -> Iterator[tuple[int, str]]:
    start: int | None = 0
    while start is not None:
        listing = list_records(path, start)
        yield from ((record["offset"], record["url"]) for record in listing["responses"])
        start = listing["next"]


def _remove_written(store: Store, traces: list[str]) -> tuple[int, list[str]]:
    """How many written files that name the company were removed, and those that were changed since: they are somebody's own now."""
    n_removed, changed = 0, []
    for row in list(store.query("SELECT path, sha256 FROM written_files ORDER BY path")):
        path = store.path.parent / row["path"]  # a path inside the store's folder is kept relative, so that the folder can be moved
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix in (".csv", ".html") and content and not any(trace.encode() in content for trace in traces):
            continue
        if content and content_hash(content) != row["sha256"]:
            changed.append(row["path"])
            continue
        n_removed += bool(content)
        path.unlink(missing_ok=True)
        store.execute("DELETE FROM written_files WHERE path = ?", (row["path"],))
    return n_removed, changed


def remove_unreferenced(store: Store, archive: Path) -> None:
    """Files that no page refers to: those just replaced, and what a killed job left behind."""
    referenced = {row["warc_file"] for row in store.query("SELECT DISTINCT warc_file FROM pages")}
    for path in sorted(archive.glob("*.warc.gz")):
        if path.name not in referenced:
            path.unlink()
