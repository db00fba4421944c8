"""Scrapy's downloader, with its promise kept: one request at a time per site."""

from __future__ import annotations

from scrapy import Request
from scrapy.core.downloader import Downloader, Slot
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, IgnoreRequest
from scrapy.http import Response


class CrawlEndsError(IgnoreRequest, CloseSpider):
    """The crawl was told to end before the request's turn came; nothing was asked, and what it was for stays due."""


class OneAtATimeDownloader(Downloader):
    """Scrapy 2.19 counts a request as under way only some turns of the event loop after it left its site's queue.

    A second one may leave in between; here the queue stays shut until the first is counted.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._setting_out: set[Slot] = set()
        self._is_ending = False

    def let_go(self) -> None:
        """From here on only what is under way comes to its end; Scrapy would first empty the queue of every site, pause by pause."""
        self._is_ending = True
        for slot in self.slots.values():
            kept = [(request, waiting) for request, waiting in slot.queue if _is_robots(request)]
            dropped = [(request, waiting) for request, waiting in slot.queue if not _is_robots(request)]
            slot.queue.clear()
            slot.queue.extend(kept)  # what waits for it is sent away when it comes: an answer that is missing would look like a refusal
            for request, waiting in dropped:
                waiting.errback(sent_away(request))

    async def _enqueue_request(self, request: Request) -> Response:
        if self._is_ending and not _is_robots(request):
            raise sent_away(request)
        return await super()._enqueue_request(request)

    def _process_queue(self, slot: Slot) -> None:
        if slot in self._setting_out:
            return
        n_queued = len(slot.queue)
        super()._process_queue(slot)
        if len(slot.queue) < n_queued:
            self._setting_out.add(slot)

    async def _download(self, slot: Slot, request: Request) -> Response:
        self._setting_out.discard(slot)
        return await super()._download(slot, request)


def _is_robots(request: Request) -> bool:
    return bool(request.meta.get("is_robots_request"))


def sent_away(request: Request) -> CrawlEndsError:
    """What is said to a request whose turn does not come any more: there is nothing for the spider to record."""
    request.errback = None
    return CrawlEndsError("the crawl ends")
