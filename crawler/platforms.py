"""Where companies publish beyond their own site: job boards, social networks, forums – recognised by their links, read by their public feeds.

A platform is one entry of the table: what its links look like, and the address of the public feed or API that tells the same to a program.
Each address is subject to robots.txt of its host like every other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_PER_PLATFORM = 2  # a home page that links to many accounts of one network shows other people's


@dataclass(frozen=True, slots=True)
class Platform:
    """``link`` matches a URL on a company's page; its groups fill ``feed``, whose host and path tell the platform again."""

    name: str
    kind: str  # jobs, social, forums
    link: re.Pattern[str]
    feed: str
    reader: str  # the function of crawler.posts that reads its payload


def _platform(name: str, kind: str, link: str, feed: str, reader: str = "") -> Platform:
    return Platform(name, kind, re.compile(rf"https?://{link}", re.IGNORECASE), feed, reader or name)


# Mastodon's links look like those of others that have no such feed.
_ANY_HOST = r"(?!(?:www\.)?(?:youtube|tiktok|medium|threads)\.)([\w-]+(?:\.[\w-]+)+)"
_GITHUB = r"github\.com(?!/(?:sponsors|orgs|features|topics|login|search)\b)"
_NAME = r"([\w.-]{2,60})"
PLATFORMS = (
    _platform(
        "greenhouse",
        "jobs",
        rf"(?:boards|job-boards)(?:\.eu)?\.greenhouse\.io/(?:embed/job_board(?:/js)?\?for=)?(?!embed){_NAME}",
        "https://boards-api.greenhouse.io/v1/boards/{0}/jobs?content=true",
    ),
    _platform("lever", "jobs", rf"jobs\.lever\.co/{_NAME}", "https://api.lever.co/v0/postings/{0}?mode=json"),
    _platform("lever", "jobs", rf"jobs\.eu\.lever\.co/{_NAME}", "https://api.eu.lever.co/v0/postings/{0}?mode=json"),
    _platform("ashby", "jobs", rf"jobs\.ashbyhq\.com/{_NAME}", "https://api.ashbyhq.com/posting-api/job-board/{0}"),
    _platform(
        "smartrecruiters",
        "jobs",
        rf"(?:careers|jobs)\.smartrecruiters\.com/{_NAME}",
        "https://api.smartrecruiters.com/v1/companies/{0}/postings",
    ),
    _platform("workable", "jobs", rf"apply\.workable\.com/(?!api/){_NAME}", "https://apply.workable.com/api/v1/widget/accounts/{0}?details=true"),
    _platform("recruitee", "jobs", r"([\w-]{2,60})\.recruitee\.com", "https://{0}.recruitee.com/api/offers/"),
    _platform("personio", "jobs", r"([\w-]{2,60})\.jobs\.personio\.(de|com)", "https://{0}.jobs.personio.{1}/xml"),
    _platform("teamtailor", "jobs", r"(?!www\.)([\w-]{2,60})\.teamtailor\.com", "https://{0}.teamtailor.com/jobs.rss", "job_feed"),
    _platform("mastodon", "social", rf"{_ANY_HOST}/@(\w{{1,60}})(?=[/?#]|$)", "https://{0}/@{1}.rss", "post_feed"),
    _platform(
        "bluesky",
        "social",
        r"bsky\.app/profile/([\w.:-]{3,80})",
        "https://public.api.bsky.app/xrpc/app.bsky.feed.getAuthorFeed?actor={0}&filter=posts_no_replies&limit=50",
    ),
    _platform("reddit", "social", rf"(?:www\.|old\.)?reddit\.com/(r|user)/{_NAME}", "https://www.reddit.com/{0}/{1}/new.json?limit=50"),
    _platform("youtube", "social", r"(?:www\.)?youtube\.com/channel/(UC[\w-]{22})", "https://www.youtube.com/feeds/videos.xml?channel_id={0}", "post_feed"),
    _platform(
        "hackernews",
        "social",
        rf"news\.ycombinator\.com/user\?id={_NAME}",
        "https://hn.algolia.com/api/v1/search_by_date?tags=story,author_{0}",
    ),
    _platform("discourse", "forums", r"((?:discuss|discourse|community|forums?)\.[\w.-]+)", "https://{0}/latest.json?order=created"),
    _platform(
        "stackexchange",
        "forums",
        r"(stackoverflow|serverfault|superuser)\.com/(?:questions/tagged|tags)/([\w.+#-]{1,40})",
        "https://api.stackexchange.com/2.3/questions?site={0}&tagged={1}&order=desc&sort=creation&filter=withbody",
    ),
    _platform("github", "forums", rf"{_GITHUB}/([\w-]+)/([\w.-]+)", "https://github.com/{0}/{1}/releases.atom", "post_feed"),
)  # fmt: skip


def platform_sources(urls: Iterable[str]) -> list[dict[str, str]]:
    """The public feeds behind the links of a page: ``{"kind", "url"}``, each once, few per platform.

    >>> platform_sources(["https://jobs.lever.co/acme/4711", "https://mastodon.social/@acme"])
    [{'kind': 'jobs', 'url': 'https://api.lever.co/v0/postings/acme?mode=json'}, {'kind': 'social', 'url': 'https://mastodon.social/@acme.rss'}]
    """
    found: dict[str, str] = {}
    n_found: dict[str, int] = {}
    for url in urls:
        for platform in PLATFORMS:
            match = platform.link.match(url)
            if match is None or n_found.get(platform.name, 0) >= MAX_PER_PLATFORM:
                continue
            feed = platform.feed.format(*match.groups())
            if feed not in found:
                found[feed] = platform.kind
                n_found[platform.name] = n_found.get(platform.name, 0) + 1
            break
    return [{"kind": kind, "url": url} for url, kind in found.items()]


def reader_of(feed_url: str) -> str:
    """Which function of crawler.posts reads the payload of a feed; ``post_feed`` for a feed of no platform we know.

    >>> reader_of("https://api.lever.co/v0/postings/acme?mode=json"), reader_of("https://community.acme.test/latest.json?order=created")
    ('lever', 'discourse')
    """
    parts = urlsplit(feed_url)
    host, path = parts.hostname or "", parts.path
    for platform in PLATFORMS:
        known = urlsplit(platform.feed)
        if known.hostname and "{" not in known.netloc and known.hostname == host and platform.reader != "post_feed":
            return platform.reader
    for end, reader in (("/latest.json", "discourse"), ("/api/offers/", "recruitee"), ("/xml", "personio"), ("/jobs.rss", "job_feed")):
        if path.endswith(end):
            return reader
    return "mastodon" if "/api/v1/accounts/" in path else "post_feed"
