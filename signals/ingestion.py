"""Archived pages of anybody's WARC files into the store, in place of a crawl. The file stays where it is and is read there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox import Sandbox, TaskFailure
from storage.ids import content_key
from storage.records import Failure, Page, Record
from storage.store import Store
from urls import canonical_url, host_of, registrable_domain

HTML_TYPES = ("text/html", "application/xhtml+xml", "text/plain")


def ingest_file(
    store: Store, sandbox: Sandbox, file: Path, archive: Path, now: str, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, int]:
    """Stores a page for every successful response of the file; the rest become failures. Reading the same file again changes nothing.

    Returns:
        Counts: ``pages`` seen, ``new`` among them, ``failures``.
    """
    accounts = {
        registrable_domain(row["domain"]) or row["domain"]: row["account_id"]
        for row in store.query("SELECT domain, account_id FROM accounts")
    }
    blocked = {row["domain"] for row in store.query("SELECT domain FROM blocked_domains")}
    name = _archive_name(file, archive)
    before = store.value("SELECT count(*) FROM pages")
    counts = {"pages": 0, "new": 0, "failures": 0}
    start: int | None = 0
    while start is not None:
        listing = sandbox.run("storage.archive:list_responses", b"", path=str(file.absolute()), start=start)
        records: list[Record] = []
        if isinstance(listing, TaskFailure):
            records.append(_failure(f"{file}:{start}", listing.reason, listing.detail, now))
            listing = {"responses": [], "next": None, "error": None}
        if listing["error"]:
            records.append(_failure(f"{file}:{start}", "damaged", listing["error"], now))
        for response in listing["responses"]:
            record = _page_or_failure(response, name, accounts, blocked, now)
            counts["pages"] += isinstance(record, Page)
            records.append(record)
        counts["failures"] += sum(isinstance(record, Failure) for record in records)
        store.save(_without_known(store, records))
        start = listing["next"]
        on_progress(start or file.stat().st_size, file.stat().st_size)
    counts["new"] = store.value("SELECT count(*) FROM pages") - before
    return counts


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
