"""One spelling per page, so that a page found twice is fetched and stored once."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from w3lib.url import canonicalize_url

from urls.domains import registrable_domain

# Parameters that name a campaign or a visit, never a page; in whatever case.
TRACKING_PARAMETERS = frozenset(
    "utm_source utm_medium utm_campaign utm_term utm_content utm_id gclid fbclid msclkid mc_cid mc_eid igshid yclid _hsenc _hsmi mkt_tok "
    "ref_src sessionid phpsessid jsessionid aspsessionid cfid cftoken sid".split()
)
_SESSION_IN_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?#]*", re.IGNORECASE)


def canonical_url(url: str) -> str:
    """The URL without fragment, tracking and session parameters, with its query sorted and its host in lower case.

    >>> canonical_url("HTTP://Example.com:80/News?utm_source=x&b=2&a=1#top")
    'http://example.com/News?a=1&b=2'
    >>> canonical_url("https://example.com/a;JSESSIONID=1F?PHPSESSID=2&id=3")
    'https://example.com/a?id=3'
    """
    canonical = canonicalize_url(_without_tracking(url))
    parts = urlsplit(canonical)
    default_port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    if default_port and parts.netloc.endswith(default_port):
        canonical = parts._replace(netloc=parts.netloc.removesuffix(default_port)).geturl()
    return canonical


def _without_tracking(url: str) -> str:
    parts = urlsplit(url)
    kept = [part for part in parts.query.split("&") if part.partition("=")[0].lower() not in TRACKING_PARAMETERS]
    return parts._replace(path=_SESSION_IN_PATH.sub("", parts.path), query="&".join(kept)).geturl()


def host_of(url: str) -> str:
    """The host a URL names, in lower case and without ``www.``, or an empty string.

    >>> host_of("https://www.example.com:8443/a")
    'example.com'
    """
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def same_site(url: str, domain: str) -> bool:
    """Whether a URL belongs to the site of a domain: the same registrable domain.

    >>> same_site("https://blog.example.co.uk/post", "example.co.uk"), same_site("https://example.com/", "example.co.uk")
    (True, False)
    """
    host = host_of(url)
    owner = registrable_domain(host) if host else None
    return owner is not None and owner == registrable_domain(domain)
