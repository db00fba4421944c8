"""Archived pages of anybody's WARC files into the store, in place of a crawl. The file stays where it is and is read there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from sandbox import Sandbox, TaskFailure
from storage.ids import content_key
from storage.records import Failure, Page, Record
from storage.store import Store
from urls import canonical_url, host_of, registrable_domain

HTML_TYPES = ("text/html", "application/xhtml+xml", "text/plain")


def ingest_files(
    store: Store,
    sandbox: Sandbox,
    files: Sequence[Path],
    archive: Path,
    now: str,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    domains: frozenset[str] | None = None,
    index: Path | None = None,
) -> dict[str, int]:
    """Stores a page for every successful response (in WET files: every text); the rest become failures. Reading a file again changes nothing.

    As many files are read at once as the sandbox has workers. How far each was read is stored with its pages, so a killed run goes on there.

    Args:
        domains: only records of these accounts, and nothing is noted of the others; None takes everything.
        index: a CDX or CDXJ index; of a file that it names only the records it points to are read.

    Returns:
        Counts: ``pages`` seen, ``new`` among them, ``failures``.
    """
    accounts = {
        registrable_domain(row["domain"]) or row["domain"]: row["account_id"]
        for row in store.query("SELECT domain, account_id FROM accounts")
    }
    if domains is not None:
        accounts = {domain: account_id for domain, account_id in accounts.items() if domain in domains}
    wanted = None if domains is None else frozenset(accounts)
    blocked = {row["domain"] for row in store.query("SELECT domain FROM blocked_domains")}
    offsets = read_index(index, wanted) if index else {}
    before = store.value("SELECT count(*) FROM pages")
    counts = {"pages": 0, "new": 0, "failures": 0}
    readings = [_Reading(store, file, offsets.get(file.name)) for file in files]
    n_bytes = sum(reading.n_bytes for reading in readings)
    waiting = [reading for reading in readings if not reading.is_done]
    under_way: dict[Future[Any], _Reading] = {}
    while waiting or under_way:
        while waiting and len(under_way) < sandbox.jobs:
            reading = waiting.pop(0)
            under_way[reading.submit(sandbox)] = reading
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            reading = under_way.pop(future)
            name = _archive_name(reading.file, archive)
            listing, problem = reading.take(future.result())
            records: list[Record] = [_failure(f"{reading.file}:{reading.start}", *problem, now)] if problem else []
            for response in listing:
                host = host_of(response["url"])
                if wanted is not None and (registrable_domain(host) or host) not in wanted:
                    continue
                record = _page_or_failure(response, name, accounts, blocked, now)
                counts["pages"] += isinstance(record, Page)
                records.append(record)
            counts["failures"] += sum(isinstance(record, Failure) for record in records)
            with store.transaction():
                store.save(_without_known(store, records))
                reading.save(store)
            if not reading.is_done:
                waiting.append(reading)
            on_progress(sum(each.done_bytes for each in readings), n_bytes)
    counts["new"] = store.value("SELECT count(*) FROM pages") - before
    return counts


class _Reading:
    """How far a file was read; what is left of it is read piece by piece."""

    def __init__(self, store: Store, file: Path, offsets: list[int] | None) -> None:
        self.file = file
        self.n_bytes = file.stat().st_size
        self._offsets = offsets
        row = next(store.query("SELECT next_offset, n_bytes FROM ingested_files WHERE path = ?", (self._key,)), None)
        known = row is not None and row["n_bytes"] == self.n_bytes
        self.start: int | None = row["next_offset"] if row and known else 0
        self._next = self.start
        if offsets is not None and self.start is not None:
            self._offsets = [offset for offset in offsets if offset >= self.start]
            self.start = self._next = self._offsets[0] if self._offsets else None

    @property
    def _key(self) -> str:
        return f"{self.file.absolute()}{'' if self._offsets is None else '#index'}"

    @property
    def is_done(self) -> bool:
        return self._next is None

    @property
    def done_bytes(self) -> int:
        return self.n_bytes if self._next is None else self._next

    def submit(self, sandbox: Sandbox) -> Future[Any]:
        self.start = self._next
        options = {"path": str(self.file.absolute()), "start": self.start, "limit": 200 if self._offsets is None else 1}
        return sandbox.submit("storage.archive:list_responses", b"", **options)

    def take(self, listing: Any) -> tuple[list[dict[str, Any]], tuple[str, str] | None]:
        """The responses of a piece, and what was wrong with it; from here on the next piece is due."""
        problem: tuple[str, str] | None
        if isinstance(listing, TaskFailure):
            problem, listing = (listing.reason, listing.detail), {"responses": [], "next": None}
        else:
            is_ours = self._offsets is None or not listing["responses"]  # damage after the record that the index points to is nothing to us
            problem = ("damaged", listing["error"]) if listing["error"] and is_ours else None
        if self._offsets is None:
            self._next = listing["next"]
        else:
            self._offsets.pop(0)
            self._next = self._offsets[0] if self._offsets else None
        return listing["responses"], problem

    def save(self, store: Store) -> None:
        """Notes how far the file was read."""
        store.execute("INSERT OR REPLACE INTO ingested_files VALUES (?, ?, ?)", (self._key, self._next, self.n_bytes))


def read_index(path: Path, wanted: frozenset[str] | None) -> dict[str, list[int]]:
    """File name → offsets of the wanted domains' successful records, by a CDX or CDXJ index (gzipped or not).

    Source: the CDX formats of the Internet Archive and of pywb; Common Crawl's index is CDXJ.
    """
    found: dict[str, set[int]] = {}
    columns = "N b a m s k r M S V g".split()
    with (
        gzip.open(path, "rt", encoding="utf-8", errors="replace")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8", errors="replace") as lines
    ):
        for line in lines:
            if line.lstrip().startswith("CDX "):
                columns = line.split()[1:]
                continue
            entry = _index_entry(line, columns)
            if entry is None:
                continue
            url, file, offset = entry
            host = host_of(url)
            if wanted is None or (registrable_domain(host) or host) in wanted:
                found.setdefault(file.rpartition("/")[2], set()).add(offset)
    return {name: sorted(offsets) for name, offsets in found.items()}


def _index_entry(line: str, columns: list[str]) -> tuple[str, str, int] | None:
    """``(url, file, offset)`` of a line; None for what is no successful record.

    >>> _index_entry('test,tern)/ 2026 {"url": "https://tern.test/", "status": "200", "filename": "a/b.warc.gz", "offset": "17"}', [])
    ('https://tern.test/', 'a/b.warc.gz', 17)
    >>> _index_entry("test,tern)/ 2026 https://tern.test/ text/html 200 X - - 9 17 b.warc.gz", "N b a m s k r M S V g".split())
    ('https://tern.test/', 'b.warc.gz', 17)
    """
    _, brace, rest = line.partition("{")
    try:
        if brace:
            entry = json.loads(brace + rest)
            url, status, file, offset = (str(entry.get(name, "")) for name in ("url", "status", "filename", "offset"))
        else:
            entry = dict(zip(columns, line.split(), strict=False))
            url, status, file, offset = (entry.get(name, "") for name in ("a", "s", "g", "V"))
        return (url, file, int(offset)) if url and file and status in ("200", "-", "") else None
    except (ValueError, AttributeError):
        return None


def _archive_name(file: Path, archive: Path) -> str:
    """How pages name the file: relative to the archive when it lies inside, else its full path."""
    absolute = file.absolute()
    return str(absolute.relative_to(archive)) if absolute.is_relative_to(archive) else str(absolute)


def _page_or_failure(response: dict[str, Any], name: str, accounts: dict[str, str], blocked: set[str], now: str) -> Page | Failure:
    url, host = response["url"], host_of(response["url"])
    if response["http_status"] != 200:
        return _failure(url or name, "http_status", f"the archived status is {response['http_status']}", now)
    if not host:
        return _failure(url or name, "bad_url", "the record names no host", now)
    if host in blocked or registrable_domain(host) in blocked:
        return _failure(url, "blocked", "the domain was opted out or forgotten", now)
    content_type = (response["content_type"] or "text/html").split(";")[0].strip().lower()
    if content_type not in HTML_TYPES:
        return _failure(url, "not_html", f"the content type is {content_type[:80]}", now)
    return Page(
        page_id=content_key("page", canonical_url(url), response["content_hash"]),
        account_id=accounts.get(registrable_domain(host) or host),
        domain=host,
        url=url,
        kind="other",
        http_status=200,
        content_type=response["content_type"],
        content_hash=response["content_hash"],
        warc_file=name,
        warc_offset=response["offset"],
        fetched_at=response["archived_at"] or now,
        checked_at=response["archived_at"] or now,
        published_hint=None,
        etag=None,
        last_modified=None,
    )


def _without_known(store: Store, records: list[Record]) -> list[Record]:
    """Leaves out pages that are stored already: their first archived record stays the evidence."""
    return [
        record
        for record in records
        if not (isinstance(record, Page) and store.value("SELECT 1 FROM pages WHERE page_id = ?", (record.page_id,)))
    ]


def _failure(subject: str, reason: str, detail: str, now: str) -> Failure:
    return Failure(content_key("failure", "ingest", subject, reason), "ingest", subject, None, reason, detail, now)
