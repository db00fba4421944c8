"""What readers say of events: a wrong one is neither scored nor reported from that day on, and becomes a training example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from storage.errors import InputError
from storage.feedback import WRONG_EVENTS
from storage.ids import content_key
from storage.records import EventFeedback
from storage.store import Row, Store

READ_CHARS = 2_800  # what the classifier reads of a text


def give_feedback(store: Store, event_id: str, verdict: str, reason: str | None, given_on: date) -> EventFeedback:
    """The word that was kept, on the event that stands for the happening; saying the same again changes nothing.

    Raises:
        InputError: no such event.
    """
    event = next(
        store.query("SELECT coalesce(duplicate_of, event_id) AS event_id, account_id FROM signal_events WHERE event_id = ?", (event_id,)),
        None,
    )
    if event is None:
        raise InputError(f"no event has the id {event_id!r}; `bellwether explain ACCOUNT --json` lists an account's events with their ids")
    before = list(store.query("SELECT * FROM event_feedback WHERE event_id = ? ORDER BY sequence", (event["event_id"],)))
    if before and (before[-1]["verdict"], before[-1]["reason"]) == (verdict, reason):
        return EventFeedback(**before[-1])
    sequence = len(before) + 1
    key = content_key("feedback", event["event_id"], sequence)
    feedback = EventFeedback(key, event["event_id"], event["account_id"], verdict, reason, given_on.isoformat(), sequence)
    store.save([feedback])
    return feedback


def export_examples(store: Store, path: Path, as_of: date) -> int:
    """Writes a training example for every document of which an event was judged; how many.

    Its labels are the events that were not called wrong; what was called wrong stands as its trap.
    """
    n_examples = 0
    with path.open("w", encoding="utf-8") as file:
        for example in _iter_examples(store, as_of):
            file.write(json.dumps(example, ensure_ascii=False) + "\n")
            n_examples += 1
    return n_examples


def _iter_examples(store: Store, as_of: date) -> Iterator[dict[str, Any]]:
    day = {"until": as_of.isoformat()}
    wrong = {row["event_id"] for row in store.query(WRONG_EVENTS, day)}
    for document in list(store.query(_JUDGED_DOCUMENTS, day)):
        events = list(store.query(_EVENTS, day | {"document_id": document["document_id"]}))
        traps = [event for event in events if event["happening"] in wrong]
        labels = {event["event_type"]: event["quote"] for event in events if event["happening"] not in wrong}
        yield {
            "id": f"feedback-{document['document_id']}",
            "voice": document["kind"],
            "account": document["account_name"],
            "title": document["title"] or "",
            "text": document["text"][:READ_CHARS],
            "labels": labels,
            "trap": _trap(traps),
        }


def _trap(events: list[Row]) -> dict[str, str] | None:
    if not events:
        return None
    return {
        "type": ", ".join(event["event_type"] for event in events),
        "why": "; ".join(event["reason"] or "a reader called it wrong" for event in events),
    }


# A happening's documents are all judged with it.
_JUDGED_DOCUMENTS = """
    SELECT DISTINCT d.document_id, d.kind, d.title, d.text, a.account_name
    FROM event_feedback f JOIN signal_events e ON f.event_id IN (e.event_id, e.duplicate_of)
    JOIN documents d USING (document_id) JOIN accounts a ON a.account_id = e.account_id
    WHERE f.given_on <= :until AND d.kind != 'profile' ORDER BY d.document_id
"""
_EVENTS = """
    SELECT e.event_type, e.quote, coalesce(e.duplicate_of, e.event_id) AS happening,
           (SELECT f.reason FROM event_feedback f WHERE f.event_id = coalesce(e.duplicate_of, e.event_id) AND f.given_on <= :until
            ORDER BY f.sequence DESC LIMIT 1) AS reason
    FROM signal_events e WHERE e.document_id = :document_id ORDER BY e.event_type
"""
