"""robots.txt as RFC 9309 says: what cannot be read is disallowed, and a file is good for a day."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from protego import Protego
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
from urls import host_of, registrable_domain

GOOD_FOR_S = 24 * 3600
MAX_BYTES = 512 * 1024
MAX_CRAWL_DELAY_S = 60.0
_KNOWN_KEYS = ("user-agent", "allow", "disallow", "crawl-delay", "sitemap")


class RobotsDisallowedError(IgnoreRequest):
    """robots.txt, or its failure to answer, forbids the URL; the message says which."""


class RobotsUnreachableError(RobotsDisallowedError):
    """No connection to the site brought its robots.txt: forbidden like the rest, but nothing the site decided. ``cause`` is what failed."""

    def __init__(self, why: str, cause: Exception) -> None:
        super().__init__(why)
        self.cause = cause


# The site never answered at all; a 5xx or a broken answer is an answer.
_NO_ANSWER = (CannotResolveHostError, DownloadConnectionRefusedError, DownloadFailedError, DownloadTimeoutError)


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one site allows us. ``refusal`` is set when it allows nothing because its robots.txt could not be read.

    ``unreachable`` is set as well when there was no connection that could have brought it.
    """

    parsed: Protego | None
    refusal: str | None
    read_at: float
    unreachable: Exception | None = None

    def why_disallowed(self, url: str) -> str | None:
        """Why we may not fetch the URL, or None when we may."""
        if self.refusal is not None:
            return self.refusal
        if self.parsed is None:
            return None
        if (self.parsed.crawl_delay(AGENT_NAME) or 0) > MAX_CRAWL_DELAY_S:
            return f"robots.txt asks for more than {MAX_CRAWL_DELAY_S:g} s between two requests"
        return None if self.parsed.can_fetch(url, AGENT_NAME) else "robots.txt disallows it"

    @property
    def crawl_delay_s(self) -> float:
        """The pause it asks for; 0 when it asks for none."""
        return float((self.parsed.crawl_delay(AGENT_NAME) or 0) if self.parsed else 0)

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps it names."""
        return list(self.parsed.sitemaps) if self.parsed else []


def parse_robots(body: bytes) -> Protego:
    """The rules of a robots.txt body.

    Protego ends a group at a line it does not know, against the RFC; so such lines are left out before it reads.
    """
    lines = body[:MAX_BYTES].decode("utf-8", "replace").lstrip("\ufeff").splitlines()
    kept = [line for line in lines if line.partition(":")[0].strip().lower() in _KNOWN_KEYS and len(line) < 2000]
    return Protego.parse("\n".join(kept))


class RobotsMiddleware:
    """Downloader middleware: asks each site's robots.txt first, and gives every site one queue with its own pause."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._rules: dict[str, asyncio.Future[RobotsRules]] = {}
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
        rules = await self.rules_for(request.url)
        self._slow_down(request.meta["download_slot"], rules.crawl_delay_s)
        why = rules.why_disallowed(request.url)
        if why is not None and rules.unreachable is not None:
            raise RobotsUnreachableError(why, rules.unreachable)
        if why is not None:
            raise RobotsDisallowedError(why)

    async def rules_for(self, url: str) -> RobotsRules:
        """The rules of the URL's site, fetched at most once a day however many ask."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        known = self._rules.get(site)
        if known is None or (known.done() and time.monotonic() - known.result().read_at > GOOD_FOR_S):
            known = self._rules[site] = asyncio.ensure_future(self._fetch(f"{site}/robots.txt"))
        return await asyncio.shield(known)

    async def _fetch(self, url: str) -> RobotsRules:
        assert self._crawler.engine is not None
        request = Request(url, callback=NO_CALLBACK, priority=1000, meta={"is_robots_request": True}, dont_filter=True)
        try:
            response = await self._crawler.engine.download_async(request)
        except Exception as error:  # whatever kept the file from us, the RFC's answer is the same
            unreachable = error if isinstance(error, _NO_ANSWER) else None
            return RobotsRules(None, f"robots.txt could not be read: {type(error).__name__}", time.monotonic(), unreachable)
        if response.status >= 500:
            return RobotsRules(None, f"robots.txt answered {response.status}", time.monotonic())
        if response.status >= 400:
            return RobotsRules(None, None, time.monotonic())
        return RobotsRules(parse_robots(response.body), None, time.monotonic())

    def _slow_down(self, slot: str, delay_s: float) -> None:
        assert self._crawler.engine is not None
        downloader = self._crawler.engine.downloader
        if delay_s > self._delay_s:
            downloader.per_slot_settings[slot] = {"delay": delay_s}
            if slot in downloader.slots:
                downloader.slots[slot].delay = delay_s
