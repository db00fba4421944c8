"""``crawl feeds``: visits the sources that are due and puts the pages they lead to on the frontier."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from html import escape
from typing import Any

from scrapy import Request
from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure as TwistedFailure

from crawler.frontier import Frontier
from crawler.spiders.base import SessionSpider
from crawler.spiders.domains import CONVENTION
from crawler.spiders.posting import NOTE_TYPE
from crawler.visits import Visits, conditional_headers
from storage.records import Source
from urls import same_site

MAX_LISTING_PAGES = 5
MAX_CHILD_SITEMAPS = 5
# A feed dates its entries, so it is read before the sitemap and the listings that name the same pages without dates.
_ORDER = {"feed": 0, "sitemap": 1, "newsroom": 2, "blog": 3, "careers": 4}


class FeedsSpider(SessionSpider):
    """Reads feeds, sitemaps and the first pages of listings; fetches a feed again only if it changed."""

    name = "feeds"
    custom_settings = {"HTTPERROR_ALLOWED_CODES": [304]}  # noqa: RUF012 (Scrapy's name and kind)

    async def start(self) -> AsyncIterator[Request]:
        """One request per due source."""
        self.frontier = Frontier(self.session)
        self.visits = Visits(self.session)
        self._n_full: Counter[str] = Counter()  # articles that a feed gave whole
        domains = {account["account_id"]: account["domain"] for account in self.session.accounts()}
        due = sorted(self.visits.due(list(_ORDER)), key=lambda source: (_ORDER[source.kind], source.source_id))
        self.session.plan(len(due))
        for source in due:
            self.visits.begin(source)
            if self.is_refused(source.url, source.account_id):
                self.visits.end(source)
            else:
                yield self._request(source, source.url, domains[source.account_id])

    def _request(self, source: Source, url: str, domain: str, depth: int = 0) -> Request:
        return Request(
            url,
            self.parse_source,
            errback=self.no_source,
            headers=conditional_headers(source) if depth == 0 else None,
            dont_filter=True,
            priority=-_ORDER[source.kind],
            cb_kwargs={"source": source, "domain": domain, "depth": depth},
        )

    async def parse_source(self, response: Response, source: Source, domain: str, depth: int) -> Any:
        """Whatever a source leads to."""
        if depth == 0:
            self.visits.saw(source, response)
        if response.status == 304:
            self.session.keep_not_modified(response)
        elif same_site(response.url, domain):
            async for url in self._led_to(response, source, domain, depth):
                self.visits.begin(source)
                yield self._request(source, url, domain, depth + 1)
        else:
            self.session.fail("crawl", source.url, source.account_id, "left_site", f"redirects to {response.url}")
        self.visits.end(source)

    async def _led_to(self, response: Response, source: Source, domain: str, depth: int) -> AsyncIterator[str]:
        """Puts the pages of a source on the frontier; yields what else must be fetched to know them all."""
        session = self.session
        page_kind = source.kind if source.kind in ("feed", "sitemap") else "listing"
        is_kept = session.keep_page(response, source.account_id, page_kind) is not None
        if source.kind == "feed":
            entries = await session.parse("parse_feed", response, source.account_id) or []
            for entry in entries:
                self._found_entry(source, entry, domain, is_kept)
        elif source.kind == "sitemap":
            sitemap = await session.parse("parse_sitemap", response, source.account_id, since=self.frontier.oldest) or {}
            # lastmod says when a page changed, not when it was published, so it is no hint of the date.
            self._found(source, (page["url"] for page in sitemap.get("pages", [])))
            if depth == 0:
                for url in sitemap.get("sitemaps", [])[:MAX_CHILD_SITEMAPS]:
                    yield url
        else:
            listing = await session.parse("discover_links", response, source.account_id, kind=source.kind) or {}
            n_new = self._found(source, (link["url"] for link in listing.get("links", [])))
            following = listing.get("next")
            # A first visit walks on even over pages that were found before it: it may be the second half of one that was killed.
            goes_on = n_new > 0 or source.checked_at is None
            if goes_on and following and depth + 1 < MAX_LISTING_PAGES and same_site(following, domain):
                yield following

    async def no_source(self, failure: TwistedFailure) -> Any:
        """A source that gave nothing; one that was only guessed is no failure."""
        request: Request = failure.request  # type: ignore[attr-defined]
        source: Source = request.cb_kwargs["source"]
        is_guess = source.found_on == CONVENTION and isinstance(failure.value, HttpError)
        if not is_guess:
            self.session.fail_with("crawl", request.url, source.account_id, failure)
        self.visits.end(source)

    def _found_entry(self, source: Source, entry: dict[str, Any], domain: str, is_kept: bool) -> None:
        """An entry of a feed: one that carries its whole article needs no second fetch, unless the feed is reserved."""
        record = self.frontier.found(source.account_id, entry["url"], "article", entry["published"], source.url)
        if record is None:
            return
        if entry["html"] and is_kept and self._n_full[source.source_id] < self.session.config.max_articles_per_account:
            self._n_full[source.source_id] += 1
            self.session.counts["full_texts"] += 1
            self.session.keep_note(record.url, entry_page(entry), NOTE_TYPE, source.account_id, domain, "article", entry["published"])
            record = self.frontier.tried(record, fetched=True)
        self.session.keep(record)

    def _found(self, source: Source, urls: Iterable[str]) -> int:
        """How many of the pages nobody had found before."""
        kind = "job" if source.kind == "careers" else "article"
        n_new = 0
        for url in urls:
            record = self.frontier.found(source.account_id, url, kind, None, source.url)
            if record is not None:
                self.session.keep(record)
                n_new += 1
        return n_new


def entry_page(entry: dict[str, Any]) -> str:
    """The article that a feed gave whole, as a page that reads like any other."""
    title = escape(entry["title"] or "")
    date = f'<meta property="article:published_time" content="{entry["published"]}">' if entry["published"] else ""
    body = f"<article><h1>{title}</h1>{entry['html']}</article>"
    return f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title>{date}</head><body>{body}</body></html>"
