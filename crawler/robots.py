"""robots.txt asked before anything else of a site: what cannot be read is disallowed, and a file is good for a day (RFC 9309)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
)
from scrapy.http.request import NO_CALLBACK

from crawler.config import AGENT_NAME
from crawler.downloader import CrawlEndsError, sent_away
from crawler.robots_txt import RobotsTxt, parse_robots
from urls import host_of, registrable_domain

GOOD_FOR_S = 24 * 3600
MAX_CRAWL_DELAY_S = 60.0
MAX_SITES = 20_000
# The site never answered at all; a 5xx or a broken answer is an answer.
_NO_ANSWER = (CannotResolveHostError, DownloadConnectionRefusedError, DownloadFailedError, DownloadTimeoutError)


class RobotsDisallowedError(IgnoreRequest):
    """robots.txt, or its failure to answer, forbids the URL; the message says which."""


class RobotsUnreachableError(RobotsDisallowedError):
    """No connection to the site brought its robots.txt: forbidden like the rest, but nothing the site decided. ``cause`` is what failed."""

    def __init__(self, why: str, cause: Exception) -> None:
        super().__init__(why)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one site allows us. ``refusal`` is set when it allows nothing because its robots.txt could not be read.

    ``unreachable`` is set as well when there was no connection that could have brought it.
    """

    parsed: RobotsTxt | None = None
    refusal: str | None = None
    unreachable: Exception | None = None

    def why_disallowed(self, url: str) -> str | None:
        """Why we may not fetch the URL, or None when we may."""
        if self.refusal is not None:
            return self.refusal
        if self.parsed is None:
            return None
        if self.crawl_delay_s > MAX_CRAWL_DELAY_S:
            return f"robots.txt asks for more than {MAX_CRAWL_DELAY_S:g} s between two requests"
        return None if self.parsed.allows(url, AGENT_NAME) else "robots.txt disallows it"

    @property
    def crawl_delay_s(self) -> float:
        """The pause it asks for; 0 when it asks for none."""
        return self.parsed.crawl_delay_s(AGENT_NAME) if self.parsed else 0.0

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps it names."""
        return list(self.parsed.sitemaps) if self.parsed else []


def rules_of_answer(http_status: int, body: bytes) -> RobotsRules:
    """What an answer for /robots.txt means.

    4xx means there are no rules; 429 is the exception, because it says that we ask too much already. A redirect that led nowhere
    (more than five, or to no address) is treated like a file that cannot be read: the RFC would let us in, we stay out.

    >>> rules_of_answer(404, b"").refusal, rules_of_answer(503, b"").refusal
    (None, 'robots.txt answered 503')
    """
    if http_status >= 500 or http_status == 429 or 300 <= http_status < 400:
        return RobotsRules(refusal=f"robots.txt answered {http_status}")
    if http_status >= 400:
        return RobotsRules()
    return RobotsRules(parse_robots(body))


class RobotsCache:
    """The rules of each site, fetched at most once a day however many ask at once; those of the sites asked least recently are let go."""

    def __init__(self, fetch: Callable[[str], Awaitable[RobotsRules]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._rules: OrderedDict[str, tuple[float, asyncio.Future[RobotsRules]]] = OrderedDict()

    async def rules_for(self, url: str) -> RobotsRules:
        """The rules of the URL's site (scheme, host and port)."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        asked_at, known = self._rules.get(site, (0.0, None))
        if known is None or (known.done() and self._clock() - asked_at >= GOOD_FOR_S):
            known = asyncio.ensure_future(self._fetch(f"{site}/robots.txt"))
            self._rules[site] = self._clock(), known
            if len(self._rules) > MAX_SITES and next(iter(self._rules.values()))[1].done():
                self._rules.popitem(last=False)
        self._rules.move_to_end(site)
        return await asyncio.shield(known)


class RobotsMiddleware:
    """Downloader middleware: asks each site's robots.txt first, and gives every site one queue with its own pause."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._cache = RobotsCache(self._fetch)
        self._delay_s = crawler.settings.getfloat("DOWNLOAD_DELAY")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RobotsMiddleware:
        middleware = cls(crawler)
        crawler.robots = middleware  # type: ignore[attr-defined]  # the domains spider asks it for sitemaps
        return middleware

    async def process_request(self, request: Request) -> None:
        """Lets the request pass or raises RobotsDisallowedError."""
        host = host_of(request.url)
        request.meta["download_slot"] = registrable_domain(host) or host
        if request.meta.get("is_robots_request"):
            return
        try:
            rules = await self.rules_for(request.url)
        except CrawlEndsError:
            raise sent_away(request) from None
        self._slow_down(request.meta["download_slot"], rules.crawl_delay_s)
        why = rules.why_disallowed(request.url)
        if why is not None and rules.unreachable is not None:
            raise RobotsUnreachableError(why, rules.unreachable)
        if why is not None:
            raise RobotsDisallowedError(why)

    async def rules_for(self, url: str) -> RobotsRules:
        """The rules of the URL's site."""
        return await self._cache.rules_for(url)

    async def _fetch(self, url: str) -> RobotsRules:
        assert self._crawler.engine is not None
        request = Request(url, callback=NO_CALLBACK, priority=1000, meta={"is_robots_request": True}, dont_filter=True)
        try:
            response = await self._crawler.engine.download_async(request)
        except CrawlEndsError:
            raise
        except Exception as error:  # whatever kept the file from us, the RFC's answer is the same
            unreachable = error if isinstance(error, _NO_ANSWER) else None
            return RobotsRules(refusal=f"robots.txt could not be read: {type(error).__name__}", unreachable=unreachable)
        return rules_of_answer(response.status, response.body)

    def _slow_down(self, slot: str, delay_s: float) -> None:
        assert self._crawler.engine is not None
        downloader = self._crawler.engine.downloader
        if delay_s > max(self._delay_s, downloader.per_slot_settings.get(slot, {}).get("delay", 0.0)):
            downloader.per_slot_settings[slot] = {"delay": delay_s}
            if slot in downloader.slots:
                downloader.slots[slot].delay = delay_s
