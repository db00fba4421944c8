"""The jobs behind ``bellwether feedback``."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from bellwether.config import load_config
from signals.feedback import export_examples, give_feedback
from storage.errors import UnknownAccountError
from storage.records import EventFeedback
from storage.store import Row, open_reader, open_writer


def run_feedback(db: Path | None, event_id: str, verdict: str, reason: str | None, given_on: date) -> EventFeedback:
    """The word that was kept."""
    with open_writer(load_config(db).db, "feedback") as store:
        return give_feedback(store, event_id, verdict, reason, given_on)


def run_export(db: Path | None, path: Path, as_of: date) -> int:
    """How many examples were written."""
    with open_reader(load_config(db).db) as store:
        return export_examples(store, path, as_of)


def list_events(db: Path | None, domain: str) -> list[Row]:
    """An account's happenings, latest first, each with the last word on it.

    Raises:
        UnknownAccountError: no account with that domain.
    """
    with open_reader(load_config(db).db) as store:
        account_id = store.value("SELECT account_id FROM accounts WHERE domain = ?", (domain.lower(),))
        if account_id is None:
            raise UnknownAccountError(
                f"no account has the domain {domain!r}; give an account's domain, or an event's id with --wrong or --right"
            )
        return list(
            store.query(
                """SELECT event_id, event_type, occurred_on,
                (SELECT verdict FROM event_feedback f WHERE f.event_id = e.event_id ORDER BY sequence DESC LIMIT 1) AS verdict, quote
                FROM signal_events e WHERE account_id = ? AND duplicate_of IS NULL ORDER BY occurred_on DESC, event_id""",
                (account_id,),
            )
        )
