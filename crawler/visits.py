"""When sources are visited: each at its own pace, by how often it changed so far."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from scrapy.http import Response

from crawler.session import CrawlSession
from storage.ids import content_hash
from storage.records import Source

SLOWER, FASTER = 1.5, 0.5
MAX_REVISIT_HOURS = 7 * 24.0


def next_interval(hours: float | None, changed: bool, least: float) -> float:
    """Hours until the next visit: half as long after a change, half as long again without one; between the least and a week.

    >>> next_interval(None, False, 20), next_interval(30, True, 20), next_interval(160, False, 20)
    (30.0, 20, 168.0)
    """
    current = hours if hours is not None else least
    return max(least, min(MAX_REVISIT_HOURS, current * (FASTER if changed else SLOWER)))


class Visits:
    """The visits of one run. A visit may take several requests; it counts as made when the last of them is done.

    A crawl that is killed half way through a visit makes it again: whatever the first half found is known by then.
    """

    def __init__(self, session: CrawlSession) -> None:
        self._session = session
        self._n_open: Counter[str] = Counter()
        self._seen: dict[str, Response] = {}

    def due(self, kinds: Sequence[str]) -> list[Source]:
        """Sources of these kinds whose time has come, of this crawl's accounts."""
        config = self._session.config
        accounts = {account["account_id"] for account in self._session.accounts()}
        rows = self._session.store.query(
            "SELECT * FROM sources WHERE checked_at IS NULL"
            " OR julianday(checked_at) + coalesce(revisit_hours, :hours) / 24.0 <= julianday(:now) ORDER BY source_id",
            {"hours": config.revisit_hours, "now": config.now()},
        )
        return [Source(**row) for row in rows if row["account_id"] in accounts and row["kind"] in kinds]

    def begin(self, source: Source) -> None:
        """A request for a visit sets out."""
        if not self._n_open[source.source_id]:
            self._session.set_out(source.account_id)
        self._n_open[source.source_id] += 1

    def saw(self, source: Source, response: Response) -> None:
        """The source itself answered."""
        self._seen[source.source_id] = response

    def end(self, source: Source) -> None:
        """A request for a visit is done, well or not; the last one closes the visit."""
        self._n_open[source.source_id] -= 1
        if self._n_open[source.source_id] > 0:
            return
        del self._n_open[source.source_id]
        response = self._seen.pop(source.source_id, None)
        self._session.keep(_visited(source, response, self._session.config.now(), self._session.config.revisit_hours))
        self._session.step(source.account_id)


def conditional_headers(source: Source) -> dict[str, str]:
    """Headers that ask for an answer only if the source changed since the last visit."""
    asked = {"If-None-Match": source.etag, "If-Modified-Since": source.last_modified}
    return {name: value for name, value in asked.items() if value}


def _visited(source: Source, response: Response | None, now: str, least: float) -> Source:
    if response is None or response.status != 200:
        return dataclasses.replace(source, checked_at=now, revisit_hours=next_interval(source.revisit_hours, False, least))
    body_hash = content_hash(response.body)
    first = source.checked_at is None
    interval = source.revisit_hours if first else next_interval(source.revisit_hours, body_hash != source.content_hash, least)
    return dataclasses.replace(
        source,
        checked_at=now,
        etag=_header(response, "ETag"),
        last_modified=_header(response, "Last-Modified"),
        revisit_hours=interval,
        content_hash=body_hash,
    )


def _header(response: Response, name: str) -> str | None:
    value = response.headers.get(name)
    return value.decode("latin-1") if value else None
