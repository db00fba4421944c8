"""OPML, the format in which feed readers hand lists of feeds to each other: in as a sandbox task, out as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from crawler.markup import without_doctype

MAX_OUTLINES = 20_000


def parse_opml(body: bytes) -> list[dict[str, str | None]]:
    """The feeds of an OPML file: ``{"feed", "site", "title"}``.

    >>> parse_opml(b'<opml><body><outline text="A" xmlUrl="https://a.test/feed" htmlUrl="https://a.test/"/></body></opml>')
    [{'feed': 'https://a.test/feed', 'site': 'https://a.test/', 'title': 'A'}]

    Raises:
        ValueError: the file is no XML at all.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    try:
        root = etree.fromstring(without_doctype(body), parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"no OPML: {error}") from error
    if root is None:
        raise ValueError("no OPML: not XML")
    found: list[dict[str, str | None]] = []
    for node in root.iter("outline"):
        values: dict[str, Any] = {name.lower(): value.strip() for name, value in node.attrib.items()}
        if values.get("xmlurl") and len(found) < MAX_OUTLINES:
            found.append(
                {"feed": values["xmlurl"], "site": values.get("htmlurl") or None, "title": values.get("title") or values.get("text")}
            )
    return found


def write_opml(companies: Iterable[tuple[str, str, list[str]]]) -> str:
    """OPML of companies' feeds.

    Args:
        companies: name, domain and feed URLs of each.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<opml version="2.0">', "<head><title>Bellwether sources</title></head>", "<body>"]
    for name, domain, feeds in companies:
        lines.append(f"<outline text={quoteattr(name)}>")
        site = quoteattr(f"https://{domain}/")
        lines += [f'<outline type="rss" text={quoteattr(name)} htmlUrl={site} xmlUrl={quoteattr(feed)}/>' for feed in feeds]
        lines.append("</outline>")
    return "\n".join([*lines, "</body>", "</opml>", ""])
