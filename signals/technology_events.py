"""From the crawl's technology observations to signal events: adopted, retired, a rival's product, end-of-support or on-premises software.

The quote is the line of the archived profile that shows what was seen. What ran at the first look is never "adopted": nobody knows since when.
An event is written once; what is seen later of the same technology does not change it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox import Sandbox, TaskFailure
from storage.archive import read_response
from storage.ids import content_key
from storage.records import Document, Failure, Record, SignalEvent
from storage.store import Row, Store

EXTRACTOR = "technology-1"
CONFIDENCE = 0.9
BATCH = 500


def extract_technology_events(store: Store, archive: Path, sandbox: Sandbox, rivals: frozenset[str], now: str) -> int:
    """Writes the events that are not there yet, and the profiles they quote as documents; how many events.

    Args:
        rivals: names of technologies that are rivals' products.
        now: the time stamped on failures.
    """
    known = {row["event_id"] for row in store.query("SELECT event_id FROM signal_events WHERE extractor_version = ?", (EXTRACTOR,))}
    due: dict[str, list[tuple[str, str, str, Row]]] = {}
    for row in store.query("SELECT * FROM technology_observations WHERE first_page_id IS NOT NULL ORDER BY observation_id"):
        for event_type, page_id, on in _iter_events(row, rivals):
            event_id = content_key("event", row["observation_id"], event_type)
            if event_id not in known:
                due.setdefault(page_id, []).append((event_id, event_type, on, row))
    n_events = 0
    records: list[Record] = []
    for page_id, wanted in due.items():
        page = next(store.query("SELECT * FROM pages WHERE page_id = ?", (page_id,)))
        document = _document(page, archive, sandbox, now)
        records.append(document)
        if isinstance(document, Document):
            events = [event for item in wanted if (event := _event(document, *item)) is not None]
            n_events += len(events)
            records += events
        if len(records) >= BATCH:
            store.save(records)
            records = []
    store.save(records)
    return n_events


def read_profile(body: bytes, warc_path: str, offset: int) -> dict[str, Any]:
    """Sandbox task: the text of an archived profile."""
    return {"text": read_response(Path(warc_path), offset).body.decode("utf-8", "replace")}


def _iter_events(row: Row, rivals: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Event type, the page that shows it, and its day."""
    if row["is_eventful"] and not row["is_baseline"]:
        yield "tech_adopted", row["first_page_id"], row["first_seen_on"]
    if row["is_eventful"] and row["retired_on"]:
        yield "tech_retired", row["last_page_id"], row["retired_on"]
    if row["technology"] in rivals:
        yield "competitor_tech_observed", row["first_page_id"], row["first_seen_on"]
    if row["legacy"]:
        yield "legacy_eos_exposure", row["last_page_id"] if not row["retired_on"] else row["first_page_id"], row["last_seen_on"]


def _document(page: Row, archive: Path, sandbox: Sandbox, now: str) -> Document | Failure:
    task = "signals.technology_events:read_profile"
    result = sandbox.run(task, b"", warc_path=str(archive / page["warc_file"]), offset=page["warc_offset"])
    if isinstance(result, TaskFailure):
        key = content_key("failure", "extract", page["page_id"])
        return Failure(key, "extract", page["page_id"], page["account_id"], result.reason, f"{page['url']}: {result.detail}", now)
    return Document(
        document_id=content_key("document", page["page_id"]),
        page_id=page["page_id"],
        account_id=page["account_id"],
        url=page["url"],
        canonical_url=None,
        kind="profile",
        title=result["text"].partition("\n")[0],
        text=result["text"],
        language=None,
        published_on=None,
        published_source=None,
        observed_at=page["fetched_at"],
        extractor_version=EXTRACTOR,
    )


def _event(document: Document, event_id: str, event_type: str, on: str, row: Row) -> SignalEvent | None:
    start = document.text.find(f"{'No longer seen' if event_type == 'tech_retired' else 'Seen'}: {row['technology']} ")
    if start < 0:
        return None
    end = document.text.index("\n", start)
    return SignalEvent(
        event_id=event_id,
        account_id=row["account_id"],
        document_id=document.document_id,
        event_type=event_type,
        subtype=row["technology"],
        polarity=1,
        status="completed",
        role="subject",
        stance="buyer",
        occurred_on=on,
        date_precision="day",
        date_source="observation",
        observed_at=f"{on}T00:00:00Z",  # the look's day: a profile that came back is archived under an earlier one
        quote=document.text[start:end],
        quote_start=start,
        quote_end=end,
        confidence=CONFIDENCE,
        extractor_version=EXTRACTOR,
        duplicate_of=None,
    )
