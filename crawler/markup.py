"""Pieces of strangers' markup made harmless, or made text."""

from __future__ import annotations

import re
import zlib

import lxml.html
from lxml import etree

MAX_TEXT_CHARS = 50_000
MAX_UNPACKED_BYTES = 16 * 1024 * 1024
_BLOCKS = ("p", "br", "li", "div", "h1", "h2", "h3", "h4", "tr")
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_REST_OF_DOCTYPE = re.compile(rb"[^>\[]*(?:\[.*?\]\s*)?>", re.DOTALL)
# Old feeds declare &nbsp; and its like; no honest one builds entities from entities, makes them long, or takes them from files.
_HOSTILE_ENTITY = re.compile(rb"<!ENTITY\s[^>]*?(?:&\w|\sSYSTEM\s|\sPUBLIC\s|[^>]{1000})")
_LONG_TAG = re.compile(rb"<[^<>]{100000,}")
_ATTRIBUTE = re.compile(rb"\s[\w:.-]+=")
MAX_ATTRIBUTES = 5000


def without_doctype(body: bytes) -> bytes:
    """XML without its document types: entity declarations live there, and without them none can blow up.

    >>> without_doctype(b'<!DOCTYPE r [<!ENTITY a "x">]><r>&a;</r>')
    b'<r>&a;</r>'

    Raises:
        ValueError: it declares entities that refer to entities or files, or long ones.
    """
    kept, start = [], 0
    while found := _DOCTYPE.search(body, start):
        kept.append(body[start : found.start()])
        rest = _REST_OF_DOCTYPE.match(body, found.end())
        if rest is None:  # it never ends, so nothing stands behind it
            return b"".join(kept)
        if _HOSTILE_ENTITY.search(rest.group()):
            raise ValueError("declares entities that refer to entities or files, or long ones")
        start = rest.end()
    return b"".join([*kept, body[start:]])


def refuse_many_attributes(body: bytes) -> None:
    """Turns away what takes parsers a time that grows with the square of its size; what hides from this look meets the sandbox's limits.

    Raises:
        ValueError: a tag has more than MAX_ATTRIBUTES attributes.
    """
    for tag in _LONG_TAG.finditer(body):  # long ones are rare, and mostly an image or JSON in one attribute
        if sum(1 for _ in _ATTRIBUTE.finditer(tag.group())) > MAX_ATTRIBUTES:
            raise ValueError(f"a tag with more than {MAX_ATTRIBUTES} attributes")


def unpacked(body: bytes) -> bytes:
    """The content of a file that came as gzip, as sitemaps do; anything else as it is.

    Raises:
        ValueError: it would be larger than a sitemap may be here.
    """
    if body[:2] != b"\x1f\x8b":
        return body
    unpacker = zlib.decompressobj(31)
    try:
        content = unpacker.decompress(body, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise ValueError(f"no gzip: {error}") from error
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {MAX_UNPACKED_BYTES} bytes when unpacked")
    return content


def plain_text(markup: str | None) -> str:
    """The text of a piece of HTML, a line per block.

    >>> plain_text("<p>We open <b>Leeds</b>.</p><p>Soon.</p>")
    'We open Leeds.\\nSoon.'
    """
    if not markup or not markup.strip():
        return ""
    try:
        fragment = lxml.html.fragment_fromstring(markup[: 4 * MAX_TEXT_CHARS], create_parent="div")
    except (etree.ParserError, ValueError):
        return ""
    for block in fragment.iter(*_BLOCKS):
        block.tail = "\n" + (block.tail or "")
    lines = (" ".join(line.split()) for line in fragment.text_content().split("\n"))
    return "\n".join(line for line in lines if line)[:MAX_TEXT_CHARS]
