"""What one run of a spider holds open: the writing connection, the WARC file, the sandbox – and the order in which they are used.

A row may only point to a record that is on disk. So rows wait in memory until the archive is synced, and are then written in one
transaction: a crawl killed at any moment leaves at worst some archived bytes that nothing points to.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scrapy import Spider
from scrapy import signals as scrapy_signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.http import Response
from twisted.python.failure import Failure as TwistedFailure

from crawler.config import CrawlConfig
from crawler.downloader import OneAtATimeDownloader
from crawler.failures import failure_of
from crawler.fetcher import HANG_UP
from crawler.patience import Patience, Turn
from crawler.reservations import reservation_of
from crawler.torn_archive import mark_closed, mark_open, mend_torn
from crawler.wire import WireResponse
from sandbox import Sandbox, TaskFailure
from storage.archive import ArchiveWriter, Seen, payload_digest
from storage.errors import BellwetherError
from storage.ids import content_hash, content_key
from storage.records import Failure, Page, Record
from storage.store import Row, Store, open_writer
from urls import host_of, registrable_domain

FLUSH_EVERY = 500
FLUSH_INTERVAL_S = 0.5  # what a killed crawl has to fetch again
MAX_WARC_BYTES = 1 << 30
MAX_POLICIES = 10_000
PARSE_TIMEOUT_S = 4.0  # with what is around it, a bomb costs less than 5 s
PARSE_MEMORY_MIB = 256
Progress = Callable[[int, int], None]


class CrawlSession:
    """Scrapy extension; spiders reach it as ``self.session``."""

    def __init__(self, crawler: Crawler) -> None:
        self.config: CrawlConfig = crawler.settings["BELLWETHER_CRAWL"]
        self.crawler = crawler
        self.counts: Counter[str] = Counter()
        self.store: Store = open_writer(self.config.db_path, job=f"crawl {crawler.spidercls.name}")
        self.sandbox = Sandbox(2, PARSE_MEMORY_MIB, PARSE_TIMEOUT_S)
        mend_torn(self.config.archive_dir, self.store, f"crawl-{crawler.spidercls.name}-")
        self._archive = self._new_archive()
        self._waiting: list[Record] = []
        self._unchanged: set[str] = set()
        self._policies: dict[str, list[tuple[str, bool]]] = {}
        self._new_pages: set[str] = set()
        self._flusher: asyncio.Task[None] | None = None
        self.error: Exception | None = None
        self.n_flushes = 0
        self._on_progress: Progress = crawler.settings["BELLWETHER_PROGRESS"] or (lambda done, total: None)
        self._n_done, self._n_planned, self._n_unasked = 0, 0, 0
        self._turn: Turn = crawler.settings["BELLWETHER_TURN"] or Turn()
        self._patience = Patience()
        self.put_off: frozenset[str] = frozenset()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> CrawlSession:
        session = cls(crawler)
        assert isinstance(crawler.spider, Spider)
        crawler.spider.session = session  # type: ignore[attr-defined]
        crawler.signals.connect(session.spider_opened, scrapy_signals.spider_opened)
        crawler.signals.connect(session.spider_closed, scrapy_signals.spider_closed)
        return session

    def spider_opened(self) -> None:
        """From here on what was collected is written twice a second."""
        self._flusher = asyncio.create_task(self._flush_regularly())

    def spider_closed(self) -> None:
        """Writes what is left and lets go of everything."""
        if self._flusher is not None:
            self._flusher.cancel()
        self.flush()
        try:
            self._close_archive()
        except OSError as error:
            self.error = self.error or error
        self.sandbox.close()
        self.store.close()

    # ---- what there is to do -------------------------------------------------------------------------------------

    def accounts(self) -> list[Row]:
        """The accounts of this shard whose turn it is and that nobody asked us to leave alone, by domain."""
        part, parts = self.config.shard
        rows = self.store.query(
            "SELECT account_id, domain, account_name FROM accounts WHERE domain NOT IN (SELECT domain FROM blocked_domains) ORDER BY domain"
        )
        rows = (row for row in rows if self._turn.takes(row["account_id"]) and not self._is_opted_out(row["domain"]))
        return [row for row in rows if int(content_key("shard", row["domain"]), 16) % parts == part - 1]

    def _is_opted_out(self, domain: str) -> bool:
        return domain in self.config.opted_out or registrable_domain(domain) in self.config.opted_out

    def plan(self, n: int) -> None:
        """Announces how many steps there are, for the progress bar."""
        self._n_planned += n
        self._on_progress(self._n_done, self._n_planned)

    def set_out(self, account_id: str) -> None:
        """A planned step begins that asks something of the account's site."""
        self._patience.set_out(account_id)

    def step(self, account_id: str | None = None) -> None:
        """One planned step is over, well or not; without an account, one for which no site was asked."""
        if account_id is not None:
            self._patience.came_back(account_id)
        else:
            self._n_unasked += 1
        self._n_done += 1
        self._on_progress(self._n_done, self._n_planned)

    # ---- what was brought home -----------------------------------------------------------------------------------

    def keep(self, *records: Record) -> None:
        """Takes records to be written with the next batch."""
        self._waiting.extend(records)
        if len(self._waiting) >= FLUSH_EVERY:
            self.flush()

    def keep_page(self, response: Response, account_id: str, kind: str, published_hint: str | None = None) -> str | None:
        """Archives a response, unless the same bytes from the same URL are archived already; its page_id.

        None, and a Failure, when the page or site reserves what we would do with it.
        """
        reserved = reservation_of(response, kind, self._tdm_rules(account_id))
        if reserved is not None:
            self.fail("crawl", response.url, account_id, reserved, "the page or site reserves this use of it")
            return None
        wire: WireResponse = response.meta["wire"]
        now = self.config.now()
        body_hash = content_hash(response.body)
        page_id = content_key("page", response.url, body_hash)
        self.counts["pages"] += 1
        if self._is_archived(page_id):
            self._note_revisit(response, page_id, payload_digest(wire.body))
            return page_id
        self.counts["new_pages"] += 1
        offset = self._archived(lambda: self._archive.write(response.url, wire.http_status, wire.headers, wire.body, now))
        self.keep(
            Page(
                page_id=page_id,
                account_id=account_id,
                domain=host_of(response.url),
                url=response.url,
                kind=kind,
                http_status=response.status,
                content_type=_header(response, "Content-Type"),
                content_hash=body_hash,
                warc_file=self._archive.path.name,
                warc_offset=offset,
                fetched_at=now,
                checked_at=now,
                published_hint=published_hint,
                etag=_header(response, "ETag"),
                last_modified=_header(response, "Last-Modified"),
            )
        )
        return page_id

    def _is_archived(self, page_id: str) -> bool:
        """Whether the page came home before, in this run or an earlier one; from now on it has."""
        if page_id in self._new_pages:
            return True
        if self.store.value("SELECT 1 FROM pages WHERE page_id = ?", (page_id,)):
            self.keep_unchanged(page_id)
            return True
        self._new_pages.add(page_id)
        return False

    def _tdm_rules(self, account_id: str) -> list[tuple[str, bool]]:
        if account_id not in self._policies:
            text = self.store.value("SELECT tdm_rules FROM site_policies WHERE account_id = ?", (account_id,))
            self.learn_tdm_rules(account_id, [(location, reserved) for location, reserved in json.loads(text or "[]")])
        return self._policies[account_id]

    def learn_tdm_rules(self, account_id: str, rules: list[tuple[str, bool]]) -> None:
        """What a site reserves, from now on in this run."""
        if len(self._policies) >= MAX_POLICIES:
            self._policies.clear()
        self._policies[account_id] = rules

    def keep_note(
        self, url: str, text: str, content_type: str, account_id: str, domain: str, kind: str, published_hint: str | None = None
    ) -> str:
        """Archives a text of our own about what was seen, unless the same is archived already; its page_id."""
        now, text_hash = self.config.now(), content_hash(text.encode())
        page_id = content_key("page", url, text_hash)
        if self._is_archived(page_id):
            return page_id
        offset, file = self._archived(lambda: self._archive.write_note(url, text, content_type, now)), self._archive.path.name
        self._waiting.append(
            Page(page_id, account_id, domain, url, kind, 200, content_type, text_hash, file, offset, now, now, published_hint, None, None)
        )
        return page_id

    def keep_not_modified(self, response: Response) -> None:
        """The server says (304) that what it gave us last still stands."""
        page_id = self.store.value(
            "SELECT page_id FROM pages WHERE url = ? ORDER BY checked_at DESC, fetched_at DESC LIMIT 1", (response.url,)
        )
        self.counts["not_modified"] += 1
        if page_id is not None:
            self.keep_unchanged(page_id)
            self._note_revisit(response, page_id, None)

    def _note_revisit(self, response: Response, page_id: str, digest: str | None) -> None:
        """Archives that a page of an earlier batch was seen again, without its bytes."""
        first = next(self.store.query("SELECT url, fetched_at FROM pages WHERE page_id = ?", (page_id,)), None)
        if first is not None:
            wire: WireResponse = response.meta["wire"]
            seen = Seen(first["url"], first["fetched_at"], digest)
            now = self.config.now()
            self._archived(lambda: self._archive.write_revisit(response.url, wire.http_status, wire.headers, seen, now))

    def keep_unchanged(self, page_id: str) -> None:
        """A page we have still stands as it was."""
        self.counts["unchanged"] += 1
        self._unchanged.add(page_id)

    def fail(self, stage: str, url: str, account_id: str, reason: str, detail: str) -> None:
        """Records what could not be done; the same failure of the same URL stays one row."""
        self.counts[f"failed_{reason}"] += 1
        failure_id = content_key("failure", stage, url, reason)
        self.keep(Failure(failure_id, stage, url, account_id, reason, detail[:300], self.config.now()))

    def fail_with(self, stage: str, url: str, account_id: str, failure: TwistedFailure) -> str:
        """Records what the downloader could not do; returns the reason."""
        assert failure.value is not None
        reason, detail = failure_of(failure.value)
        self.fail(stage, url, account_id, reason, detail)
        return reason

    async def parse(self, task: str, response: Response, account_id: str, **options: Any) -> Any | None:
        """Runs a task of ``crawler.discovery`` on the body in the sandbox; None, and a Failure, when it cannot be parsed."""
        name = task if ":" in task else f"crawler.discovery:{task}"
        result = await asyncio.wrap_future(self.sandbox.submit(name, response.body, url=response.url, **options))
        if isinstance(result, TaskFailure):
            self.fail("crawl", response.url, account_id, f"parse_{result.reason}", result.detail)
            return None
        return result

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_S)
            self.flush()
            self._put_off_late()

    def _put_off_late(self) -> None:
        """Ends a kind of crawl that only a few late sites keep from its end, so that what follows can begin; those have a turn later."""
        has_all_set_out = self._patience.n_set_out + self._n_unasked == self._n_planned
        if self._turn.is_waited_for and has_all_set_out and not self.put_off and (late := self._patience.late()):
            self.put_off = late
            self.counts["put_off"] = len(late)
            self.crawler.signals.send_catch_log(HANG_UP)
            self._ending = asyncio.ensure_future(self.end())

    def flush(self) -> None:
        """Makes everything taken so far durable. When that fails, the crawl ends and ``error`` says why: going on would fetch for nothing."""
        if self.error is not None or not (self._waiting or self._unchanged):
            return
        try:
            self._write()
        except (OSError, sqlite3.Error, BellwetherError) as error:
            self._give_up(error)

    def _archived(self, write: Callable[[], int]) -> int:
        try:
            return write()
        except OSError as error:
            self._give_up(error)
            raise CloseSpider("the archive cannot be written") from error

    def _give_up(self, error: Exception) -> None:
        self.error = error
        self._ending = asyncio.ensure_future(self.end())

    async def end(self) -> None:
        """Ends the crawl in good order: requests under way come to their end, what was not asked for stays due."""
        assert self.crawler.engine is not None
        downloader = self.crawler.engine.downloader
        assert isinstance(downloader, OneAtATimeDownloader)
        downloader.let_go()
        await self.crawler.stop_async()

    def _write(self) -> None:
        """First the archive, then the rows."""
        self._archive.sync()
        with self.store.transaction():
            self.store.save(self._waiting)
            if self._unchanged:
                self.store.execute(
                    "UPDATE pages SET checked_at = ? WHERE page_id IN (SELECT value FROM json_each(?))",
                    (self.config.now(), json.dumps(sorted(self._unchanged))),
                )
        self._waiting, self._unchanged = [], set()
        self._new_pages.clear()
        self.n_flushes += 1
        if self._archive.n_bytes > MAX_WARC_BYTES:
            self._close_archive()
            self._archive = self._new_archive()

    def _new_archive(self) -> ArchiveWriter:
        path = _new_warc(self.config.archive_dir, self.crawler.spidercls.name, self.config.now())
        archive = ArchiveWriter(path)
        mark_open(path)
        return archive

    def _close_archive(self) -> None:
        self._archive.close()
        if self.error is None:  # else the next crawl looks for a record that is cut off
            mark_closed(self._archive.path)


def _new_warc(folder: Path, kind: str, now: str) -> Path:
    stamp = now.replace("-", "").replace(":", "")
    return folder / f"crawl-{kind}-{stamp}-{time.time_ns():x}-{os.getpid()}.warc.gz"


def _header(response: Response, name: str) -> str | None:
    value = response.headers.get(name)
    return value.decode("latin-1") if value else None
