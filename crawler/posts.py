"""Sandbox task: the posts, job ads and forum topics in the payload of a platform's public feed or API.

Each reader takes the payload and gives posts: URL, title, text, day, and what it is – ``job``, ``article`` (the company itself speaks) or
``forum`` (anybody does). Names of people are not taken along.
"""

from __future__ import annotations

import html as html_entities
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from crawler.feed_entries import read_entries
from crawler.markup import MAX_TEXT_CHARS, plain_text, without_doctype

MAX_POSTS = 300
MAX_TITLE_CHARS = 110
Post = dict[str, Any]


def read_posts(body: bytes, url: str, reader: str) -> dict[str, Any]:
    """The posts of a payload.

    Returns:
        ``{"posts": [{"url", "title", "text", "published", "kind", "location"}], "backoff_s": seconds}``; the latter is what the API asks us to wait.
    """
    posts: list[Post] = []
    backoff_s = 0.0
    if reader in _OF_FEED:
        posts = list(_OF_FEED[reader](body, url))
    else:
        payload = json.loads(body)
        posts = [post for post in _OF_JSON[reader](payload, url) if post]
        backoff_s = float(payload.get("backoff") or 0) if isinstance(payload, dict) else 0.0
    kept = [post for post in posts if post["text"] and urlsplit(post["url"]).scheme in ("http", "https")]
    return {"posts": kept[:MAX_POSTS], "backoff_s": backoff_s}


def _post(url: Any, title: Any, text: str, published: Any, kind: str, location: Any = None) -> Post:
    words = " ".join(str(title or "").split())
    if not words:  # a short message is its own title
        words = text.partition("\n")[0][:MAX_TITLE_CHARS]
    return {"url": str(url or ""), "title": words, "text": text, "published": _day(published), "kind": kind, "location": location or None}


def _day(value: Any) -> str | None:
    """The date of an ISO time or of a number of (milli)seconds.

    >>> _day("2026-10-02T09:00:00Z"), _day(1790000000000), _day("soon")
    ('2026-10-02', '2026-09-21', None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        seconds = value / 1000 if value > 1e11 else value
        return datetime.fromtimestamp(seconds, UTC).date().isoformat() if 0 < seconds < 1e11 else None
    found = re.match(r"20\d\d-[01]\d-[0-3]\d", str(value))
    return found.group() if found else None


def _items(payload: Any, *path: str) -> Iterator[dict[str, Any]]:
    for key in path:
        payload = payload.get(key) if isinstance(payload, dict) else None
    for item in payload if isinstance(payload, list) else []:
        if isinstance(item, dict):
            yield item


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# ---- job boards --------------------------------------------------------------------------------------------------------


def _greenhouse(payload: Any, url: str) -> Iterator[Post]:
    for job in _items(payload, "jobs"):
        text = plain_text(html_entities.unescape(str(job.get("content") or "")))
        published = job.get("first_published") or job.get("updated_at")
        yield _post(job.get("absolute_url"), job.get("title"), text, published, "job", _dict(job.get("location")).get("name"))


def _lever(payload: Any, url: str) -> Iterator[Post]:
    for job in _items({"jobs": payload}, "jobs"):
        lists = "\n".join(f"{part.get('text', '')}\n{plain_text(part.get('content'))}" for part in _items(job, "lists"))
        text = f"{job.get('descriptionPlain') or plain_text(job.get('description'))}\n{lists}".strip()
        yield _post(job.get("hostedUrl"), job.get("text"), text, job.get("createdAt"), "job", _dict(job.get("categories")).get("location"))


def _ashby(payload: Any, url: str) -> Iterator[Post]:
    for job in _items(payload, "jobs"):
        text = str(job.get("descriptionPlain") or plain_text(job.get("descriptionHtml")))
        yield _post(job.get("jobUrl"), job.get("title"), text, job.get("publishedAt"), "job", job.get("location"))


def _smartrecruiters(payload: Any, url: str) -> Iterator[Post]:
    for job in _items(payload, "content"):
        place, company = _dict(job.get("location")), _dict(job.get("company")).get("identifier", "")
        text = "\n".join(
            str(_dict(job.get(part)).get("label") or "") for part in ("department", "function", "industry", "typeOfEmployment")
        )
        link = f"https://jobs.smartrecruiters.com/{company}/{job.get('id', '')}"
        yield _post(link, job.get("name"), f"{job.get('name', '')}\n{text}".strip(), job.get("releasedDate"), "job", place.get("city"))


def _workable(payload: Any, url: str) -> Iterator[Post]:
    for job in _items(payload, "jobs"):
        yield _post(
            job.get("url"),
            job.get("title"),
            plain_text(job.get("description")),
            job.get("published_on") or job.get("created_at"),
            "job",
            job.get("city"),
        )


def _recruitee(payload: Any, url: str) -> Iterator[Post]:
    for job in _items(payload, "offers"):
        text = f"{plain_text(job.get('description'))}\n{plain_text(job.get('requirements'))}".strip()
        yield _post(job.get("careers_url"), job.get("title"), text, job.get("published_at"), "job", job.get("location"))


def _personio(body: bytes, url: str) -> Iterator[Post]:
    root = etree.fromstring(without_doctype(body), etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False))
    for node in root.iter("position") if root is not None else ():
        text = "\n".join(plain_text(value.text) for value in node.iterfind(".//jobDescription/value"))
        link = f"https://{urlsplit(url).hostname}/job/{node.findtext('id') or ''}"
        yield _post(link, node.findtext("name"), text, node.findtext("createdAt"), "job", node.findtext("office"))


# ---- social networks ---------------------------------------------------------------------------------------------------


def _mastodon(payload: Any, url: str) -> Iterator[Post]:
    for status in _items({"statuses": payload}, "statuses"):
        if status.get("reblog") or status.get("in_reply_to_id") or status.get("visibility") not in ("public", "unlisted"):
            continue  # other people's words, conversations, and what was not meant for everybody
        card = _dict(status.get("card"))
        text = "\n".join(part for part in (plain_text(status.get("content")), str(card.get("title") or "")) if part)
        yield _post(status.get("url") or status.get("uri"), status.get("spoiler_text"), text, status.get("created_at"), "article")


def _bluesky(payload: Any, url: str) -> Iterator[Post]:
    for item in _items(payload, "feed"):
        post, record = _dict(item.get("post")), _dict(_dict(item.get("post")).get("record"))
        if item.get("reason") or record.get("reply"):
            continue
        handle, key = _dict(post.get("author")).get("handle", ""), str(post.get("uri") or "").rpartition("/")[2]
        card = _dict(_dict(record.get("embed")).get("external"))
        text = "\n".join(part for part in (str(record.get("text") or ""), str(card.get("title") or "")) if part)
        yield _post(f"https://bsky.app/profile/{handle}/post/{key}", None, text, record.get("createdAt"), "article")


def _reddit(payload: Any, url: str) -> Iterator[Post]:
    is_own = "/user/" in url  # anybody writes in a subreddit
    for child in _items(payload, "data", "children"):
        post = _dict(child.get("data"))
        link = f"https://www.reddit.com{post.get('permalink', '')}"
        text = f"{post.get('title', '')}\n{post.get('selftext', '')}".strip()
        yield _post(link, post.get("title"), text[:MAX_TEXT_CHARS], post.get("created_utc"), "article" if is_own else "forum")


def _hackernews(payload: Any, url: str) -> Iterator[Post]:
    for hit in _items(payload, "hits"):
        text = plain_text(hit.get("story_text")) or str(hit.get("title") or "")
        yield _post(
            f"https://news.ycombinator.com/item?id={hit.get('objectID', '')}", hit.get("title"), text, hit.get("created_at"), "article"
        )


# ---- forums ------------------------------------------------------------------------------------------------------------


def _discourse(payload: Any, url: str) -> Iterator[Post]:
    if isinstance(payload, dict) and "topic_list" not in payload:
        raise ValueError("no Discourse: the answer has no topic_list")
    for topic in _items(payload, "topic_list", "topics"):
        link = f"https://{urlsplit(url).hostname}/t/{topic.get('slug') or '-'}/{topic.get('id', '')}"
        text = "\n".join(part for part in (str(topic.get("title") or ""), plain_text(topic.get("excerpt"))) if part)
        is_own = bool(topic.get("pinned") or topic.get("pinned_globally"))  # what the company wants everybody to read
        yield _post(link, topic.get("title"), text, topic.get("created_at"), "article" if is_own else "forum")


def _stackexchange(payload: Any, url: str) -> Iterator[Post]:
    for question in _items(payload, "items"):
        text = plain_text(question.get("body")) or str(question.get("title") or "")
        yield _post(
            question.get("link"), html_entities.unescape(str(question.get("title") or "")), text, question.get("creation_date"), "forum"
        )


# ---- feeds -------------------------------------------------------------------------------------------------------------


def _post_feed(body: bytes, url: str, kind: str = "article") -> Iterator[Post]:
    for entry in read_entries(body)[:MAX_POSTS]:
        text = plain_text(entry.content or entry.summary) or entry.title
        yield _post(entry.link, entry.title, text, entry.published, kind)


def _job_feed(body: bytes, url: str) -> Iterator[Post]:
    return _post_feed(body, url, "job")


_OF_JSON: dict[str, Callable[[Any, str], Iterator[Post]]] = {
    "greenhouse": _greenhouse,
    "lever": _lever,
    "ashby": _ashby,
    "smartrecruiters": _smartrecruiters,
    "workable": _workable,
    "recruitee": _recruitee,
    "mastodon": _mastodon,
    "bluesky": _bluesky,
    "reddit": _reddit,
    "hackernews": _hackernews,
    "discourse": _discourse,
    "stackexchange": _stackexchange,
}
_OF_FEED: dict[str, Callable[[bytes, str], Iterator[Post]]] = {"personio": _personio, "post_feed": _post_feed, "job_feed": _job_feed}
