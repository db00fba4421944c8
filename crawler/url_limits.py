"""Which URLs a crawl follows at all, wherever it found them: http and https on the ports of the web, without a user's name in them."""

from __future__ import annotations

from urllib.parse import urlsplit

from scrapy import Request
from scrapy.exceptions import IgnoreRequest

ALLOWED_PORTS = (80, 443, 8080, 8443)
MAX_URL_LENGTH = 2000


class UrlRefusedError(IgnoreRequest):
    """The URL is of a kind that a crawl does not follow; the message says why."""


def why_refused(url: str) -> str | None:
    """Why a crawl does not follow the URL, or None when it may.

    >>> why_refused("https://a.test:22/"), why_refused("https://user@a.test/"), why_refused("https://a.test/news")
    ('port 22 is none of the web', 'carries a user name', None)
    """
    if len(url) > MAX_URL_LENGTH:
        return f"longer than {MAX_URL_LENGTH} characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no valid URL"
    if parts.scheme not in ("http", "https"):
        return f"scheme {parts.scheme[:20]!r} is not http or https"
    if not parts.hostname:
        return "names no host"
    if parts.username is not None or parts.password is not None:
        return "carries a user name"
    if port is not None and port not in ALLOWED_PORTS:
        return f"port {port} is none of the web"
    return None


class UrlLimitsMiddleware:
    """The outermost downloader middleware: every request passes it, also those for robots.txt and after a redirect."""

    def process_request(self, request: Request) -> None:
        """Lets the request pass or raises UrlRefusedError."""
        why = why_refused(request.url)
        if why is not None:
            raise UrlRefusedError(why)
