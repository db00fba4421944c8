"""Runs spiders one after the other in this process."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import uvloop
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.settings import Settings

from crawler.config import CrawlConfig
from crawler.settings import crawl_settings
from crawler.spiders.base import SessionSpider


@dataclass(frozen=True, slots=True)
class CrawlSummary:
    """What a crawl brought home: kind → name of a count → count."""

    counts: dict[str, dict[str, int]]


def run_crawl(config: CrawlConfig, kinds: Sequence[str], on_progress: Callable[[str, int, int], None]) -> CrawlSummary:
    """Runs the spiders named ``domains``, ``feeds``, ``articles`` in the given order; SIGINT or SIGTERM ends them in good order.

    Raises:
        ConfigError: no contact is configured.
        StoreError: the store is missing, locked or not ours.
        OSError, sqlite3.Error: what came home could not be written.
    """
    settings = Settings(crawl_settings(config))
    # Scrapy writes a line of debugging for every page; not even making it saves a little each time.
    logging.getLogger("scrapy").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        return loop.run(_run_all(settings, kinds, on_progress))


async def _run_all(settings: Settings, kinds: Sequence[str], on_progress: Callable[[str, int, int], None]) -> CrawlSummary:
    runner, is_asked_to_stop = AsyncCrawlerRunner(settings), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, is_asked_to_stop.set)
    stopping = asyncio.create_task(_stop_when(is_asked_to_stop, runner))
    counts: dict[str, dict[str, int]] = {}
    for kind in kinds:
        if is_asked_to_stop.is_set():
            break
        crawler = runner.create_crawler(runner.spider_loader.load(kind))
        crawler.settings.set("BELLWETHER_PROGRESS", lambda done, total, kind=kind: on_progress(kind, done, total))
        await runner.crawl(crawler)
        assert isinstance(crawler.spider, SessionSpider)
        if crawler.spider.session.error is not None:
            raise crawler.spider.session.error
        counts[kind] = dict(sorted(crawler.spider.session.counts.items()))
    stopping.cancel()
    return CrawlSummary(counts)


async def _stop_when(is_asked_to_stop: asyncio.Event, runner: AsyncCrawlerRunner) -> None:
    """Requests under way come to their end, nothing new is asked for; a second signal ends the process at once."""
    await is_asked_to_stop.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(number)
    for crawler in list(runner.crawlers):
        if isinstance(crawler.spider, SessionSpider):
            await crawler.spider.session.end()
