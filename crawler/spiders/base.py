"""What the spiders share."""

from __future__ import annotations

from scrapy import Spider

from crawler.session import CrawlSession
from crawler.url_limits import why_refused


class SessionSpider(Spider):
    """A spider whose work is what the store says is due, and whose results go to the store."""

    session: CrawlSession

    def is_refused(self, url: str, account_id: str) -> bool:
        """Whether a URL that was found cannot be asked for at all; records why."""
        why = why_refused(url)
        if why is not None:
            self.session.fail("crawl", url[:500], account_id, "url_refused", why)
        return why is not None
