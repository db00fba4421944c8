"""When a page was published, by what the page says of itself: the surest source that gives a day, and which one it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import chain, islice
from typing import Any

from signals.dates import find_dates

ARTICLE_TYPES = frozenset(
    "Article NewsArticle BlogPosting Report TechArticle PressRelease LiveBlogPosting SocialMediaPosting AnalysisNewsArticle".split()
)
THREAD_TYPES = frozenset("DiscussionForumPosting Question".split())
EARLIEST = "1995-01-01"
PIECES_BESIDE = 16  # of text after the heading, among which a byline stands
DATE_CHARS = 45  # a piece of text that says when, and nothing else
_NOT_OF_PAGE = re.compile(r"\b(?:joined|member since|born|copyright|©)", re.IGNORECASE)
_META_NAMES = (  # in the order of trust; the first that gives a day counts
    "article:published_time datepublished og:article:published_time article:published og:published_time og:pubdate article.published "
    "sailthru.date parsely-pub-date dc.date.issued dcterms.issued dc.date.created dcterms.created citation_publication_date publish_date "
    "publish-date publishdate publication_date pubdate published_time originalpublicationdate datecreated release_date dc.date dcterms.date "
    "ms.date date"
).split()
_MONTH_FIRST = re.compile(r"(\d\d?)[-/](\d\d?)[-/](20\d\d)\b")
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(?:\D|$)")
_IN_URL = re.compile(r"/(?:((?:19|20)\d\d)/(\d\d?)/(\d\d?)(?=/)|((?:19|20)\d\d)-(\d\d)-(\d\d)(?=[/._-]|$))")


def publication_date(
    tree: Any, structured: list[dict[str, Any]], url: str, hint: str | None, fetched_on: str, is_post: bool
) -> tuple[str | None, str | None]:
    """The day in ISO 8601, and its source: ``url``, ``jsonld``, ``feed``, ``meta`` or ``text``; ``(None, None)`` where nothing tells.

    A day after ``fetched_on`` was not written down by a publisher, so the next source is asked. The whole page is searched (htmldate) only for
    a post of which nothing else gives a day: on other pages such a search finds any day but that of publication.

    Args:
        tree: the page; not changed.
        structured: its JSON-LD objects.
        hint: what the feed says that linked to it.
        fetched_on: the day it was archived.
        is_post: whether it is an article or a thread.
    """
    for source, candidates in (
        ("url", _in_url(url)),  # in the publisher's own time zone, where the others may be in another
        ("jsonld", _in_json_ld(structured, ARTICLE_TYPES, ("datePublished",))),
        ("feed", iter((hint or "",))),
        ("jsonld", _in_json_ld(structured, THREAD_TYPES, ("datePublished", "dateCreated"))),
        ("meta", _in_meta(tree)),
        ("meta", _in_marked_times(tree)),
        ("text", _beside_heading(tree)),
    ):
        for value in candidates:
            day = parse_day(value)
            if day and EARLIEST <= day <= fetched_on:
                return day, source
    found = _search_text(tree, url, fetched_on) if is_post else None
    return (found, "text") if found else (None, None)


def parse_iso_date(value: str) -> str | None:
    """The date a text in ISO 8601 begins with, or None.

    >>> parse_iso_date("2026-10-05T08:00:00+02:00"), parse_iso_date("5 October")
    ('2026-10-05', None)
    """
    try:
        return date.fromisoformat(value.strip()[:10]).isoformat()
    except ValueError:
        return None


def parse_day(value: str) -> str | None:
    """The day that the value of a field for dates names, or None: ISO 8601, compact, in words, or with slashes where only one reading is possible.

    >>> [parse_day(value) for value in ("2026-10-05 08:00Z", "20261005", "Oct 5, 2026", "Mon, 05 Oct 2026 08:00:00 GMT", "10/25/2026")]
    ['2026-10-05', '2026-10-05', '2026-10-05', '2026-10-05', '2026-10-25']
    >>> parse_day("10/05/2026")
    """
    value = value.strip()[:60]
    if found := parse_iso_date(value):
        return found
    if match := _COMPACT.match(value):
        return parse_iso_date("-".join(match.groups()))
    if match := _MONTH_FIRST.match(value):
        first, second, year = map(int, match.groups())
        if min(first, second) > 12 or (max(first, second) <= 12 and first != second):
            return None
        return parse_iso_date(f"{year}-{min(first, second):02d}-{max(first, second):02d}")
    named = next((named for named in find_dates(value, date(1900, 1, 1)) if named.precision == "day" and named.day.year > 1900), None)
    return named.day.isoformat() if named else None


def _in_json_ld(structured: list[dict[str, Any]], types: frozenset[str], keys: tuple[str, ...]) -> Iterator[str]:
    for item in structured:
        kind = item.get("@type")
        if any(name in types for name in (kind if isinstance(kind, list) else [kind]) if isinstance(name, str)):
            yield from (value for key in keys if isinstance(value := item.get(key), str))


def _in_meta(tree: Any) -> Iterator[str]:
    found: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop")
        if name and meta.get("content"):
            found.setdefault(name.lower(), meta.get("content"))
    yield from (found[name] for name in _META_NAMES if name in found)


def _in_marked_times(tree: Any) -> Iterator[str]:
    """The first ``<time>`` or element that is marked as the page's or its opening post's date."""
    for node in tree.iter("time", "span", "abbr", "p", "div", "li", "td", "a"):
        mark = node.get("itemprop")
        classes = (node.get("class") or "").lower() if node.tag == "time" else ""
        if mark in ("datePublished", "dateCreated") or node.get("pubdate") is not None or _says_published(classes):
            yield node.get("datetime") or node.get("content") or node.get("title") or node.text_content()[:60]


def _says_published(classes: str) -> bool:
    return "publish" in classes and not ("updated" in classes or "modified" in classes)


def _beside_heading(tree: Any) -> Iterator[str]:
    """Short pieces of text shortly after the page's heading; those that speak of an update come last."""
    heading = next(tree.iter("h1"), None)
    if heading is None:
        return
    pieces = list(islice(_iter_pieces_after(heading), PIECES_BESIDE))
    yield from sorted((piece for piece in pieces if len(piece) <= DATE_CHARS and not _NOT_OF_PAGE.search(piece)), key=_is_update)


def _iter_pieces_after(heading: Any) -> Iterator[str]:
    """Texts of the elements after one, in the order of the page; of a ``<time>`` what it says to machines."""
    for node in chain(heading.iter(), heading.xpath("following::*")):
        if not isinstance(node.tag, str) or node.tag in ("script", "style", "noscript"):
            continue
        text = (node.get("datetime") if node.tag == "time" else None) or node.text
        yield from (" ".join(piece.split()) for piece in (text, node.tail if node is not heading else None) if piece and piece.strip())


def _is_update(piece: str) -> bool:
    return re.search(r"\b(?:updated?|modified|edited|reviewed)\b", piece, re.IGNORECASE) is not None


def _in_url(url: str) -> Iterator[str]:
    if match := _IN_URL.search(url):
        year, month, day = (int(part) for part in match.groups() if part)
        yield f"{year}-{month:02d}-{day:02d}"


def _search_text(tree: Any, url: str, fetched_on: str) -> str | None:
    from htmldate import find_date

    found: str | None = find_date(tree, url=url, original_date=True, extensive_search=False, min_date=EARLIEST, max_date=fetched_on)
    return found
