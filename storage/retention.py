"""How long what was collected is kept: archive files and events that are older than the operator wants are let go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage.clock import utc_text
from storage.forgetting import remove_unreferenced
from storage.store import Store

N_JOB_RUNS = 10_000


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The oldest time and date that are kept; None keeps everything."""

    archived_at: str | None
    occurred_on: str | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """What is older than it should be, or what was let go."""

    n_archive_files: int
    n_pages: int
    n_events: int
    n_texts: int


def cutoffs(now: str, archive_days: int | None, event_days: int | None) -> Cutoffs:
    """The cutoffs of so many days before a time.

    >>> cutoffs("2026-11-01T06:00:00Z", 30, None)
    Cutoffs(archived_at='2026-10-02T06:00:00Z', occurred_on=None)
    """
    moment = datetime.fromisoformat(now).astimezone(UTC)
    archived_at = utc_text(moment - timedelta(days=archive_days)) if archive_days is not None else None
    occurred_on = (moment - timedelta(days=event_days)).date().isoformat() if event_days is not None else None
    return Cutoffs(archived_at, occurred_on)


def count_overdue(store: Store, keep: Cutoffs) -> Overdue:
    """What ``let_go`` would remove now."""
    files = _old_files(store, keep)
    n_pages = sum(int(store.value("SELECT count(*) FROM pages WHERE warc_file = ?", (name,))) for name in files)
    n_events, n_texts = (
        int(store.value(f"SELECT count(*) FROM {condition}", {"day": keep.occurred_on or ""}))  # noqa: S608 - constants
        for condition in ("signal_events WHERE occurred_on < :day", f"documents WHERE {_OLD_TEXT}")
    )
    return Overdue(len(files), n_pages, n_events, n_texts)


def let_go(store: Store, archive: Path, keep: Cutoffs) -> Overdue:
    """Removes what is too old; may be killed and run again.

    An archive file goes when its newest page is too old; its pages stay as rows without a file, so that nothing fetches or reads them again. Files
    outside the archive folder are the operator's own and stay. A page whose text is removed stays, and so does the fact that it was read.
    """
    found = count_overdue(store, keep)
    files = _old_files(store, keep)
    with store.transaction():
        for name in files:
            store.execute("UPDATE pages SET warc_file = '', warc_offset = 0 WHERE warc_file = ?", (name,))
        if keep.occurred_on is not None:
            day = {"day": keep.occurred_on}
            store.execute(
                "UPDATE signal_events SET duplicate_of = NULL"
                " WHERE duplicate_of IN (SELECT event_id FROM signal_events WHERE occurred_on < :day)",
                day,
            )
            store.execute("DELETE FROM signal_events WHERE occurred_on < :day", day)
            store.execute(f"UPDATE documents SET text = '', title = NULL WHERE {_OLD_TEXT}", day)  # noqa: S608 - a constant
        store.execute(
            "DELETE FROM job_runs WHERE job_run_id NOT IN (SELECT job_run_id FROM job_runs ORDER BY started_at DESC LIMIT ?)", (N_JOB_RUNS,)
        )
    if files:
        remove_unreferenced(store, archive)
    return found


_OLD_TEXT = (
    "substr(observed_at, 1, 10) < :day AND text != ''"
    " AND NOT EXISTS (SELECT 1 FROM signal_events e WHERE e.document_id = documents.document_id AND e.occurred_on >= :day)"
)


def _old_files(store: Store, keep: Cutoffs) -> list[str]:
    """Names of the files in the archive folder whose newest page is too old."""
    if keep.archived_at is None:
        return []
    rows = store.query(
        "SELECT warc_file FROM pages WHERE warc_file != '' AND warc_file NOT LIKE '/%' GROUP BY warc_file HAVING max(fetched_at) < ? ORDER BY 1",
        (keep.archived_at,),
    )
    return [row["warc_file"] for row in rows]
