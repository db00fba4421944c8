"""Sandbox task: the technology profile of a domain, from what its home page, DNS and certificate show.

The rules are data in the well-known Wappalyzer schema (headers, cookies, html, scriptSrc, meta, dns, certIssuer, implies; patterns with
``\\;version:\\1``), in ``crawler/fingerprints`` and any folder the operator adds. Ours adds three words to it: ``endOfSupport`` maps a
release line to the day its support ended (a line also stands for older ones, an empty one for all), ``onPremises`` says what a sighting
shows the company to run itself, and a category may be ``eventful``: worth an event when it comes or goes.

A page is long and the patterns for it are many: RE2 looks for all of them in one pass, whose time grows with the page alone, and Python's ``re`` is asked only
about those that are there, for the place and the version. So in these patterns ``\\s``, ``\\w`` and ``\\d`` are ASCII and ``$`` is the very end, as RE2 has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import re2
from lxml import etree

from crawler.discovery import parse_html

OURS = Path(__file__).with_name("fingerprints")
MAX_HTML_CHARS = 300_000
MAX_SCRIPTS = 300
MAX_EVIDENCE = 160
_MARKUP_SOURCES = ("html", "scriptSrc", "meta")
RE2_BYTES = 64 << 20  # for RE2's automaton; it begins anew where this is not enough


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, where to look for it, and which of its groups is the version."""

    source: str  # header, cookie, html, scriptSrc, meta, MX, TXT, NS, CNAME, DMARC, CAA, certIssuer
    name: str  # of the header, cookie or meta tag
    regex: re.Pattern[str]
    version: str


@dataclass(frozen=True, slots=True)
class Technology:
    """One fingerprint rule."""

    name: str
    category: str
    is_eventful: bool
    patterns: tuple[Pattern, ...]
    implies: tuple[str, ...]
    on_premises: str | None
    end_of_support: Mapping[str, str]


class HtmlPatterns:
    """The patterns of all rules that look at a page's source, for one pass over it."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        options = re2.Options()
        options.case_sensitive, options.log_errors, options.max_mem = False, False, RE2_BYTES
        self._set = re2.Set.SearchSet(options)
        self._known: list[Pattern] = []
        self._others: set[Pattern] = set()
        for pattern in patterns:
            try:
                self._set.Add(pattern.regex.pattern)
                self._known.append(pattern)
            except re2.error:  # looks ahead or behind, which RE2 cannot
                self._others.add(pattern)
        try:
            self._set.Compile()
        except re2.error:  # more than RE2_BYTES hold
            self._others.update(self._known)
            self._known.clear()

    def possible(self, html: str) -> set[Pattern]:
        """Those that match the page, and the few of which RE2 cannot tell."""
        return self._others | {self._known[i] for i in (self._set.Match(html) if self._known else None) or ()}


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """All rules by name, their patterns for a page's source, and how many patterns of foreign rules Python could not read."""

    technologies: Mapping[str, Technology]
    html: HtmlPatterns
    n_unreadable: int


def detect_technologies(body: bytes, url: str, shown: Mapping[str, list[list[str]]], folders: list[str], on: str) -> list[dict[str, Any]]:
    """What runs at a company.

    Args:
        body: its home page.
        shown: source → pairs of name and value: ``header``, ``cookie``, ``MX`` and so on.
        folders: further fingerprints.
        on: the date of the look; support that ends later has not ended.

    Returns:
        By name: ``{"technology", "category", "version", "evidence", "source", "is_eventful", "legacy"}``; evidence is what was seen, legacy why
        it counts as end-of-support or on-premises software, or None.
    """
    fingerprints = load_fingerprints(tuple(folders))
    known = fingerprints.technologies
    seen = {source: [(name, value) for name, value in pairs] for source, pairs in shown.items()}
    seen.update(_markup(body))
    found: dict[str, dict[str, Any]] = {}
    in_html = {pattern for _, html in seen.get("html", ()) for pattern in fingerprints.html.possible(html)}
    for technology in known.values():
        sight = _sight(technology, seen, in_html)
        if sight is not None:
            found[technology.name] = _detection(technology, sight[0], sight[1], sight[2], on)
    queue = list(found)
    for name in queue:
        for implied in known[name].implies:
            if implied in known and implied not in found:
                found[implied] = _detection(known[implied], found[name]["source"], found[name]["evidence"], None, on)
                queue.append(implied)
    return [found[name] for name in sorted(found)]


def why_legacy(technology: Technology, version: str | None, on: str) -> str | None:
    """Why a sighting exposes end-of-support or on-premises software, in words, or None.

    >>> php = Technology("PHP", "Programming languages", False, (), (), None, {"7.4": "2022-11-28"})
    >>> why_legacy(php, "7.3.33", "2026-11-01"), why_legacy(php, "8.2", "2026-11-01")
    ('PHP 7.3.33 has been out of support since 2022-11-28', None)
    """
    ended = _support_ended(technology.end_of_support, version)
    if ended is not None and ended <= on:
        return f"{technology.name}{f' {version}' if version else ''} has been out of support since {ended}"
    return technology.on_premises


@lru_cache(maxsize=4)
def load_fingerprints(folders: tuple[str, ...] = ()) -> Fingerprints:
    """Our rules and those of further folders; a rule of the same name replaces an earlier one."""
    technologies: dict[str, Technology] = {}
    n_unreadable = 0
    for folder in (OURS, *map(Path, folders)):
        categories = _json(folder / "categories.json") if (folder / "categories.json").is_file() else {}
        for file in sorted({*folder.glob("*.json"), *folder.glob("technologies/*.json")} - {folder / "categories.json"}):
            for name, rule in _json(file).items():
                if isinstance(rule, dict):
                    technologies[name], n = _technology(name, rule, categories)
                    n_unreadable += n
    html = HtmlPatterns(pattern for technology in technologies.values() for pattern in technology.patterns if pattern.source == "html")
    return Fingerprints(technologies, html, n_unreadable)


def _technology(name: str, rule: Mapping[str, Any], categories: Mapping[str, Any]) -> tuple[Technology, int]:
    category = categories.get(str((rule.get("cats") or [0])[0])) or {}
    patterns, n_unreadable = [], 0
    for source, key, text in _iter_pattern_texts(rule):
        expression, *tags = text.split("\\;")
        version = next((tag.removeprefix("version:") for tag in tags if tag.startswith("version:")), "")
        try:
            patterns.append(Pattern(source, key, re.compile(expression, re.IGNORECASE | re.ASCII), version))
        except re.error:  # JavaScript's dialect knows what Python's does not
            n_unreadable += 1
    implies = tuple(text.partition("\\;")[0] for text in _texts(rule.get("implies")))
    made = Technology(
        name,
        category.get("name", "Other"),
        bool(category.get("eventful")),
        tuple(patterns),
        implies,
        rule.get("onPremises"),
        rule.get("endOfSupport") or {},
    )
    return made, n_unreadable


def _iter_pattern_texts(rule: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Source, name and pattern of everything in a rule that we can look for."""
    for field, source in (("headers", "header"), ("cookies", "cookie"), ("meta", "meta")):
        for name, texts in (rule.get(field) or {}).items():
            yield from ((source, name.lower(), text) for text in _texts(texts))
    for field in ("html", "scriptSrc", "certIssuer"):
        yield from ((field, "", text) for text in _texts(rule.get(field)))
    for kind, texts in (rule.get("dns") or {}).items():
        yield from ((kind.upper(), "", text) for text in _texts(texts))


def _sight(technology: Technology, seen: Mapping[str, list[tuple[str, str]]], in_html: set[Pattern]) -> tuple[str, str, str | None] | None:
    """Source, evidence and version of the first sight, preferring one that tells a version; of the page's source only ``in_html`` is looked for."""
    best: tuple[str, str, str | None] | None = None
    for pattern in technology.patterns:
        if pattern.source == "html" and pattern not in in_html:
            continue
        for name, value in seen.get(pattern.source, ()):
            if pattern.name and not _is_named(pattern, name):
                continue
            match = pattern.regex.search(value)
            if match is None:
                continue
            version = _version(pattern.version, match)
            if best is None or (version and not best[2]):
                best = pattern.source, _evidence(pattern, name, value, match), version
            break
        if best is not None and best[2]:
            break
    return best


def _is_named(pattern: Pattern, name: str) -> bool:
    if pattern.source == "cookie":  # many carry a number or a site's id behind their name
        return re.match(pattern.name, name, re.IGNORECASE) is not None
    return pattern.name == name.lower()


def _version(template: str, match: re.Match[str]) -> str | None:
    found = re.fullmatch(r"\\(\d)(?:\?.*)?", template)
    if found is None or int(found[1]) > match.re.groups:
        return None
    version = (match[int(found[1])] or "").strip(".")
    return version[:20] or None


def _evidence(pattern: Pattern, name: str, value: str, match: re.Match[str]) -> str:
    """What was seen, short and with its place; of a page only the matched part and a little around it."""
    if pattern.source in ("header", "cookie", "meta"):
        place = {"header": "header", "cookie": "cookie", "meta": "meta tag"}[pattern.source]
        shown = f"{place} {name}" + (f": {value}" if value and pattern.source != "cookie" else "")
    elif pattern.source == "html":
        start = max(0, match.start() - 20)
        shown = f"page: {value[start : match.end() + 20]}"
    else:
        shown = f"{ {'scriptSrc': 'script', 'certIssuer': 'certificate'}.get(pattern.source, f'DNS {pattern.source}') }: {value}"
    return " ".join(shown.split())[:MAX_EVIDENCE]


def _detection(technology: Technology, source: str, evidence: str, version: str | None, on: str) -> dict[str, Any]:
    return {
        "technology": technology.name,
        "category": technology.category,
        "version": version,
        "evidence": evidence,
        "source": "page" if source in _MARKUP_SOURCES else source,
        "is_eventful": technology.is_eventful,
        "legacy": why_legacy(technology, version, on),
    }


def _support_ended(lines: Mapping[str, str], version: str | None) -> str | None:
    if "" in lines:
        return lines[""]
    number = _number(version)
    ended = [(line, day) for text, day in lines.items() if (line := _number(text)) and number and _is_within(number, line)]
    return min(ended)[1] if ended else None


def _is_within(version: tuple[int, ...], line: tuple[int, ...]) -> bool:
    """Whether a version belongs to a release line or an older one; one that is given too vaguely to tell does not."""
    if len(version) < len(line) and version == line[: len(version)]:
        return False
    return version[: len(line)] <= line


def _number(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (version or "").split(".") if part.isdigit())


def _markup(body: bytes) -> dict[str, list[tuple[str, str]]]:
    page = parse_html(body)
    if page is None:
        return {}
    text = body[: 2 * MAX_HTML_CHARS].decode("utf-8", "replace")[:MAX_HTML_CHARS]
    scripts = [("", node.get("src")) for node in page.iter("script") if node.get("src")][:MAX_SCRIPTS]
    return {"html": [("", text)], "scriptSrc": scripts, "meta": list(_metas(page))}


def _metas(page: etree._Element) -> Iterator[tuple[str, str]]:
    for node in page.iter("meta"):
        name, content = node.get("name") or node.get("property"), node.get("content")
        if name and content:
            yield name.lower(), content[:300]


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
