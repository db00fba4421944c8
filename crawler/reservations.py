"""What a page or site reserves: noindex, noarchive (robots headers and tags), and text and data mining (TDM Reservation Protocol)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from scrapy.http import Response

from crawler.config import AGENT_NAME
from crawler.robots_txt import matches

HEAD_BYTES = 100_000
MAX_META_TAGS = 60
FINDING_AIDS = ("feed", "sitemap", "posts")  # read for where they lead; many sites mark their feeds noindex and mean search engines
_META = re.compile(r"<meta\b([^<>]{1,500})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w-]{1,40})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
TdmRules = Sequence[tuple[str, bool]]


def reservation_of(response: Response, kind: str, tdm_rules: TdmRules = ()) -> str | None:
    """``noindex``, ``noarchive`` or ``tdm_reserved`` when a response may not be kept and read, else None.

    Args:
        kind: the page's kind; feeds and sitemaps are only asked for text and data mining.
        tdm_rules: of the site's tdmrep.json.
    """
    metas = _metas(response.body[:HEAD_BYTES].decode("latin-1")) if kind not in FINDING_AIDS else []
    tdm = [value.decode("latin-1") for value in response.headers.getlist("tdm-reservation")]
    tdm += [content for name, content in metas if name == "tdm-reservation"]
    said = tdm[-1].strip() == "1" if tdm else is_tdm_reserved(tdm_rules, response.url)  # the page's own word counts more than the site's
    if said:
        return "tdm_reserved"
    if kind in FINDING_AIDS:
        return None
    directives = set(_header_directives(value.decode("latin-1") for value in response.headers.getlist("X-Robots-Tag")))
    for name, content in metas:
        if name in ("robots", AGENT_NAME.lower()):
            directives.update(part.strip().lower() for part in content.split(","))
    if directives & {"noindex", "none"}:
        return "noindex"
    return "noarchive" if "noarchive" in directives else None


def parse_tdmrep(body: bytes) -> list[tuple[str, bool]]:
    """The rules of a /.well-known/tdmrep.json: path pattern, and whether it is reserved; none for anything else that came in its place.

    >>> parse_tdmrep(b'[{"location": "/news/*", "tdm-reservation": 1}]')
    [('/news/*', True)]
    """
    try:
        rules = json.loads(body[:HEAD_BYTES])
    except (ValueError, RecursionError):
        return []
    return [
        (rule["location"], rule.get("tdm-reservation") in (1, "1"))
        for rule in (rules if isinstance(rules, list) else [])[:200]
        if isinstance(rule, dict) and isinstance(rule.get("location"), str)
    ]


def is_tdm_reserved(rules: TdmRules, url: str) -> bool:
    """Whether a site's rules reserve a URL; the first that matches decides.

    >>> is_tdm_reserved([("/press/*", False), ("/", True)], "https://a.test/news"), is_tdm_reserved([("/press/*", True)], "https://a.test/")
    (True, False)
    """
    path = re.sub(r"^https?://[^/]*", "", url).partition("#")[0] or "/"
    return next((reserved for location, reserved in rules if matches(location, path)), False)


def _header_directives(values: Iterable[str]) -> Iterable[str]:
    """Directives that are meant for everybody or for us; ``googlebot: noindex`` is not."""
    for value in values:
        agent, colon, rest = value.partition(":")
        is_named = bool(colon) and re.fullmatch(r"\s*[\w-]+\s*", agent) is not None and agent.strip().lower() != "unavailable_after"
        if is_named and agent.strip().lower() != AGENT_NAME.lower():
            continue
        yield from (part.strip().lower() for part in (rest if is_named else value).split(","))


def _metas(head: str) -> list[tuple[str, str]]:
    found = []
    for _, tag in zip(range(MAX_META_TAGS), _META.finditer(head), strict=False):
        attributes = {match[1].lower(): match[2] or match[3] or match[4] or "" for match in _ATTRIBUTE.finditer(tag[1])}
        if "name" in attributes and "content" in attributes:
            found.append((attributes["name"].lower(), attributes["content"]))
    return found
