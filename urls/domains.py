"""Company domains: from whatever a spreadsheet holds to one comparable name."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

import idna
from publicsuffixlist import PublicSuffixList

# Mail providers are nobody's company domain: an account under one would collect a stranger's news.
PUBLIC_MAIL_PROVIDERS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "ymail.com",
        "icloud.com",
        "me.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "gmx.com",
        "web.de",
        "t-online.de",
        "mail.ru",
        "yandex.ru",
        "qq.com",
        "163.com",
        "126.com",
        "proton.me",
        "protonmail.com",
        "libero.it",
        "orange.fr",
        "wanadoo.fr",
        "free.fr",
        "comcast.net",
        "btinternet.com",
        "bigpond.com",
        "rediffmail.com",
        "zoho.com",
    ]
)
_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class DomainError(ValueError):
    """A value that names no company's domain; its message says why, in words for a reject file."""


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def normalise_domain(value: str) -> str:
    """The lower-case ASCII host that stands for a company, without scheme, port, path or leading ``www.``.

    >>> normalise_domain("HTTPS://www.Müller-Bau.de:8443/impressum?x=1")
    'xn--mller-bau-q9a.de'
    >>> normalise_domain("example.co.uk.")
    'example.co.uk'

    Raises:
        DomainError: empty, an e-mail address, an IP address, a public suffix, a mail provider, or no valid host name.
    """
    text = value.strip()
    if not text:
        raise DomainError("is empty")
    if re.search(r"\s", text):
        raise DomainError("contains white space")
    host = _host_part(text)
    if not host:
        raise DomainError("has no host name")
    _refuse_ip_address(host)
    ascii_host = _to_ascii(host.rstrip(".").lower()).removeprefix("www.")
    labels = ascii_host.split(".")
    if len(ascii_host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise DomainError("is not a valid host name")
    if len(labels) < 2:
        raise DomainError("has no top-level domain")
    if labels[-1].isdigit():
        raise DomainError("ends in a number, which no top-level domain does")
    if ascii_host in PUBLIC_MAIL_PROVIDERS:
        raise DomainError("is a public mail provider, not a company")
    if registrable_domain(ascii_host) is None:
        raise DomainError("is a public suffix, not a company's domain")
    return ascii_host


@lru_cache(maxsize=65_536)  # a crawl asks several times for each page
def registrable_domain(host: str) -> str | None:
    """The part of a host that its owner registered (public suffix plus one label), or None for a suffix itself.

    >>> registrable_domain("shop.example.co.uk")
    'example.co.uk'

    Source: https://publicsuffix.org/list/ (the offline copy in the publicsuffixlist package).
    """
    found: str | None = _suffixes().privatesuffix(host.lower().rstrip("."))
    return found


def _host_part(text: str) -> str:
    if "@" in text and not _SCHEME.match(text):
        raise DomainError("is an e-mail address")
    if "\\" in text:
        raise DomainError("contains a backslash")
    try:
        parts = urlsplit(text if _SCHEME.match(text) else f"//{text.removeprefix('//')}")
        if parts.scheme not in ("", "http", "https"):
            raise DomainError(f"has the scheme {parts.scheme}, not http or https")
        _ = parts.port  # raises on a port that is none
    except ValueError as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError("is not a valid address") from error
    if parts.username or parts.password:
        raise DomainError("contains a user name")
    return parts.hostname or ""


def _refuse_ip_address(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    raise DomainError("is an IP address")


def _to_ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True, transitional=False).decode()
    except idna.IDNAError as error:
        raise DomainError("is not a valid international domain name") from error
