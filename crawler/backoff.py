"""Keeps the pause between two requests of a site, and steps back when it says we ask too much (429, 503) or keeps us waiting too long."""

from __future__ import annotations

import time
from collections import Counter, deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from scrapy import Request
from scrapy import signals as scrapy_signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadTimeoutError, IgnoreRequest
from scrapy.http import Response

BUSY = (429, 503)
MAX_TRIES = 3
MAX_WAIT_S = 120.0  # a site that wants more rests until the next crawl
MAX_DELAY_S = 60.0
LEAST_DELAY_S = 0.001  # what Scrapy needs to keep its order; nobody asked for it as a pause
MAX_TIMEOUTS = 2
RESTS = "the site asked to be left alone for a while, or kept us waiting too often"


class SiteRestsError(IgnoreRequest):
    """The site asked for a longer pause than one crawl waits, or answers too slowly; its pages stay due."""


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait: a number, or the time until a date; None when it says neither.

    >>> moment = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
    >>> retry_after_s("7", moment), retry_after_s("Sun, 01 Nov 2026 06:01:00 GMT", moment), retry_after_s("soon", moment)
    (7.0, 60.0, None)
    """
    text = (value or "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None


class BackoffMiddleware:
    """Downloader middleware beside Scrapy's retries, which are left to broken connections."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._delay_s = crawler.settings.getfloat("DOWNLOAD_DELAY")
        self._n_busy: Counter[str] = Counter()
        self._n_timeouts: Counter[str] = Counter()
        self._resting: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> BackoffMiddleware:
        middleware = cls(crawler)
        crawler.backoff = middleware  # type: ignore[attr-defined]  # spiders tell it of pauses that stand in a payload
        crawler.signals.connect(middleware.response_downloaded, scrapy_signals.response_downloaded)
        return middleware

    def response_downloaded(self, response: Response, request: Request) -> None:
        """Holds the site's queue: Scrapy sends this before it takes the next request from it, which a middleware would be too late for."""
        slot = request.meta["download_slot"]
        self._count_pause(slot)
        if response.status not in BUSY or request.meta.get("is_robots_request"):
            return
        self._n_busy[slot] += 1
        header = response.headers.get("Retry-After")
        asked_s = retry_after_s(header.decode("latin-1") if header else None, datetime.now(UTC))
        wait_s = asked_s if asked_s is not None else self._delay_s * 4 ** self._n_busy[slot]
        if wait_s > MAX_WAIT_S:
            self._rest(slot)
        else:
            self.hold(slot, wait_s)

    def _count_pause(self, slot: str) -> None:
        """Lets the pause begin with the answer. Scrapy's begins when a request leaves the queue, before it is sent: on a busy machine
        the site would see shorter ones than promised."""
        assert self._crawler.engine is not None
        queue = self._crawler.engine.downloader.slots.get(slot)
        if queue is not None and queue.delay > LEAST_DELAY_S:
            queue.lastseen = max(queue.lastseen, time.monotonic())

    def process_request(self, request: Request) -> None:
        """Asks nothing more of a site that rests."""
        if request.meta["download_slot"] in self._resting:
            raise SiteRestsError(RESTS)

    def process_response(self, request: Request, response: Response) -> Response | Request:
        """The response, or the same request again, which waits in the held queue."""
        n_tries = request.meta.get("n_busy", 0) + 1
        resting = request.meta["download_slot"] in self._resting
        if response.status not in BUSY or request.meta.get("is_robots_request") or resting or n_tries >= MAX_TRIES:
            return response
        again = request.copy()
        again.meta["n_busy"] = n_tries
        again.dont_filter = True
        return again

    def hold(self, slot: str, wait_s: float) -> None:
        """Nothing leaves the site's queue for a while; afterwards its pause is twice what it was."""
        assert self._crawler.engine is not None
        downloader = self._crawler.engine.downloader
        known = downloader.per_slot_settings.get(slot, {}).get("delay", self._delay_s)
        delay_s = min(MAX_DELAY_S, max(2 * known, LEAST_DELAY_S))
        downloader.per_slot_settings[slot] = {"delay": delay_s}
        if slot in downloader.slots:
            downloader.slots[slot].delay = delay_s
            downloader.slots[slot].lastseen = time.monotonic() + wait_s

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Counts the times nothing came; a site that drips its answers would hold a crawl for hours."""
        slot = request.meta["download_slot"]
        if isinstance(exception, DownloadTimeoutError):
            self._n_timeouts[slot] += 1
            if self._n_timeouts[slot] >= MAX_TIMEOUTS:
                self._rest(slot)

    def _rest(self, slot: str) -> None:
        """Sends everything away that waits in the site's queue, or will."""
        assert self._crawler.engine is not None
        self._resting.add(slot)
        queued = self._crawler.engine.downloader.slots[slot].queue if slot in self._crawler.engine.downloader.slots else deque()
        while queued:
            _, waiting = queued.popleft()
            waiting.errback(SiteRestsError(RESTS))
