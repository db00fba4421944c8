"""Runs spiders one after the other in this process."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import uvloop
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.settings import Settings

from crawler.config import CrawlConfig
from crawler.patience import PREPARING, Turn
from crawler.settings import crawl_settings
from crawler.spiders.base import SessionSpider


@dataclass(frozen=True, slots=True)
class CrawlSummary:
    """What a crawl brought home: kind → name of a count → count."""

    counts: dict[str, dict[str, int]]


def run_crawl(config: CrawlConfig, kinds: Sequence[str], on_progress: Callable[[str, int, int], None]) -> CrawlSummary:
    """Runs the spiders named ``domains``, ``feeds``, ``articles`` in the given order, and once more for accounts that were late.

    SIGINT or SIGTERM ends them in good order.

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
    counts: dict[str, Counter[str]] = {}
    late: frozenset[str] = frozenset()
    for is_last in (False, True):
        for kind in kinds:
            if is_asked_to_stop.is_set() or (is_last and not late):
                break
            crawler = runner.create_crawler(runner.spider_loader.load(kind))
            crawler.settings.set("BELLWETHER_PROGRESS", lambda done, total, kind=kind: on_progress(kind, done, total))
            crawler.settings.set(
                "BELLWETHER_TURN", Turn(late, is_last, is_waited_for=not is_last and kind in PREPARING and kind != kinds[-1])
            )
            await runner.crawl(crawler)
            assert isinstance(crawler.spider, SessionSpider)
            session = crawler.spider.session
            if session.error is not None:
                raise session.error
            counts.setdefault(kind, Counter()).update(session.counts)
            late |= session.put_off
    stopping.cancel()
    return CrawlSummary({kind: dict(sorted(found.items())) for kind, found in counts.items()})


async def _stop_when(is_asked_to_stop: asyncio.Event, runner: AsyncCrawlerRunner) -> None:
    """Requests under way come to their end, nothing new is asked for; a second signal ends the process at once."""
    await is_asked_to_stop.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(number)
    for crawler in list(runner.crawlers):
        if isinstance(crawler.spider, SessionSpider):
            await crawler.spider.session.end()
