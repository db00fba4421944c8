"""How much one site may cost a crawl: what traps it – calendars, session ids, endless pages – ends here at the latest."""

from __future__ import annotations

from collections import Counter

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest

SHARED_KINDS = ("jobs", "social", "forums")  # there one host serves many companies


class BudgetSpentError(IgnoreRequest):
    """The site had its share of this crawl; what it still offers stays due."""


class BudgetMiddleware:
    """Downloader middleware behind robots.txt: lets each site have so many requests and no more."""

    def __init__(self, crawler: Crawler) -> None:
        self._most = crawler.settings["BELLWETHER_CRAWL"].max_requests_per_site
        self._is_shared = crawler.spidercls.name in SHARED_KINDS
        self._n_requests: Counter[str] = Counter()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> BudgetMiddleware:
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Lets the request pass or raises BudgetSpentError."""
        if request.meta.get("is_robots_request") or self._is_shared:
            return
        site = request.meta["download_slot"]
        self._n_requests[site] += 1
        if self._n_requests[site] > self._most:
            raise BudgetSpentError(f"the site had its {self._most} requests of this crawl")
