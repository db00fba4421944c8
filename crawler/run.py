"""Runs spiders one after the other in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scrapy.crawler import AsyncCrawlerProcess
from scrapy.settings import Settings

from crawler.config import CrawlConfig
from crawler.settings import crawl_settings
from crawler.spiders.base import SessionSpider


@dataclass(frozen=True, slots=True)
class CrawlSummary:
    """What a crawl brought home: kind → name of a count → count."""

    counts: dict[str, dict[str, int]]


def run_crawl(config: CrawlConfig, kinds: Sequence[str], on_progress: Callable[[str, int, int], None]) -> CrawlSummary:
    """Runs the spiders named ``domains``, ``feeds``, ``articles`` in the given order. Once per process: Twisted's reactor cannot run twice.

    Raises:
        ConfigError: no contact is configured.
        StoreError: the store is missing, locked or not ours.
    """
    process = AsyncCrawlerProcess(Settings(crawl_settings(config)))
    # Scrapy writes a line of debugging for every page; not even making it saves a little each time.
    logging.getLogger("scrapy").setLevel(logging.ERROR)
    counts: dict[str, dict[str, int]] = {}
    problems: list[BaseException] = []

    async def run_all() -> None:
        from twisted.internet import reactor

        try:
            for kind in kinds:
                spider = process.spider_loader.load(kind)
                crawler = process.create_crawler(spider)
                crawler.settings.set("BELLWETHER_PROGRESS", lambda done, total, kind=kind: on_progress(kind, done, total))
                await process.crawl(crawler)
                assert isinstance(crawler.spider, SessionSpider)
                counts[kind] = dict(sorted(crawler.spider.session.counts.items()))
        except BaseException as error:
            problems.append(error)
        finally:
            reactor.stop()  # type: ignore[misc]  # zope interfaces are unknown to mypy

    asyncio.get_event_loop().create_task(run_all())
    process.start(stop_after_crawl=False)
    if problems:
        raise problems[0]
    return CrawlSummary(counts)
