"""``crawl social``: what companies say on social networks, by public feeds and APIs that need no account."""

from __future__ import annotations

from crawler.spiders.posting import PostingSpider


class SocialSpider(PostingSpider):
    """Mastodon, Bluesky, Reddit, YouTube, Hacker News."""

    name = "social"
    source_kind = "social"
