"""What the spiders of job boards, social networks and forums share: one public feed per company and platform, a page per post."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from html import escape
from typing import Any

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure as TwistedFailure

from crawler.frontier import oldest_day
from crawler.platforms import reader_of
from crawler.spiders.base import SessionSpider
from crawler.visits import Visits, conditional_headers
from storage.records import Source
from storage.store import Row

NOTE_TYPE = "text/html; charset=utf-8"


class PostingSpider(SessionSpider):
    """Visits the due sources of its kind; every new post is archived as a small page of its own, beside the payload it stood in."""

    source_kind: str
    custom_settings = {"HTTPERROR_ALLOWED_CODES": [304]}  # noqa: RUF012 (Scrapy's name and kind)

    async def start(self) -> AsyncIterator[Request]:
        """One request per due source."""
        self.visits = Visits(self.session)
        accounts = {account["account_id"]: account for account in self.session.accounts()}
        due = self.visits.due([self.source_kind])
        self.session.plan(len(due))
        for source in due:
            self.visits.begin(source)
            if self.is_refused(source.url, source.account_id):
                self.visits.end(source)
                continue
            arguments = {"source": source, "account": accounts[source.account_id]}
            headers = conditional_headers(source)
            yield Request(source.url, self.parse_feed, errback=self.no_feed, headers=headers, dont_filter=True, cb_kwargs=arguments)

    async def parse_feed(self, response: Response, source: Source, account: Row) -> None:
        """Archives the payload and its posts."""
        self.visits.saw(source, response)
        if response.status == 304:
            self.session.keep_not_modified(response)
        else:
            self.session.keep_page(response, source.account_id, "posts")
            read = await self.session.parse("crawler.posts:read_posts", response, source.account_id, reader=reader_of(source.url)) or {}
            since = oldest_day(self.session.config)
            posts = [post for post in read.get("posts", []) if post["published"] is None or post["published"] >= since]
            for post in posts[: self.session.config.max_articles_per_account]:
                self._keep(post, account)
            self.wait(response, read.get("backoff_s", 0.0))
        self.visits.end(source)

    def _keep(self, post: dict[str, Any], account: Row) -> None:
        # The domain stands for the company, so that what it said elsewhere is forgotten with it.
        self.session.counts[f"{post['kind']}s"] += 1
        page = post_page(post, account["account_name"])
        self.session.keep_note(post["url"], page, NOTE_TYPE, account["account_id"], account["domain"], post["kind"], post["published"])

    async def no_feed(self, failure: TwistedFailure) -> None:
        """Records why."""
        request: Request = failure.request  # type: ignore[attr-defined]
        source: Source = request.cb_kwargs["source"]
        self.session.fail_with("crawl", source.url, source.account_id, failure)
        self.visits.end(source)

    def wait(self, response: Response, seconds: float) -> None:
        """Holds the host's queue for as long as its API asks in the payload."""
        if seconds > 0:
            self.crawler.backoff.hold(response.meta["download_slot"], seconds)  # type: ignore[attr-defined]


def post_page(post: dict[str, Any], account_name: str) -> str:
    """A post as a page that reads like any other: a job ad with its JSON-LD, anything else with its date."""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in post["text"].split("\n"))
    title, published = post["title"], post["published"]
    head = f"<title>{escape(title)}</title>"
    if post["kind"] == "job":
        posting: dict[str, Any] = {
            "@context": "https://schema.org",
            "@type": "JobPosting",
            "title": title,
            "description": paragraphs,
            "hiringOrganization": {"@type": "Organization", "name": account_name},
        }
        if published:
            posting["datePosted"] = published
        if post["location"]:
            posting["jobLocation"] = {"@type": "Place", "address": str(post["location"])}
        head += f'<script type="application/ld+json">{json.dumps(posting, ensure_ascii=False).replace("</", "<" + chr(92) + "/")}</script>'
    elif published:
        head += f'<meta property="article:published_time" content="{published}">'
    return f"<!doctype html><html><head><meta charset=utf-8>{head}</head><body><article><h1>{escape(title)}</h1>{paragraphs}</article></body></html>"
