"""Time as text. The only readers of the machine's clock are the composition root and the fetcher, and they pass it on."""

from __future__ import annotations

from datetime import UTC, date, datetime


def utc_text(moment: datetime) -> str:
    """A time in the store's spelling.

    >>> utc_text(datetime(2026, 11, 1, 6, 30, tzinfo=UTC))
    '2026-11-01T06:30:00Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_text() -> str:
    """The present time in the store's spelling."""
    return utc_text(datetime.now(UTC))


def end_of_day(as_of: str | date) -> str:
    """The last second of a date: what was observed by then counts as known on it.

    >>> end_of_day("2026-11-01")
    '2026-11-01T23:59:59Z'
    """
    return f"{as_of}T23:59:59Z"
