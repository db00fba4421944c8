"""robots.txt, read and applied as RFC 9309 says.

Where the RFC is silent we do as Google's published parser does, because that is what webmasters test against: slips of the pen
(``dissallow``, a missing colon) count as what was meant, and ``Allow: /x/index.html`` also allows ``/x/``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

MAX_BYTES = 512 * 1024
MAX_LINE = 16 * 1024
_KEYS = {
    **dict.fromkeys(("user-agent", "useragent", "user agent"), "user-agent"),
    **dict.fromkeys(("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"), "disallow"),
    **dict.fromkeys(("sitemap", "site-map"), "sitemap"),
    "allow": "allow",
    "crawl-delay": "crawl-delay",
}
_PRODUCT = re.compile(r"[A-Za-z_-]+")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(slots=True)
class _Group:
    rules: list[tuple[str, bool]] = field(default_factory=list)  # pattern, is it an Allow
    crawl_delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class RobotsTxt:
    """The groups of a robots.txt by agent (in lower case, ``*`` for all others), and the sitemaps it names."""

    groups: dict[str, _Group]
    sitemaps: tuple[str, ...]

    def allows(self, url: str, agent: str) -> bool:
        """Whether the agent may fetch the URL: the longest pattern that matches decides, Allow before Disallow.

        >>> robots = parse_robots(b"User-agent: *\\nDisallow: /private\\nAllow: /private/press$")
        >>> robots.allows("https://a.test/private/x", "Bellwether"), robots.allows("https://a.test/private/press", "Bellwether")
        (False, True)
        """
        group = self._group(agent)
        if group is None:
            return True
        parts = urlsplit(url)
        path = _normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        matching = [(len(pattern), is_allow) for pattern, is_allow in group.rules if matches(pattern, path)]
        return max(matching)[1] if matching else True

    def crawl_delay_s(self, agent: str) -> float:
        """The pause between two requests it asks of the agent; 0 when it asks for none."""
        group = self._group(agent)
        return (group.crawl_delay_s or 0.0) if group else 0.0

    def _group(self, agent: str) -> _Group | None:
        return self.groups.get(agent.lower(), self.groups.get("*"))


def parse_robots(body: bytes) -> RobotsTxt:
    """The rules of a robots.txt body; never an error, whatever the body is."""
    groups: dict[str, _Group] = {}
    sitemaps: list[str] = []
    current: list[_Group] = []
    in_rules = True  # the next user-agent line begins a new group
    for line in re.split(r"\r\n|\n|\r", _decode(body[:MAX_BYTES])):
        key, value = _key_and_value(line[:MAX_LINE])
        if key == "user-agent":
            if in_rules:
                current, in_rules = [], False
            current.append(groups.setdefault(_agent_of(value), _Group()))
        elif key == "sitemap":
            sitemaps.append(value)
        elif key == "crawl-delay":
            for group in current:
                group.crawl_delay_s = max(group.crawl_delay_s or 0.0, _seconds(value))
        elif key is not None:
            in_rules = True
            for group in current:
                group.rules += _rules(value, key == "allow")
    return RobotsTxt(groups, tuple(sitemaps))


def _decode(body: bytes) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):  # saved by an editor of another age; the RFC knows only UTF-8
        return body.decode("utf-16", "replace")
    return body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _key_and_value(line: str) -> tuple[str | None, str]:
    line = line.partition("#")[0].replace("\x00", "").strip()
    key, colon, value = line.partition(":")
    if not colon:
        words = line.split()
        if len(words) != 2:
            return None, ""
        key, value = words
    return _KEYS.get(key.strip().lower()), value.strip()


def _agent_of(value: str) -> str:
    """The product token of a user-agent line; what follows it is a version or comment."""
    if value == "*" or value[:2] in ("* ", "*\t"):
        return "*"
    product = _PRODUCT.match(value)
    return product.group().lower() if product else ""


def _rules(value: str, is_allow: bool) -> list[tuple[str, bool]]:
    if not value:
        return []
    pattern = _normal(value)
    rules = [(pattern, is_allow)]
    if is_allow and pattern.endswith(("/index.html", "/index.htm")):
        rules.append((pattern[: pattern.rindex("/") + 1] + "$", True))
    return rules


def _seconds(value: str) -> float:
    try:
        seconds = float(value.replace(",", "."))
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < float("inf") else 0.0


def _normal(path: str) -> str:
    """One spelling per path: what needs no escape is not escaped, the rest is, in capitals."""
    escaped = quote(path, safe="%/?#[]@!$&'()*+,;=:-._~|^`{}\\\"<>")
    return _ESCAPE.sub(lambda match: _unescaped(match.group(1)), escaped)


def _unescaped(digits: str) -> str:
    character = chr(int(digits, 16))
    return character if character in _UNRESERVED else f"%{digits.upper()}"


def matches(pattern: str, path: str) -> bool:
    """Whether the path begins with the pattern; ``*`` stands for anything, a final ``$`` for the end. Linear in both lengths.

    >>> matches("/*.pdf$", "/a/b.pdf"), matches("/*.pdf$", "/a/b.pdf?x"), matches("/a*c", "/abcd"), matches("/a", "/b")
    (True, False, True, False)
    """
    is_anchored = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for i, piece in enumerate(rest):
        if is_anchored and i == len(rest) - 1:
            return path.endswith(piece) and len(path) - len(piece) >= at
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return not is_anchored or at == len(path)
