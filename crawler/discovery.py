"""Sandbox tasks: what a home page, a listing, a feed or a sitemap leads to.

Each takes a body and its URL and returns plain JSON values; each runs in a worker with limits, because the bytes are a stranger's.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree, html

from crawler.feed_entries import read_entries
from crawler.markup import refuse_many_attributes, unpacked, without_doctype
from crawler.platforms import platform_sources
from urls import canonical_url, registrable_domain, same_site

MAX_LINKS = 200
MAX_ANCHORS = 5000  # of one page that are looked at
MAX_SITEMAP_URLS = 50_000
MAX_SITEMAP_PAGES = 2000
MAX_FULL_TEXTS = 50  # of one feed
MAX_URL_LENGTH = 500
MAX_PATH_DEPTH = 8
Link = dict[str, str]

# What companies call these pages, in the languages our users' accounts publish in. Matched as whole words of path and link text.
_SECTIONS = {
    "newsroom": "news newsroom press media press-releases pressreleases announcements presse aktuelles nachrichten actualites actualités noticias prensa "
    "noticias notizie stampa nieuws pers nyheter aktualnosci aktualności prasa imprensa novidades nyheder uutiset",
    "blog": "blog blogs stories insights journal articles updates notes magazin magazine magazijn weblog diary field-notes engineering "
    "histoires historias storie verhalen",
    "careers": "careers career jobs job vacancies join-us work-with-us karriere stellen stellenangebote emplois carrieres "
    "carrières recrutement empleo trabaja lavora vacatures werken jobb kariera praca carreiras vagas",
}
_WORDS = {kind: frozenset(words.split()) for kind, words in _SECTIONS.items()}
# How listings call their next page, symbols included.
_NEXT = frozenset(
    [
        *(
            "next",
            "next page",
            "next »",
            "next ›",
            "next →",
            "older",
            "older posts",
            "older entries",
            "older articles",
            "older news",
            "more news",
        ),
        *(
            "weiter",
            "nächste",
            "nächste seite",
            "ältere",
            "ältere beiträge",
            "ältere einträge",
            "suivant",
            "page suivante",
            "articles plus anciens",
        ),
        *(
            "siguiente",
            "página siguiente",
            "entradas anteriores",
            "successivo",
            "successiva",
            "pagina successiva",
            "volgende",
            "volgende pagina",
        ),
        *(
            "nästa",
            "nästa sida",
            "neste",
            "neste side",
            "næste",
            "næste side",
            "następna",
            "próxima",
            "próxima página",
            "seguinte",
            "seuraava",
        ),
        *("›", "»", "→", "⟩", "〉", ">", ">>", "← older posts", "« older entries", "older posts →"),
    ]
)
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")
_NOT_AN_ARTICLE = re.compile(
    r"/(?:tag|tags|category|categories|author|authors|page|search|login|cart|privacy|terms|contact|about|imprint|feed|wp-\w+)(?:/|$)|"
    r"/index\d*\.\w+$|\.(?:pdf|jpe?g|png|gif|svg|webp|zip|mp4|mp3|css|js|ics|xml|rss)$",
    re.IGNORECASE,
)
_PARKED = re.compile(
    r"domain (?:name )?(?:is|may be) for sale|buy this domain|this domain (?:is|has been) (?:parked|registered)|domain parking|"
    r"diese domain steht zum verkauf|ce nom de domaine est à vendre",
    re.IGNORECASE,
)


def discover_sources(body: bytes, url: str) -> dict[str, Any]:
    """Where the company of a home page publishes.

    Returns:
        ``{"title", "generator", "is_parked", "sources": [{"kind", "url"}]}``; sources lie on the page's own site, or on a platform it links to.
    """
    page = parse_html(body)
    if page is None:
        return {"title": None, "generator": None, "is_parked": False, "sources": []}
    title = " ".join((page.findtext(".//title") or "").split()) or None
    generator = next((node.get("content") for node in page.iter("meta") if (node.get("name") or "").lower() == "generator"), None)
    sources: dict[str, str] = {}
    for node in page.iter("link"):
        if "alternate" in (node.get("rel") or "").lower() and (node.get("type") or "").lower() in _FEED_TYPES and node.get("href"):
            _add(sources, "feed", url, node.get("href"))
    best: dict[str, int] = {}
    for link in _links(page, url):
        kind = section_of(link["url"], link["text"])
        if kind and link["url"].rstrip("/") != url.rstrip("/") and best.get(kind, 0) < 3:
            best[kind] = best.get(kind, 0) + 1
            _add(sources, kind, url, link["url"])
    text = " ".join(page.text_content().split())[:3000]
    return {
        "title": title,
        "generator": generator,
        "is_parked": bool(_PARKED.search(f"{title} {text}")) and len(text) < 2500,
        "sources": [{"kind": kind, "url": where} for where, kind in sources.items()] + platform_sources(_all_targets(page, url)),
    }


def discover_links(body: bytes, url: str, kind: str) -> dict[str, Any]:
    """What a blog, newsroom or careers listing leads to.

    Returns:
        ``{"links": [{"url", "text"}], "next": URL of the next listing page or None}``.
    """
    page = parse_html(body)
    if page is None:
        return {"links": [], "next": None}
    base = urlsplit(url).path.rstrip("/")
    base = re.sub(r"/(?:page/\d+|index\d*\.\w+)$", "", base)
    found: dict[str, Link] = {}
    for link in _links(page, url):
        path = urlsplit(link["url"]).path
        beneath = path.startswith(base + "/") and len(path.rstrip("/")) > len(base) + 1
        wanted = beneath or (kind != "careers" and is_dated_path(path))
        if wanted and is_fetchable(link["url"]) and not _NOT_AN_ARTICLE.search(path):
            found.setdefault(link["url"], link)
    return {"links": list(found.values())[:MAX_LINKS], "next": _next_page(page, url, base)}


def _next_page(page: html.HtmlElement, url: str, base: str) -> str | None:
    """The next page of a listing: the one that says so (rel), else the first link beneath the listing whose text or label does."""
    here = canonical_url(url)
    for href in page.xpath("//a[contains(concat(' ', @rel, ' '), ' next ')]/@href | //link[@rel='next']/@href"):
        target = _absolute(url, href)
        if target and target != here:
            return target
    for node in islice(page.iter("a"), MAX_ANCHORS):
        label = " ".join((node.get("aria-label") or node.text_content()).split()).lower().strip(" .")
        target = _absolute(url, node.get("href") or "") if label in _NEXT else None
        if target and target != here and urlsplit(target).path.startswith(base):
            return target
    return None


def parse_feed(body: bytes, url: str) -> list[dict[str, str | None]]:
    """Entries of a feed on the page's own site.

    Returns:
        ``[{"url", "title", "published", "html"}]``: an ISO date or None, and the whole article where the feed gives it, else None.
    """
    entries: list[dict[str, str | None]] = []
    for entry in read_entries(body):
        target = _absolute(url, entry.link)
        if target and same_site(target, urlsplit(url).hostname or "") and is_fetchable(target):
            html = entry.full_text if len(entries) < MAX_FULL_TEXTS else None
            entries.append({"url": target, "title": entry.title, "published": entry.published, "html": html})
    return entries


def parse_sitemap(body: bytes, url: str, since: str) -> dict[str, Any]:
    """What a sitemap, packed or not, lists that may be an article.

    Args:
        since: pages last changed before this ISO date are left out.

    Returns:
        ``{"pages": [{"url", "modified"}], "sitemaps": [URL]}``, the newest first.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    content = without_doctype(unpacked(body))
    refuse_many_attributes(content)
    root = etree.fromstring(content, parser)
    if root is None:
        raise ValueError("no sitemap: not XML")
    pages: list[tuple[str, str]] = []
    sitemaps: list[tuple[str, str]] = []
    for node in islice(root.iterchildren("{*}url", "{*}sitemap"), MAX_SITEMAP_URLS):
        loc, modified = (node.findtext("{*}loc") or "").strip(), (node.findtext("{*}lastmod") or "").strip()[:10]
        if etree.QName(node).localname == "sitemap":
            sitemaps.append((modified, loc))
        elif (not modified or modified >= since) and _may_be_article(_path_of(loc), is_dated=bool(modified)):
            pages.append((modified, loc))
    found = [{"url": target, "modified": modified or None} for modified, target in _own(pages, url) if is_fetchable(target)]
    return {"pages": found[:MAX_SITEMAP_PAGES], "sitemaps": [target for _, target in _own(sitemaps[:MAX_SITEMAP_PAGES], url)][:50]}


def _own(dated: list[tuple[str, str]], url: str) -> list[tuple[str, str]]:
    """Of the newest, those on the site of a URL; to spell a URL in its one way takes long enough not to do it with all."""
    site = urlsplit(url).hostname or ""
    newest = sorted(dated, key=lambda one: one[0], reverse=True)[: 2 * MAX_SITEMAP_PAGES]
    targets = ((modified, _absolute(url, loc)) for modified, loc in newest)
    return [(modified, target) for modified, target in targets if target and same_site(target, site)]


def _path_of(loc: str) -> str:
    """The path of an address as it stands there, valid or not."""
    return loc.partition("://")[2].partition("/")[2].partition("?")[0].partition("#")[0] if "://" in loc else loc.partition("?")[0]


def parse_html(body: bytes) -> html.HtmlElement | None:
    """The tree of a page, or None when there is none to be made of it.

    Raises:
        ValueError: a tag has so many attributes that reading it would take for ever.
    """
    refuse_many_attributes(body)
    try:
        return html.document_fromstring(body, parser=html.HTMLParser(encoding=_declared_encoding(body), recover=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def section_of(url: str, text: str = "") -> str | None:
    """Which kind of section a link leads to, by the words of its path and text.

    >>> section_of("https://a.test/company/newsroom/"), section_of("https://a.test/x", "Karriere"), section_of("https://a.test/products")
    ('newsroom', 'careers', None)
    """
    segments = [part for part in unquote(urlsplit(url).path).lower().strip("/").split("/") if part]
    if len(segments) > 3:
        return None
    last = re.sub(r"\.\w{2,5}$", "", segments[-1]) if segments else ""
    label = "-".join(text.lower().split())
    host = (urlsplit(url).hostname or "").split(".")[0]
    for kind, words in _WORDS.items():
        if last in words or label in words or (not segments and host in words):
            return kind
    return None


def is_dated_path(path: str) -> bool:
    """Whether a path carries a year and month, as many blogs' articles do.

    >>> is_dated_path("/2026/03/new-plant"), is_dated_path("/products/2026")
    (True, False)
    """
    return re.search(r"/20[0-3]\d/(?:0?[1-9]|1[0-2])/[^/]{4,}", path) is not None


def is_fetchable(url: str) -> bool:
    """Whether a URL looks like a page rather than the bottom of a crawler trap.

    >>> is_fetchable("https://a.test/news/x"), is_fetchable("https://a.test/a/b/a/b/a/b/a/b"), is_fetchable("https://a.test/cal?month=3")
    (True, False, False)
    """
    if len(url) > MAX_URL_LENGTH:
        return False
    parts = urlsplit(url)
    segments = [part for part in parts.path.split("/") if part]
    if len(segments) > MAX_PATH_DEPTH or any(segments.count(part) > 2 for part in segments):
        return False
    return not re.search(
        r"(?:^|[?&])(?:month|year|day|date|week|calendar|sort|order|replytocom|session\w*)=", "?" + parts.query, re.IGNORECASE
    )


def _may_be_article(path: str, is_dated: bool) -> bool:
    """By a telling folder or a date in the path; or, where the sitemap dates the page, by a slug of several words in any folder but careers."""
    segments = path.lower().strip("/").split("/")
    folders = segments[:-1]
    named = any(part in _WORDS["newsroom"] or part in _WORDS["blog"] for part in folders)
    told = is_dated and bool(folders) and segments[-1].count("-") >= 2 and not any(part in _WORDS["careers"] for part in folders)
    return (named or told or is_dated_path(f"/{path}")) and not _NOT_AN_ARTICLE.search(f"/{path}")


def _declared_encoding(body: bytes) -> str:
    try:
        body.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        return "windows-1252"


def _links(page: html.HtmlElement, url: str) -> list[Link]:
    """Links within the site, in page order, one per URL; the longest text wins."""
    site = registrable_domain(urlsplit(url).hostname or "")
    found: dict[str, Link] = {}
    for node in islice(page.iter("a"), MAX_ANCHORS):
        target = _absolute(url, node.get("href") or "")
        if not target or site is None or not same_site(target, site):
            continue
        text = " ".join(node.text_content().split())[:200]
        if target not in found or len(text) > len(found[target]["text"]):
            found[target] = {"url": target, "text": text}
        if len(found) > 5 * MAX_LINKS:
            break
    return list(found.values())


def _all_targets(page: html.HtmlElement, url: str) -> list[str]:
    """Where links and embedded frames and scripts of a page lead, also off the site."""
    nodes = islice(page.iter("a", "iframe", "script"), MAX_ANCHORS)
    targets = [node.get("href") if node.tag == "a" else node.get("src") for node in nodes]
    joined = [_joined(url, target) for target in targets[: 10 * MAX_LINKS] if target]
    return [target for target in joined if target]


def _joined(base: str, target: str) -> str | None:
    try:
        return urljoin(base, target.strip())
    except ValueError:
        return None


def _absolute(base: str, target: str) -> str | None:
    try:
        joined = urljoin(base, target.strip())
        if not target.strip() or urlsplit(joined).scheme not in ("http", "https") or not urlsplit(joined).hostname:
            return None
        return canonical_url(joined)
    except ValueError:
        return None


def _add(sources: dict[str, str], kind: str, base: str, target: str | None) -> None:
    absolute = _absolute(base, target or "")
    if absolute and is_fetchable(absolute):
        sources.setdefault(absolute, kind)
