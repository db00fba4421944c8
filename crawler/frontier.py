"""The pages that wait to be fetched."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator
from datetime import date, timedelta

from crawler.config import CrawlConfig
from crawler.session import CrawlSession
from storage.ids import content_key
from storage.records import FrontierUrl
from storage.store import Row
from urls import canonical_url

MAX_TRIES = 3
CHUNK = 200
_NEXT_DUE = "SELECT d.position, f.* FROM temp.due_urls d CROSS JOIN frontier_urls f USING (frontier_id) WHERE d.position > ? ORDER BY d.position LIMIT ?"
_FIELDS = tuple(field.name for field in dataclasses.fields(FrontierUrl))


class Frontier:
    """Pages of accounts that were found; each URL once per account, with what became of it."""

    def __init__(self, session: CrawlSession) -> None:
        self._session = session
        self._store = session.store
        self._config = session.config
        self._oldest = oldest_day(session.config)
        self._unwritten: dict[str, FrontierUrl] = {}  # found since the last flush
        self._n_flushes = 0

    @property
    def oldest(self) -> str:
        """Articles published before this date are not looked for."""
        return self._oldest

    def found(self, account_id: str, url: str, kind: str, published: str | None, found_on: str) -> FrontierUrl | None:
        """The record of a page nobody has found before; None for a known or too old one.

        A date that a feed gives completes a page that a listing or sitemap found first, so that it does not matter which was read first.
        """
        if published is not None and published < self._oldest:
            return None
        url = canonical_url(url)
        frontier_id = content_key("frontier", account_id, url)
        known = self._known(frontier_id)
        if known is None:
            self._session.counts["found"] += 1
            record = FrontierUrl(frontier_id, account_id, url, kind, published, found_on, self._config.now(), "due", None, 0)
        elif published is not None and known.published_hint is None and known.state == "due":
            record = dataclasses.replace(known, published_hint=published, found_on=found_on)
        else:
            return None
        self._unwritten[frontier_id] = record
        return record

    def _known(self, frontier_id: str) -> FrontierUrl | None:
        """What is known of a page, written or not."""
        if self._n_flushes != self._session.n_flushes:
            self._n_flushes = self._session.n_flushes
            self._unwritten.clear()
        if frontier_id in self._unwritten:
            return self._unwritten[frontier_id]
        row = next(self._store.query("SELECT * FROM frontier_urls WHERE frontier_id = ?", (frontier_id,)), None)
        return _record(row) if row else None

    def list_due(self, accounts: Collection[str]) -> int:
        """Notes what to fetch now in a table of this connection: per account the newest first and no more than the configuration allows; how many.

        A page that could not be had rests as long as a source does, so that a crawl that goes on after a kill does not ask again.
        """
        self._store.execute_outside("DROP TABLE IF EXISTS temp.due_urls")
        self._store.execute_outside("CREATE TEMP TABLE due_urls (position INTEGER PRIMARY KEY, frontier_id TEXT NOT NULL)")
        return self._store.execute(
            "INSERT INTO temp.due_urls (frontier_id) SELECT frontier_id FROM (SELECT *, row_number() OVER"
            " (PARTITION BY account_id, kind ORDER BY coalesce(published_hint, '') DESC, url) AS place FROM frontier_urls"
            " WHERE state = 'due' AND (tried_at IS NULL OR tried_at <= ?)) WHERE place <= ?"
            " AND account_id IN (SELECT value FROM json_each(?)) ORDER BY place, account_id, kind",
            (self._config.stale_before(), self._config.max_articles_per_account, json.dumps(sorted(accounts))),
        )

    def iter_due(self) -> Iterator[FrontierUrl]:
        """The pages noted, a few at a time, so that a long list costs no memory."""
        last = 0
        while rows := list(self._store.query(_NEXT_DUE, (last, CHUNK))):
            last = rows[-1]["position"]
            yield from (_record(row) for row in rows)

    def tried(self, page: FrontierUrl, fetched: bool, final: bool = False) -> FrontierUrl:
        """The page's record after an attempt; three failures, or a final one, end it."""
        n_tries = page.n_tries + 1
        state = "done" if fetched else "failed" if final or n_tries >= MAX_TRIES else "due"
        return dataclasses.replace(page, state=state, tried_at=self._config.now(), n_tries=n_tries)


def oldest_day(config: CrawlConfig) -> str:
    """What was published before this date is not looked for."""
    return (date.fromisoformat(config.now()[:10]) - timedelta(days=config.article_max_age_days)).isoformat()


def _record(row: Row) -> FrontierUrl:
    return FrontierUrl(*(row[name] for name in _FIELDS))
