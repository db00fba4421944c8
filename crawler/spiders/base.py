"""What the spiders share."""

from __future__ import annotations

from scrapy import Spider

from crawler.session import CrawlSession


class SessionSpider(Spider):
    """A spider whose work is what the store says is due, and whose results go to the store."""

    session: CrawlSession
