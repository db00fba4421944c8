"""Job boards, social networks and forums: found by a company's links, read by their public feeds, archived post by post."""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from crawler.platforms import platform_sources, reader_of
from crawler.posts import read_posts
from signals.documents import extract_document
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, page, text

DAY = "2026-10-02"
FEED_URLS = {
    "https://boards.greenhouse.io/acme/jobs/1": ("jobs", "greenhouse"),
    "https://boards.greenhouse.io/embed/job_board?for=acme": ("jobs", "greenhouse"),
    "https://jobs.eu.lever.co/acme": ("jobs", "lever"),
    "https://jobs.ashbyhq.com/acme": ("jobs", "ashby"),
    "https://careers.smartrecruiters.com/Acme": ("jobs", "smartrecruiters"),
    "https://apply.workable.com/acme/": ("jobs", "workable"),
    "https://acme.recruitee.com/": ("jobs", "recruitee"),
    "https://acme.jobs.personio.de/": ("jobs", "personio"),
    "https://acme.teamtailor.com/jobs": ("jobs", "job_feed"),
    "https://mastodon.social/@acme": ("social", "post_feed"),
    "https://bsky.app/profile/acme.test": ("social", "bluesky"),
    "https://www.reddit.com/r/acme": ("social", "reddit"),
    "https://www.youtube.com/channel/UC0123456789012345678901": ("social", "post_feed"),
    "https://news.ycombinator.com/user?id=acme": ("social", "hackernews"),
    "https://community.acme.test/": ("forums", "discourse"),
    "https://stackoverflow.com/questions/tagged/acme": ("forums", "stackexchange"),
    "https://github.com/acme/widget": ("forums", "post_feed"),
}


@pytest.mark.parametrize("link", FEED_URLS)
def test_a_link_leads_to_the_public_feed_and_the_feed_to_its_reader(link: str) -> None:
    (source,) = platform_sources([link])
    assert (source["kind"], reader_of(source["url"])) == FEED_URLS[link]


@pytest.mark.parametrize(
    "link",
    [
        "https://acme.test/about",
        "https://www.youtube.com/@acme",
        "https://www.linkedin.com/company/acme",
        "https://twitter.com/intent/tweet?text=x",
        "https://github.com/sponsors/acme",
        "mailto:jobs@acme.test",
        "https://www.teamtailor.com/",
    ],
)
def test_other_links_lead_nowhere(link: str) -> None:
    assert platform_sources([link]) == []


def test_a_page_full_of_other_peoples_profiles_gives_two_of_them() -> None:
    assert len(platform_sources(f"https://bsky.app/profile/person{n}.test" for n in range(50))) == 2


PAYLOADS: dict[str, Any] = {
    "greenhouse": {
        "jobs": [
            {
                "title": "Cloud Engineer",
                "absolute_url": "https://a.test/j/1",
                "content": "&lt;p&gt;You run &lt;b&gt;Kubernetes&lt;/b&gt;.&lt;/p&gt;",
                "first_published": f"{DAY}T09:00:00-04:00",
                "location": {"name": "Leeds"},
            }
        ]
    },
    "lever": [
        {
            "text": "Cloud Engineer",
            "hostedUrl": "https://a.test/j/1",
            "descriptionPlain": "You run Kubernetes.",
            "createdAt": 1790928000000,
            "categories": {"location": "Leeds"},
            "lists": [{"text": "You bring", "content": "<li>patience</li>"}],
        }
    ],
    "ashby": {
        "jobs": [
            {
                "title": "Cloud Engineer",
                "jobUrl": "https://a.test/j/1",
                "descriptionPlain": "You run Kubernetes.",
                "publishedAt": f"{DAY}T09:00:00Z",
                "location": "Leeds",
            }
        ]
    },
    "smartrecruiters": {
        "content": [
            {
                "id": "7",
                "name": "Cloud Engineer",
                "releasedDate": f"{DAY}T09:00:00.000Z",
                "location": {"city": "Leeds"},
                "company": {"identifier": "Acme"},
                "department": {"label": "Kubernetes"},
            }
        ]
    },
    "workable": {
        "jobs": [
            {
                "title": "Cloud Engineer",
                "url": "https://a.test/j/1",
                "description": "<p>You run Kubernetes.</p>",
                "published_on": DAY,
                "city": "Leeds",
            }
        ]
    },
    "recruitee": {
        "offers": [
            {
                "title": "Cloud Engineer",
                "careers_url": "https://a.test/j/1",
                "description": "<p>You run Kubernetes.</p>",
                "published_at": f"{DAY} 09:00:00 UTC",
                "location": "Leeds",
            }
        ]
    },
    "personio": f"""<?xml version="1.0"?><workzag-jobs><position><id>7</id><office>Leeds</office><name>Cloud Engineer</name>
        <jobDescriptions><jobDescription><name>Tasks</name><value><![CDATA[<p>You run Kubernetes.</p>]]></value></jobDescription></jobDescriptions>
        <createdAt>{DAY}T09:00:00+00:00</createdAt></position></workzag-jobs>""",
    "job_feed": """<rss version="2.0"><channel><item><title>Cloud Engineer</title><link>https://a.test/j/1</link>
        <description>&lt;p&gt;You run Kubernetes.&lt;/p&gt;</description><pubDate>Fri, 02 Oct 2026 09:00:00 GMT</pubDate></item></channel></rss>""",
}


def _read(reader: str, payload: Any, url: str = "https://acme.test/feed") -> list[dict[str, Any]]:
    body = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    posts: list[dict[str, Any]] = read_posts(body, url, reader)["posts"]
    return posts


@pytest.mark.parametrize("reader", PAYLOADS)
def test_every_job_board_gives_the_same_ad(reader: str) -> None:
    (job,) = _read(reader, PAYLOADS[reader])
    assert (job["title"], job["kind"], job["published"]) == ("Cloud Engineer", "job", DAY)
    assert "Kubernetes" in job["text"]
    assert job["url"].startswith("https://")


def test_a_company_speaks_for_itself_others_do_not() -> None:
    own = {"url": "https://m.test/@acme/1", "content": "<p>We open Leeds.</p>", "created_at": f"{DAY}T01:00:00Z", "visibility": "public"}
    statuses = [own, {**own, "reblog": {"id": 1}}, {**own, "in_reply_to_id": 4}, {**own, "visibility": "private"}]
    assert [(post["title"], post["kind"]) for post in _read("mastodon", statuses)] == [("We open Leeds.", "article")]
    record = {"text": "We open Leeds.", "createdAt": f"{DAY}T01:00:00Z"}
    post = {"uri": "at://did:plc:x/app.bsky.feed.post/3k", "author": {"handle": "acme.test"}, "record": record}
    feed = [{"post": post}, {"post": post, "reason": {"$type": "repost"}}, {"post": {**post, "record": {**record, "reply": {}}}}]
    assert [one["url"] for one in _read("bluesky", {"feed": feed[:2]})] == ["https://bsky.app/profile/acme.test/post/3k"]
    topics = [{"id": 1, "slug": "v2", "title": "V2 is out", "pinned": True}, {"id": 2, "slug": "help", "title": "It broke"}]
    assert [one["kind"] for one in _read("discourse", {"topic_list": {"topics": topics}})] == ["article", "forum"]
    hot = {"data": {"children": [{"data": {"permalink": "/r/acme/1", "title": "A question", "created_utc": 1790928000}}]}}
    assert _read("reddit", hot, "https://www.reddit.com/r/acme/new.json")[0]["kind"] == "forum"
    assert _read("reddit", hot, "https://www.reddit.com/user/acme/new.json")[0]["kind"] == "article"


def test_an_api_that_asks_for_a_pause_is_heard() -> None:
    payload = {
        "items": [{"link": "https://s.test/q/1", "title": "How?", "body": "<p>How to?</p>", "creation_date": 1790928000}],
        "backoff": 12,
    }
    read = read_posts(json.dumps(payload).encode(), "https://api.stackexchange.com/2.3/questions", "stackexchange")
    assert read["backoff_s"] == 12
    assert read["posts"][0]["kind"] == "forum"


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b"[1, null, {}]", b'{"jobs": "x", "feed": 3}', b"\xff\xfe", b"<html>", b"[" * 100_000]
)
@pytest.mark.parametrize("reader", ["greenhouse", "lever", "mastodon", "bluesky", "discourse", "stackexchange", "post_feed", "personio"])
def test_junk_gives_no_post_or_an_error_that_says_so(reader: str, body: bytes) -> None:
    with contextlib.suppress(ValueError, SyntaxError, RecursionError):
        assert read_posts(body, "https://a.test/", reader)["posts"] == []


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield member.name, file.read()


@pytest.mark.real
def test_recorded_mastodon_timelines_are_read_without_a_crash(real_data: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="the recordings are YAML")
    n_posts = n_timelines = 0
    for name, content in _members(real_data / "social" / "mastodon.tar.xz"):
        if not name.endswith(".yaml"):
            continue
        for interaction in yaml.safe_load(content)["interactions"]:
            body = interaction["response"]["body"]["string"]
            raw = body.encode() if isinstance(body, str) else body
            if "/timelines/" in interaction["request"]["uri"] and raw[:1] == b"[":
                n_timelines += 1
                posts = read_posts(raw, interaction["request"]["uri"], "mastodon")["posts"]
                n_posts += len(posts)
                assert all(post["title"] and post["published"] for post in posts)
    assert n_timelines > 5
    assert n_posts > 10


@pytest.mark.real
def test_a_recorded_discourse_listing_is_read(real_data: Path) -> None:
    payloads = dict(_members(real_data / "social" / "discourse_api.tar.xz"))
    latest = next(content for name, content in payloads.items() if name.endswith("/latest.json"))
    posts = read_posts(latest, "https://forum.test/latest.json", "discourse")["posts"]
    assert len(posts) == 3
    assert all(post["url"].startswith("https://forum.test/t/") for post in posts)


HOME = """<html><head><title>Acme</title></head><body><a href="https://jobs.lever.co/acme">Jobs</a>
<a rel="me" href="https://social.test/@acme">Mastodon</a><a href="https://stackoverflow.com/questions/tagged/acme">Help</a></body></html>"""
TOOT = f"""<rss version="2.0"><channel><item><link>https://social.test/@acme/1</link><pubDate>Fri, 02 Oct 2026 09:00:00 GMT</pubDate>
<description>&lt;p&gt;Acme opens an office in Leeds with room for forty people.&lt;/p&gt;
&lt;p&gt;Doors open on {DAY}.&lt;/p&gt;</description></item></channel></rss>"""


def _internet(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    if path == "/robots.txt":
        return text("")
    if (host, path) == ("acme.test", "/"):
        return page(HOME)
    if host == "api.lever.co" and path == "/v0/postings/acme?mode=json":
        if headers.get("If-None-Match") == '"1"':
            return Answer(304)
        return Answer(headers={"Content-Type": "application/json", "ETag": '"1"'}, body=json.dumps(PAYLOADS["lever"]).encode())
    if (host, path) == ("social.test", "/@acme.rss"):
        return Answer(headers={"Content-Type": "application/rss+xml"}, body=TOOT.encode())
    if host == "api.stackexchange.com":
        items = [{"link": "https://stackoverflow.com/q/1", "title": "How?", "body": "<p>How to?</p>", "creation_date": 1790928000}]
        return Answer(headers={"Content-Type": "application/json"}, body=json.dumps({"items": items, "backoff": 1}).encode())
    return Answer(404)


@pytest.fixture
def acme(crawl: Crawl) -> tuple[Crawl, Web]:
    web = Web(_internet)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [], https=True)
    crawl.add_accounts("acme.test")
    return crawl, web


def test_a_crawl_finds_and_archives_what_a_company_publishes_elsewhere(acme: tuple[Crawl, Web]) -> None:
    crawl, _web = acme
    crawl.run("crawl")
    kinds = {row["url"]: row["kind"] for row in crawl.rows("SELECT url, kind FROM pages")}
    assert kinds["https://a.test/j/1"] == "job"
    assert kinds["https://social.test/@acme/1"] == "article"
    assert kinds["https://stackoverflow.com/q/1"] == "forum"
    assert {row["kind"] for row in crawl.rows("SELECT kind FROM sources")} >= {"jobs", "social", "forums"}
    documents = {}
    for row in crawl.rows("SELECT * FROM pages WHERE kind IN ('job', 'article')"):
        path = str(crawl.folder / "archive" / row["warc_file"])
        documents[row["kind"]] = extract_document(b"", path, row["warc_offset"], row["published_hint"], row["kind"])
    assert (documents["job"]["title"], documents["job"]["kind"], documents["job"]["published_on"]) == (
        "Cloud Engineer",
        "job",
        "2026-10-02",
    )
    assert documents["article"]["kind"] == "article"
    assert documents["article"]["published_on"] == DAY
    assert "opens an office in Leeds" in documents["article"]["text"]


def test_an_unchanged_feed_is_asked_for_but_not_sent_again_and_ever_less_often(acme: tuple[Crawl, Web]) -> None:
    crawl, web = acme
    crawl.run("crawl")
    hours = []
    for day in (2, 4, 7):
        crawl.configure(now=f"2026-11-{day:02}T12:00:00Z")
        crawl.run("crawl", "jobs")
        (row,) = crawl.rows("SELECT revisit_hours FROM sources WHERE kind = 'jobs'")
        hours.append(row["revisit_hours"])
    assert hours == [30.0, 45.0, 67.5]
    asked = [asked for asked in web.log if asked.host == "api.lever.co" and asked.path != "/robots.txt"]
    assert [one.headers.get("If-None-Match") for one in asked] == [None, '"1"', '"1"', '"1"']
    assert len(crawl.rows("SELECT 1 FROM pages WHERE kind = 'job'")) == 1
