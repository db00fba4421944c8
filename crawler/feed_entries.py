"""The entries of a feed, whatever its format: RSS, Atom and RDF by feedparser, JSON Feed by hand. Runs inside the sandbox."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import feedparser

from crawler.markup import plain_text, refuse_many_attributes, without_doctype

MAX_ENTRIES = 1000
MIN_FULL_WORDS = 120  # shorter contents are as likely a teaser
MAX_CONTENT_CHARS = 200_000
_IS_CUT = re.compile(
    r"(?:\u2026|\.\.\.|\[\u2026\]|\[\.\.\.\]|&hellip;|read more|continue reading|weiterlesen|lire la suite|leer m\u00e1s)\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; ``content`` is the HTML that stands for the whole article, ``summary`` what only announces it."""

    link: str
    title: str
    published: str | None  # ISO date
    content: str
    summary: str

    @property
    def full_text(self) -> str | None:
        """The content, if it is the whole article as far as one can tell: long enough, and not cut off."""
        text = plain_text(self.content) if len(self.content) >= MIN_FULL_WORDS else ""
        is_full = len(text.split()) >= MIN_FULL_WORDS and not _IS_CUT.search(text[-100:])
        return self.content[:MAX_CONTENT_CHARS] if is_full else None


def read_entries(body: bytes) -> list[Entry]:
    """The entries in the order of the feed.

    Raises:
        ValueError: it is no feed.
    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return list(_iter_json(json.loads(body.decode("utf-8-sig", "replace"))))[:MAX_ENTRIES]
    refuse_many_attributes(body)
    parsed = feedparser.parse(without_doctype(body))
    if not parsed.entries and parsed.bozo:
        raise ValueError(f"no feed: {parsed.get('bozo_exception')}")
    return [_entry(entry) for entry in parsed.entries[:MAX_ENTRIES]]


def _entry(entry: Any) -> Entry:
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    contents = [str(part.get("value") or "") for part in entry.get("content") or []]
    return Entry(
        link=str(entry.get("link") or ""),
        title=str(entry.get("title") or ""),
        published=time.strftime("%Y-%m-%d", moment) if moment else None,
        content=next((content for content in contents if content), ""),
        summary=str(entry.get("summary") or ""),
    )


def _iter_json(feed: Any) -> Iterator[Entry]:
    """Source: https://www.jsonfeed.org/version/1.1/."""
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise ValueError("no feed: JSON without a list of items")
    for item in items:
        if not isinstance(item, dict):
            continue
        text = {name: value for name, value in item.items() if isinstance(value, str)}
        moment = text.get("date_published") or text.get("date_modified") or ""
        found = re.match(r"\d{4}-[01]\d-[0-3]\d", moment)
        yield Entry(
            link=text.get("url") or text.get("external_url") or text.get("id") or "",
            title=text.get("title") or "",
            published=found.group() if found else None,
            content=text.get("content_html")
            or "".join(f"<p>{line}</p>" for line in _escaped(text.get("content_text") or "").split("\n") if line),
            summary=text.get("summary") or "",
        )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
