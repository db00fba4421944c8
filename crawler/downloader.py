"""Scrapy's downloader, with its promise kept: one request at a time per site."""

from __future__ import annotations

from scrapy import Request
from scrapy.core.downloader import Downloader, Slot
from scrapy.crawler import Crawler
from scrapy.http import Response


class OneAtATimeDownloader(Downloader):
    """Scrapy 2.19 counts a request as under way only some turns of the event loop after it left its site's queue.

    A second one may leave in between; here the queue stays shut until the first is counted.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._setting_out: set[Slot] = set()

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
