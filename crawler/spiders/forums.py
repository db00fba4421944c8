"""``crawl forums``: release notes, and what is asked in the forums that companies link to."""

from __future__ import annotations

from crawler.spiders.posting import PostingSpider


class ForumsSpider(PostingSpider):
    """Discourse, Stack Exchange, GitHub releases."""

    name = "forums"
    source_kind = "forums"
