"""``crawl jobs``: the job boards that companies link to, by their public JSON or feed. Ads on a company's own pages come with ``articles``."""

from __future__ import annotations

from crawler.spiders.posting import PostingSpider


class JobsSpider(PostingSpider):
    """Greenhouse, Lever, Ashby, SmartRecruiters, Workable, Recruitee, Personio, Teamtailor."""

    name = "jobs"
    source_kind = "jobs"
