"""JSON lines of texts in, JSON lines of events out, in the same order; a bad line gives a line that says what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from signals.classifier import EventClassifier
from signals.events import DetectedEvent, TextInput, detect_events
from signals.publication_dates import parse_iso_date

BATCH = 64


def iter_events_of_lines(classifier: EventClassifier, lines: Iterable[str], today: str) -> Iterator[str]:
    """Lines ``{"id", "events": [{"type", "confidence", "status", "occurred_on", "quote"}]}``; with ``"error"`` for a line that cannot be read.

    Args:
        today: stands in for the publication date where a line has none.
    """
    remaining = iter(line for line in lines if line.strip())
    while batch := list(islice(remaining, BATCH)):
        rows = [_parse(line) for line in batch]
        inputs = [to_text_input(row, today) for row in rows if "error" not in row]
        found = iter(detect_events(classifier, inputs))
        for row in rows:
            if "error" in row:
                yield json.dumps({"id": row.get("id"), "events": [], "error": row["error"]}, ensure_ascii=False)
            else:
                yield json.dumps({"id": row.get("id"), "events": [_as_object(event) for event in next(found)]}, ensure_ascii=False)


def to_text_input(row: dict[str, Any], today: str) -> TextInput:
    """A line's fields as the detector wants them."""
    published = parse_iso_date(str(row.get("published") or ""))
    return TextInput(
        str(row.get("account") or ""),
        str(row.get("domain") or ""),
        str(row.get("title") or ""),
        str(row.get("text") or ""),
        published,
        published or today,
    )


def _parse(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"error": f"no JSON: {error}"}
    if not isinstance(row, dict):
        return {"error": f"must be a JSON object, is {type(row).__name__}"}
    if not (row.get("title") or row.get("text")):
        return row | {"error": "has neither title nor text"}
    return row


def _as_object(event: DetectedEvent) -> dict[str, Any]:
    return {
        "type": event.event_type,
        "confidence": event.confidence,
        "status": event.status,
        "occurred_on": event.occurred_on,
        "quote": event.quote,
    }
