"""The nightly job: new pages → documents → signal events. Can be killed and started again at any point."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sandbox import Sandbox, TaskFailure
from signals.classifier import EventClassifier
from signals.events import DetectedEvent, TextInput, detect_events
from storage.ids import content_key
from storage.records import Document, Failure, Record, SignalEvent
from storage.store import Row, Store

EXTRACTOR = "1"
BATCH = 64
READABLE_KINDS = ("home", "article", "job", "listing", "other")
EVENTFUL_KINDS = ("article", "job", "forum", "product", "other")
SAME_HAPPENING_DAYS = 45


@dataclass(frozen=True, slots=True)
class ExtractionSummary:
    """What became of the pages."""

    n_pages: int
    n_documents: int
    n_events: int
    failures: dict[str, int]


def extract_pages(
    store: Store,
    archive: Path,
    classifier: EventClassifier,
    sandbox: Sandbox,
    now: str,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExtractionSummary:
    """Turns every page that has neither a document nor a failure of this extractor's version into one of the two.

    Args:
        archive: the folder that relative WARC names of pages refer to.
        now: the time stamped on failures.
    """
    version = f"{EXTRACTOR}-{classifier.version}"
    pages = list(store.query(_DUE_PAGES, {"version": version}))
    n_documents = n_events = 0
    failures: Counter[str] = Counter()
    touched: set[str] = set()
    done = 0
    for batch in _batches(pages, BATCH):
        documents: list[Document] = []
        records: list[Record] = []
        for page, result in zip(batch, sandbox.map("signals.documents:extract_document", _tasks(batch, archive)), strict=True):
            made = _document_or_failure(page, result, version, now)
            if isinstance(made, Failure):
                failures[made.reason] += 1
                records.append(made)
            else:
                documents.append(made)
            done += 1
            on_progress(done, len(pages))
        events = _events(store, classifier, documents, version)
        touched.update(event.account_id for event in events)
        _replace(store, [page["page_id"] for page in batch], [*documents, *events, *records])
        n_documents += len(documents)
        n_events += len(events)
    for account_id in sorted(touched):
        join_duplicates(store, account_id)
    return ExtractionSummary(len(pages), n_documents, n_events, dict(failures))


_DUE_PAGES = f"""
    SELECT p.*, a.account_name, a.domain AS account_domain FROM pages p LEFT JOIN accounts a USING (account_id)
    WHERE p.kind IN ({", ".join(f"'{kind}'" for kind in READABLE_KINDS)}) AND p.warc_file != ''
    AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.page_id = p.page_id AND d.extractor_version = :version)
    AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.subject = p.page_id AND f.stage = 'extract' AND f.detail LIKE '%[' || :version || ']')
    ORDER BY p.warc_file, p.warc_offset, p.page_id
"""  # noqa: S608 - constant names


def _tasks(pages: Sequence[Row], archive: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for page in pages:
        yield (
            b"",
            {
                "warc_path": str(archive / page["warc_file"]),
                "offset": page["warc_offset"],
                "published_hint": page["published_hint"],
                "page_kind": page["kind"],
            },
        )


def _document_or_failure(page: Row, result: Any, version: str, now: str) -> Document | Failure:
    if isinstance(result, TaskFailure):
        return _failure(page, result.reason, result.detail, version, now)
    if "failed" in result:
        return _failure(page, result["failed"], result["detail"], version, now)
    return Document(
        content_key("document", page["page_id"]),
        page["page_id"],
        page["account_id"],
        page["url"],
        result["canonical_url"],
        result["kind"],
        result["title"],
        result["text"],
        result["language"],
        result["published_on"],
        result["published_source"],
        page["fetched_at"],
        version,
    )


def _failure(page: Row, reason: str, detail: str, version: str, now: str) -> Failure:
    text = f"{page['url']}: {detail} [{version}]"
    return Failure(content_key("failure", "extract", page["page_id"]), "extract", page["page_id"], page["account_id"], reason, text, now)


def _events(store: Store, classifier: EventClassifier, documents: list[Document], version: str) -> list[SignalEvent]:
    names = _account_names(store, {document.account_id for document in documents if document.account_id})
    readable = [document for document in documents if document.account_id in names and document.kind in EVENTFUL_KINDS]
    # A text that stands on several pages is read once, and its events belong to the first.
    first_of: dict[tuple[str | None, str | None, str], Document] = {}
    for document in readable:
        first_of.setdefault((document.account_id, document.title, document.text), document)
    chosen = list(first_of.values())
    inputs = [
        TextInput(
            *names[document.account_id or ""],
            document.title,
            document.text,
            document.published_on,
            document.observed_at[:10],
            document.kind,
        )
        for document in chosen
    ]
    found = detect_events(classifier, inputs)
    return [_signal_event(document, event, version) for document, events in zip(chosen, found, strict=True) for event in events]


def _account_names(store: Store, account_ids: set[str]) -> dict[str, tuple[str, str]]:
    rows = store.query(
        "SELECT account_id, account_name, domain FROM accounts WHERE account_id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(account_ids)),),
    )
    return {row["account_id"]: (row["account_name"], row["domain"]) for row in rows}


def _signal_event(document: Document, event: DetectedEvent, version: str) -> SignalEvent:
    assert document.account_id is not None
    return SignalEvent(
        event_id=content_key("event", document.document_id, event.event_type),
        account_id=document.account_id,
        document_id=document.document_id,
        event_type=event.event_type,
        subtype=None,
        polarity=event.polarity,
        status=event.status,
        role="subject",
        stance="buyer",
        occurred_on=event.occurred_on,
        date_precision=event.date_precision,
        date_source=event.date_source,
        observed_at=document.observed_at,
        quote=event.quote,
        quote_start=event.quote_start,
        quote_end=event.quote_end,
        confidence=event.confidence,
        extractor_version=version,
        duplicate_of=None,
    )


def _replace(store: Store, page_ids: list[str], records: list[Record]) -> None:
    """Puts the records in place of whatever an older extractor made of the pages, in one transaction."""
    pages = json.dumps(page_ids)
    with store.transaction():
        store.execute(_DETACH_DUPLICATES, (pages,))
        store.execute(_DELETE_EVENTS, (pages,))
        store.execute("DELETE FROM failures WHERE stage = 'extract' AND subject IN (SELECT value FROM json_each(?))", (pages,))
        store.execute("DELETE FROM documents WHERE page_id IN (SELECT value FROM json_each(?))", (pages,))
        store.save(records)


_DELETE_EVENTS = """
    DELETE FROM signal_events WHERE document_id IN (SELECT document_id FROM documents WHERE page_id IN (SELECT value FROM json_each(?)))
"""
_DETACH_DUPLICATES = """
    UPDATE signal_events SET duplicate_of = NULL WHERE duplicate_of IN (
        SELECT event_id FROM signal_events JOIN documents USING (document_id) WHERE page_id IN (SELECT value FROM json_each(?)))
"""


def join_duplicates(store: Store, account_id: str) -> None:
    """One event per happening: of events of one type that lie close in time, the one known first stands for all.

    An account tells its news in several places: newsroom, blog, feed. Hiring events are joined by title, because each position counts once.
    """
    rows = store.query(
        "SELECT event_id, event_type, occurred_on, quote, duplicate_of FROM signal_events WHERE account_id = ? ORDER BY observed_at, occurred_on, event_id",
        (account_id,),
    )
    kept: list[Row] = []
    for row in list(rows):
        twin = next((other for other in kept if _is_same_happening(other, row)), None)
        if twin is None:
            kept.append(row)
        original = twin["event_id"] if twin else None
        if original != row["duplicate_of"]:
            store.execute("UPDATE signal_events SET duplicate_of = ? WHERE event_id = ?", (original, row["event_id"]))


def _is_same_happening(one: Row, other: Row) -> bool:
    if one["event_type"] != other["event_type"]:
        return False
    if one["event_type"].startswith("hiring_"):
        return bool(one["quote"].casefold() == other["quote"].casefold())
    days = abs((date.fromisoformat(one["occurred_on"]) - date.fromisoformat(other["occurred_on"])).days)
    return days <= SAME_HAPPENING_DAYS and _shared_words(one["quote"], other["quote"]) >= 0.35


def _shared_words(one: str, other: str) -> float:
    """Share of telling words (four letters and more, and numbers) that two sentences have in common."""
    first, second = set(_words(one)), set(_words(other))
    return len(first & second) / max(1, min(len(first), len(second)))


def _words(text: str) -> list[str]:
    return [word for word in "".join(char if char.isalnum() else " " for char in text.lower()).split() if len(word) >= 4 or word.isdigit()]


def _batches(rows: list[Row], size: int) -> Iterator[list[Row]]:
    for i in range(0, len(rows), size):
        yield rows[i : i + size]
