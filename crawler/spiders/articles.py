"""``crawl articles``: fetches the articles and job ads that wait on the frontier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure as TwistedFailure

from crawler.frontier import Frontier
from crawler.spiders.base import SessionSpider
from storage.records import FrontierUrl
from urls import same_site

MAX_WAITING = 10_000  # requests in memory; enough sites among them that slow ones leave the others room
FINAL = ("robots", "http_404", "http_410", "too_large", "url_refused", "address_denied")  # trying again would change nothing


class ArticlesSpider(SessionSpider):
    """Takes the newest pages of every account in turn, so that a crawl cut short has served all alike."""

    name = "articles"

    async def start(self) -> AsyncIterator[Request]:
        """One request per due page."""
        self.frontier = Frontier(self.session)
        domains = {account["account_id"]: account["domain"] for account in self.session.accounts()}
        self.n_waiting = 0
        self.session.plan(self.frontier.list_due(domains))
        for page in self.frontier.iter_due():
            while self.n_waiting >= MAX_WAITING:
                await asyncio.sleep(0.1)
            if self.is_refused(page.url, page.account_id):
                self.session.keep(self.frontier.tried(page, fetched=False, final=True))
                self.session.step()
                continue
            self.n_waiting += 1
            arguments = {"page": page, "domain": domains[page.account_id]}
            yield Request(page.url, self.parse_page, errback=self.no_page, dont_filter=True, cb_kwargs=arguments)

    def parse_page(self, response: Response, page: FrontierUrl, domain: str) -> Any:
        """Archives the page, if the site still is the account's."""
        self.n_waiting -= 1
        if same_site(response.url, domain):
            kept = self.session.keep_page(response, page.account_id, page.kind, page.published_hint)
            self.session.keep(self.frontier.tried(page, fetched=kept is not None, final=True))
        else:
            self.session.fail("crawl", page.url, page.account_id, "left_site", f"redirects to {response.url}")
            self.session.keep(self.frontier.tried(page, fetched=False, final=True))
        self.session.step()

    def no_page(self, failure: TwistedFailure) -> Any:
        """Records why, and whether it is worth another try some day."""
        self.n_waiting -= 1
        request: Request = failure.request  # type: ignore[attr-defined]
        page: FrontierUrl = request.cb_kwargs["page"]
        reason = self.session.fail_with("crawl", page.url, page.account_id, failure)
        if reason not in ("site_rests", "budget_spent"):  # nothing was asked of it
            self.session.keep(self.frontier.tried(page, fetched=False, final=reason in FINAL))
        self.session.step()
