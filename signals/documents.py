"""From an archived response to a Document: title, main text, language, publication date, kind. Runs inside the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lxml.html
from lxml.etree import ParserError, iterwalk

from signals.main_text import MAIN_TEXT_FOLDER, load_reader
from signals.privacy import remove_contacts
from signals.publication_dates import ARTICLE_TYPES, THREAD_TYPES, parse_iso_date, publication_date
from storage.archive import ArchivedResponse, read_response

MAX_TEXT_CHARS = 200_000
MAX_NODES = 60_000  # pages above this are tables of data or attacks; readers' time grows faster than their size
MAX_ATTRIBUTES = 200
MAX_DEPTH = 200  # of nested tags; the readers' time grows with its square, and the parser itself stops at 256
MAX_TITLE_CHARS = 300
LANGUAGE_CHARS = 1_000  # that are looked at for the language; three times as many say the same of 540 real pages and 500 press releases
NEVER = "9999-12-31"  # the day of archiving where a record does not tell it
_WINDOW_TITLE = re.compile(r"(.+?)(?:\s+[|–—·•»-]\s+[^|–—·•»]{1,40})?$")  # without the site's name behind it
_FORUM_SOFTWARE = re.compile(r"discourse|phpbb|vbulletin|xenforo|flarum|nodebb|invision|simple machines|vanilla forums")
_FORUM_HOST = re.compile(r"(?:forums?|community|boards?|discuss(?:ions?)?|answers)\.")
_FORUM_URL = re.compile(
    r"/(?:t|topic|thread|threads|forums?|questions|discussions?|boards|comments|talk)/|/(?:viewtopic|showthread|printthread|showtopic)\b|[?&;]topic=\d|/(?:forum|board)-?\d"
)


def prepare_worker() -> None:
    """Loads what the sandbox will not allow later: the language model is unpacked through a temporary file."""
    from htmldate import find_date

    find_date("<html><body><p>5 October 2026</p></body></html>")
    language_of("a text that is long enough to be told from another")


class NoDocumentError(ValueError):
    """The response holds no text to read; the message is the reason kept in the failure."""


def extract_document(
    body: bytes, warc_path: str, offset: int, published_hint: str | None = None, page_kind: str = "other"
) -> dict[str, Any]:
    """Sandbox task: the document of the archived response at an offset.

    Returns:
        ``{"title", "text", "kind", "language", "published_on", "published_source", "canonical_url"}``; or ``{"failed": reason, "detail": …}``.
    """
    response = read_response(Path(warc_path), offset)
    try:
        return parse_response(response, published_hint, page_kind)
    except NoDocumentError as error:
        reason, _, detail = str(error).partition(": ")
        return {"failed": reason, "detail": detail}


def parse_response(
    response: ArchivedResponse, published_hint: str | None = None, page_kind: str = "other", main_text_model: Path = MAIN_TEXT_FOLDER
) -> dict[str, Any]:
    """The same for a response at hand.

    Raises:
        NoDocumentError: ``not_html``, ``empty``, ``too_complex`` or ``no_text``, with a detail.
    """
    tree, structured = parse_page(response)
    posting = next((item for item in structured if _is_type(item, {"JobPosting"})), None)
    if posting is not None:
        return _job_document(posting, tree, response.url)
    main = load_reader(main_text_model).read(tree, response.url, json_ld_types(structured))
    return _text_document(main, tree, structured, response.url, published_hint, page_kind, response.archived_at[:10])


def parse_page(response: ArchivedResponse) -> tuple[Any, list[dict[str, Any]]]:
    """The tree of a page and its JSON-LD objects.

    Raises:
        NoDocumentError: it is no page, or one that no reader would survive.
    """
    _require_html(response)
    tree = _parse(decode_html(response))
    return tree, list(iter_json_ld(tree))


def decode_html(response: ArchivedResponse) -> str:
    """The body as text: byte-order mark, HTTP header, declared charset, then a guess; never an error."""
    from w3lib.encoding import html_to_unicode

    _, text = html_to_unicode(response.header("Content-Type"), response.body, default_encoding="utf-8")
    if text.count("\ufffd") > 2:
        # Declared UTF-8, written by an editor of another age.
        try:
            text = response.body.decode("cp1252")
        except UnicodeDecodeError:
            return str(text)
    return str(text)


def iter_json_ld(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the page's JSON-LD blocks, graphs flattened; junk is passed over."""
    for script in tree.iterfind(".//script[@type='application/ld+json']"):
        try:
            found = json.loads(script.text or "", strict=False)
        except (ValueError, RecursionError):
            continue
        queue = found if isinstance(found, list) else [found]
        for item in queue[:200]:
            if isinstance(item, dict):
                graph = item.get("@graph")
                queue.extend(graph if isinstance(graph, list) else [])
                yield item


def json_ld_types(structured: list[dict[str, Any]]) -> list[str]:
    """The types that a page's JSON-LD objects claim."""
    kinds = [kind for item in structured for kind in (item["@type"] if isinstance(item.get("@type"), list) else [item.get("@type")])]
    return [kind for kind in kinds if isinstance(kind, str)]


def language_of(text: str) -> str | None:
    """ISO 639-1 code of a text's language, or None when there is too little text to tell."""
    if len(text) < 40:
        return None
    import py3langid

    code: str = py3langid.classify(text[:LANGUAGE_CHARS])[0]
    return code


def _require_html(response: ArchivedResponse) -> None:
    if not response.body.strip():
        raise NoDocumentError("empty: the response has no body")
    content_type = (response.header("Content-Type") or "text/html").lower()
    if not any(kind in content_type for kind in ("html", "xml", "text/plain")):
        raise NoDocumentError(f"not_html: the content type is {content_type[:80]}")
    if response.body[:5] == b"%PDF-" or (
        b"\x00" in response.body[:1000].replace(b"\x00", b"", 0) and response.body[:2] not in (b"\xff\xfe", b"\xfe\xff")
    ):
        raise NoDocumentError("not_html: the body is binary")


def _parse(html: str) -> Any:
    try:
        tree = lxml.html.document_fromstring(html.replace("\x00", ""), parser=lxml.html.HTMLParser(encoding="utf-8", huge_tree=False))
    except ValueError:  # a str with an XML encoding declaration
        tree = lxml.html.document_fromstring(
            html.encode("utf-8", "replace"), parser=lxml.html.HTMLParser(encoding="utf-8", huge_tree=False)
        )
    except (ParserError, AssertionError) as error:
        raise NoDocumentError(f"no_text: {error}") from error
    n_nodes = depth = 0
    for event, node in iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        n_nodes += event == "start"
        if n_nodes > MAX_NODES:
            raise NoDocumentError(f"too_complex: more than {MAX_NODES} nodes")
        if depth > MAX_DEPTH:
            raise NoDocumentError(f"too_complex: tags nested more than {MAX_DEPTH} deep")
        if len(node.attrib) > MAX_ATTRIBUTES:
            raise NoDocumentError(f"too_complex: a tag with {len(node.attrib)} attributes")
    return tree


def _is_type(item: dict[str, Any], names: set[str] | frozenset[str]) -> bool:
    kind = item.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(name, str) and name in names for name in kinds)


def _job_document(posting: dict[str, Any], tree: Any, url: str) -> dict[str, Any]:
    title = str(posting.get("title") or "").strip()
    description = str(posting.get("description") or "")
    text = remove_contacts(_plain_text(description))
    if not title and not text:
        raise NoDocumentError("no_text: the job posting is empty")
    published = parse_iso_date(str(posting.get("datePosted") or ""))
    return {
        "title": title or None,
        "text": text or title,
        "kind": "job",
        "language": language_of(text),
        "published_on": published,
        "published_source": "jsonld" if published else None,
        "canonical_url": _canonical_link(tree, url),
    }


def _plain_text(html: str) -> str:
    if not html.strip():
        return ""
    fragment = lxml.html.fragment_fromstring(html, create_parent="div")
    for block in fragment.iter("p", "br", "li", "div", "h1", "h2", "h3", "h4"):
        block.tail = "\n" + (block.tail or "")
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in fragment.text_content().split("\n"))
    return "\n".join(line for line in lines if line)


def _text_document(
    main: str, tree: Any, structured: list[dict[str, Any]], url: str, published_hint: str | None, page_kind: str, fetched_on: str
) -> dict[str, Any]:
    text = remove_contacts(main.strip()[:MAX_TEXT_CHARS])
    if not text:
        raise NoDocumentError("no_text: no main text was found")
    kind = _kind(tree, structured, url, page_kind)
    published_on, source = publication_date(tree, structured, url, published_hint, fetched_on or NEVER, kind in ("article", "forum"))
    return {
        "title": _title(tree, structured),
        "text": text,
        "kind": kind,
        "language": language_of(text),
        "published_on": published_on,
        "published_source": source,
        "canonical_url": _canonical_link(tree, url),
    }


def _title(tree: Any, structured: list[dict[str, Any]]) -> str | None:
    """The headline that the page names to machines, its only heading, what it calls itself when it is shared, or its window's title."""
    for item in structured:
        if _is_type(item, ARTICLE_TYPES) and isinstance(item.get("headline"), str) and item["headline"].strip():
            return " ".join(_plain_text(item["headline"]).split())
    headings = [heading for node in tree.iter("h1") if (heading := " ".join(node.text_content().split()))]
    shared = next(
        (meta.get("content") for meta in tree.iterfind(".//meta[@property='og:title']") if (meta.get("content") or "").strip()), ""
    )
    window = _WINDOW_TITLE.match(" ".join((tree.findtext(".//title") or "").split()))
    if len(headings) == 1:
        return headings[0][:MAX_TITLE_CHARS]
    title = " ".join(shared.split()) or (window.group(1) if window else "") or next(iter(headings), "")
    return title[:MAX_TITLE_CHARS] or None


def _canonical_link(tree: Any, url: str) -> str | None:
    for link in tree.iterfind(".//link[@rel='canonical']"):
        href = link.get("href") or ""
        if href.startswith(("http://", "https://")):
            return str(href)
    return url or None


def _kind(tree: Any, structured: list[dict[str, Any]], url: str, page_kind: str) -> str:
    if page_kind in ("article", "job", "listing"):
        return page_kind
    parts = urlsplit(url)
    path = parts.path.lower()
    generator = " ".join((node.get("content") or "") for node in tree.iterfind(".//meta[@name='generator']")).lower()
    if (
        any(_is_type(item, THREAD_TYPES) for item in structured)
        or _FORUM_SOFTWARE.search(generator)
        or _FORUM_HOST.match(parts.netloc.lower())
        or _FORUM_URL.search(f"{path}?{parts.query}".lower())
    ):
        return "forum"
    if (
        re.search(r"docusaurus|sphinx|mkdocs|gitbook|readme\.io|vitepress", generator)
        or parts.netloc.startswith(("docs.", "developer."))
        or re.search(r"/(docs|documentation|manual|reference|api)(/|$)", path)
    ):
        return "documentation"
    if any(_is_type(item, ARTICLE_TYPES) for item in structured) or tree.find(".//meta[@property='article:published_time']") is not None:
        return "article"
    if path in ("", "/") or page_kind == "home":
        return "home"
    if re.search(r"/(blog|news|newsroom|press|press-releases|category|tag|archive|insights|stories)/?$", path):
        return "listing"
    if re.search(r"/(blog|news|newsroom|press|press-releases|insights|stories|story|articles?|posts?|p)/", path) or re.search(
        r"/20\d\d/\d\d/", path
    ):
        return "article"
    return "service"
