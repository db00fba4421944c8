"""The nightly job: new pages → documents → signal events. Can be killed and started again at any point.

Pages are parsed in the sandbox, texts are read in threads (the encoder lets go of the interpreter), and this thread alone writes, in the order of the
pages: each chunk with its events and their joining is one transaction. Nothing waits in longer queues than AHEAD says, so memory is flat.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import Sandbox, TaskFailure
from signals.classifier import EventClassifier
from signals.events import DetectedEvent, TextInput, detect_events
from signals.happenings import Happenings
from signals.minilm import compute_on_one_core, keep_freed_memory
from storage.ids import content_key
from storage.records import Document, Failure, SignalEvent
from storage.store import Row, Store

EXTRACTOR = "3"
CHUNK = 64
PAGES_AHEAD = 32  # parsed or being parsed, beyond the chunks
CHUNKS_AHEAD = 3  # being read
READABLE_KINDS = ("home", "article", "job", "listing", "other")
EVENTFUL_KINDS = ("article", "job", "forum", "product", "other")


@dataclass(frozen=True, slots=True)
class ExtractionSummary:
    """What became of the pages; ``n_repeated`` documents carry a text that their account had published before, and were not read again."""

    n_pages: int
    n_documents: int
    n_repeated: int
    n_events: int
    failures: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Pages in a row, what was made of them, and the documents that are being read."""

    page_ids: list[str]
    made: list[Document | Failure]
    read: list[Document]
    repeated: list[Document]
    events: Future[list[list[DetectedEvent]]]


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
    keep_freed_memory()
    job = _ExtractionJob(store, archive, classifier, now)
    n_pages = job.list_due_pages()
    waiting: deque[_Chunk] = deque()
    with ThreadPoolExecutor(sandbox.jobs, thread_name_prefix="reader", initializer=compute_on_one_core) as readers:
        for pages, results in _in_chunks(job.iter_parsed(sandbox), CHUNK):
            waiting.append(job.begin(pages, results, readers))
            if len(waiting) > CHUNKS_AHEAD:
                on_progress(job.finish(waiting.popleft()), n_pages)
        while waiting:
            on_progress(job.finish(waiting.popleft()), n_pages)
    return ExtractionSummary(n_pages, job.n_documents, job.n_repeated, job.n_events, dict(job.failures))


def list_due_accounts(store: Store, classifier: EventClassifier) -> list[tuple[str | None, int]]:
    """Accounts that have due pages, in the order of their ids, and how many; None, the first, for pages of nobody."""
    job = _ExtractionJob(store, Path(), classifier, "")
    job.list_due_pages()
    rows = store.query("SELECT p.account_id, count(*) AS n FROM due_pages JOIN pages p USING (page_id) GROUP BY 1 ORDER BY 1")
    return [(row["account_id"], row["n"]) for row in rows]


class _ExtractionJob:
    def __init__(self, store: Store, archive: Path, classifier: EventClassifier, now: str) -> None:
        self.store = store
        self.archive = archive
        self.classifier = classifier
        self.now = now
        self.version = f"{EXTRACTOR}-{classifier.version}"
        self.happenings = Happenings()
        self.being_read: set[tuple[str, str]] = set()  # accounts and keys of texts in chunks that are not written yet
        self.n_pages = self.n_documents = self.n_repeated = self.n_events = 0
        self.failures: Counter[str] = Counter()

    def list_due_pages(self) -> int:
        """Notes the due pages in a table of this connection, in the order in which they lie in the archive; how many."""
        self.store.execute_outside("DROP TABLE IF EXISTS temp.due_pages")
        self.store.execute_outside("CREATE TEMP TABLE due_pages (place INTEGER PRIMARY KEY, page_id TEXT NOT NULL)")
        return self.store.execute(_LIST_DUE_PAGES, {"version": self.version})

    def iter_parsed(self, sandbox: Sandbox) -> Iterator[tuple[Row, Any]]:
        """Due pages with what the sandbox made of them, in order."""
        ahead: deque[tuple[Row, Future[Any]]] = deque()
        for page in self._iter_due_pages():
            options = {
                "warc_path": str(self.archive / page["warc_file"]),
                "offset": page["warc_offset"],
                "published_hint": page["published_hint"],
                "page_kind": page["kind"],
            }
            ahead.append((page, sandbox.submit("signals.documents:extract_document", b"", **options)))
            if len(ahead) > PAGES_AHEAD:
                done, result = ahead.popleft()
                yield done, result.result()
        for done, result in ahead:
            yield done, result.result()

    def _iter_due_pages(self) -> Iterator[Row]:
        place = 0
        while pages := list(self.store.query(_DUE_PAGES, (place, CHUNK))):
            place = pages[-1]["place"]
            yield from pages

    def begin(self, pages: list[Row], results: list[Any], readers: ThreadPoolExecutor) -> _Chunk:
        """Makes documents of the results, and has those read that carry a new text of an account."""
        made = [_document_or_failure(page, result, self.version, self.now) for page, result in zip(pages, results, strict=True)]
        documents = [item for item in made if isinstance(item, Document) and item.account_id and item.kind in EVENTFUL_KINDS]
        names = _account_names(self.store, {document.account_id for document in documents if document.account_id})
        read: list[Document] = []
        repeated: list[Document] = []
        for document in documents:
            text = (document.account_id or "", document.text_key or "")
            is_known = text in self.being_read or self.store.value(_IS_READ, (*text, self.version)) is not None
            (repeated if is_known else read).append(document)
            self.being_read.add(text)
        inputs = [_text_input(document, names[document.account_id or ""]) for document in read]
        events = readers.submit(detect_events, self.classifier, inputs)
        return _Chunk([page["page_id"] for page in pages], made, read, repeated, events)

    def finish(self, chunk: _Chunk) -> int:
        """Puts a chunk in place of whatever an older extractor made of its pages, in one transaction; how many pages are done."""
        found = chunk.events.result()
        events = [_signal_event(document, event, self.version) for document, each in zip(chunk.read, found, strict=True) for event in each]
        pages = (json.dumps(chunk.page_ids),)
        repeated = {document.document_id for document in chunk.repeated}
        with self.store.transaction():
            touched = {row["account_id"] for row in self.store.query(_ACCOUNTS_OF_EVENTS, pages)}
            for statement in _REMOVALS:
                self.store.execute(statement, pages)
            self.store.save([*(item for item in chunk.made if not (isinstance(item, Document) and item.document_id in repeated)), *events])
            for document in chunk.repeated:  # one by one, so that each finds those before it and no others, wherever chunks begin
                copies = self._copies(document)
                self.store.save([document, *copies])
                events += copies
            for account_id in sorted(touched | {event.account_id for event in events}):
                self.happenings.join(self.store, account_id)
        self.being_read -= {(document.account_id or "", document.text_key or "") for document in (*chunk.read, *chunk.repeated)}
        self.n_pages += len(chunk.page_ids)
        self.n_documents += sum(isinstance(item, Document) for item in chunk.made)
        self.n_repeated += len(chunk.repeated)
        self.n_events += len(events)
        self.failures.update(item.reason for item in chunk.made if isinstance(item, Failure))
        return self.n_pages

    def _copies(self, document: Document) -> list[SignalEvent]:
        """The events of a text that was read before, with this document as another source; none where the same page was only fetched again."""
        twins = list(self.store.query(_TWINS, (document.account_id, document.text_key, self.version)))
        if any((twin["canonical_url"] or twin["url"]) == (document.canonical_url or document.url) for twin in twins):
            return []
        first = next((twin["document_id"] for twin in twins if twin["n_events"]), None)
        return [
            dataclasses.replace(
                SignalEvent(**row),
                event_id=content_key("event", document.document_id, row["event_type"]),
                document_id=document.document_id,
                observed_at=document.observed_at,
                duplicate_of=None,
            )
            for row in self.store.query("SELECT * FROM signal_events WHERE document_id = ?", (first,))
        ]


_LIST_DUE_PAGES = f"""
    INSERT INTO due_pages (page_id) SELECT p.page_id FROM pages p
    WHERE p.kind IN ({", ".join(f"'{kind}'" for kind in READABLE_KINDS)}) AND p.warc_file != ''
    AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.page_id = p.page_id AND d.extractor_version = :version)
    AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.subject = p.page_id AND f.stage = 'extract' AND f.detail LIKE '%[' || :version || ']')
    ORDER BY p.warc_file, p.warc_offset, p.page_id
"""  # noqa: S608 - constant names
_DUE_PAGES = "SELECT p.*, due.place FROM due_pages due JOIN pages p USING (page_id) WHERE due.place > ? ORDER BY due.place LIMIT ?"
_IS_READ = "SELECT 1 FROM documents WHERE account_id = ? AND text_key = ? AND extractor_version = ?"
_TWINS = """
    SELECT d.document_id, d.url, d.canonical_url, (SELECT count(*) FROM signal_events e WHERE e.document_id = d.document_id) AS n_events
    FROM documents d WHERE d.account_id = ? AND d.text_key = ? AND d.extractor_version = ? ORDER BY d.document_id
"""
_ACCOUNTS_OF_EVENTS = """
    SELECT DISTINCT e.account_id FROM signal_events e JOIN documents d USING (document_id) WHERE d.page_id IN (SELECT value FROM json_each(?))
"""
_REMOVALS = (
    """UPDATE signal_events SET duplicate_of = NULL WHERE duplicate_of IN (
        SELECT event_id FROM signal_events JOIN documents USING (document_id) WHERE page_id IN (SELECT value FROM json_each(?)))""",
    """DELETE FROM signal_events WHERE document_id IN (
        SELECT document_id FROM documents WHERE page_id IN (SELECT value FROM json_each(?)))""",
    "DELETE FROM failures WHERE stage = 'extract' AND subject IN (SELECT value FROM json_each(?))",
    "DELETE FROM documents WHERE page_id IN (SELECT value FROM json_each(?))",
)


def _in_chunks(parsed: Iterator[tuple[Row, Any]], size: int) -> Iterator[tuple[list[Row], list[Any]]]:
    pages: list[Row] = []
    results: list[Any] = []
    for page, result in parsed:
        pages.append(page)
        results.append(result)
        if len(pages) == size:
            yield pages, results
            pages, results = [], []
    if pages:
        yield pages, results


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
        content_key("text", result["kind"], result["published_on"], result["title"], result["text"]),
    )


def _failure(page: Row, reason: str, detail: str, version: str, now: str) -> Failure:
    text = f"{page['url']}: {detail} [{version}]"
    return Failure(content_key("failure", "extract", page["page_id"]), "extract", page["page_id"], page["account_id"], reason, text, now)


def _account_names(store: Store, account_ids: set[str]) -> dict[str, tuple[str, str]]:
    rows = store.query(
        "SELECT account_id, account_name, domain FROM accounts WHERE account_id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(account_ids)),),
    )
    return {row["account_id"]: (row["account_name"], row["domain"]) for row in rows}


def _text_input(document: Document, name_and_domain: tuple[str, str]) -> TextInput:
    return TextInput(*name_and_domain, document.title, document.text, document.published_on, document.observed_at[:10], document.kind)


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
        details=json.dumps(event.details, ensure_ascii=False) if event.details else None,
    )
