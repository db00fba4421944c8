"""A page's day of publication comes from the surest source that gives one, and the source is kept."""

from __future__ import annotations

import json
from typing import Any

import lxml.html
import pytest

from signals.documents import parse_response
from signals.publication_dates import publication_date
from storage.archive import ArchivedResponse

TEXT = "<p>The mill has run since 1911 and holds eleven looms, of which four were bought in the autumn of last year.</p>" * 5
JSON_LD = '<script type="application/ld+json">{}</script>'


def _date(head: str = "", body: str = "", path: str = "/news/looms", hint: str | None = None, is_post: bool = True) -> Any:
    tree = lxml.html.document_fromstring(f"<html><head>{head}</head><body><h1>New looms</h1>{body}{TEXT}</body></html>")
    structured = [json.loads(script.text) for script in tree.iter("script")]
    return publication_date(tree, structured, f"https://mill.test{path}", hint, "2026-10-20", is_post)


ARTICLE = JSON_LD.format('{"@type": "NewsArticle", "datePublished": "2026-10-02T23:30:00Z", "dateModified": "2026-10-19"}')
THREAD = JSON_LD.format('{"@type": "DiscussionForumPosting", "dateCreated": "2026-10-04T16:22:54+03:00", "dateModified": "2026-10-17"}')
META = "<meta property='article:modified_time' content='2026-10-18'><meta property='article:published_time' content='2026-10-05T08:00:00Z'>"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({"head": ARTICLE, "path": "/2026/10/03/looms/"}, ("2026-10-03", "url")),
        ({"head": ARTICLE + META, "hint": "2026-10-06"}, ("2026-10-02", "jsonld")),
        ({"head": META, "hint": "Tue, 06 Oct 2026 08:00:00 GMT"}, ("2026-10-06", "feed")),
        ({"head": THREAD + META}, ("2026-10-04", "jsonld")),
        ({"head": META}, ("2026-10-05", "meta")),
        ({"head": "<meta name='date' content='October 7, 2026'>"}, ("2026-10-07", "meta")),
        ({"body": "<time itemprop=dateCreated datetime='2026-10-08 13:02:51Z'>12 days ago</time>"}, ("2026-10-08", "meta")),
        ({"body": "<time class='entry-date published' datetime='2026-10-09T10:00:00Z'>Friday</time>"}, ("2026-10-09", "meta")),
        ({"body": "<div>By Ada</div><div>Updated 12 Oct 2026</div><div>Published on Oct 10, 2026</div>"}, ("2026-10-10", "text")),
        ({"body": "<span>Start date</span><time datetime='2026-10-11T04:25:38+0500'>Yesterday at 4:25</time>"}, ("2026-10-11", "text")),
        ({"body": "<span>Joined</span><span>Joined Nov 4, 2011</span>", "is_post": False}, (None, None)),
        ({"head": "<meta name=date content='2027-01-01'>", "is_post": False}, (None, None)),  # after it was archived
        ({"head": "<meta name=date content='03/04/2026'>", "is_post": False}, (None, None)),  # April or March
        ({"path": "/t/2024-4-4-2024-5-0-issue", "is_post": False}, (None, None)),  # versions
        ({}, (None, None)),
    ],
)
def test_the_surest_source_counts(page: dict[str, Any], expected: tuple[str | None, str | None]) -> None:
    assert _date(**page) == expected


def test_the_day_of_a_post_is_searched_in_its_text_and_that_of_a_page_of_services_is_not() -> None:
    footer = (
        "<div class=footer><p>Posted by Ada, 14 October 2026, in <a href=/looms>looms</a> and much else that has its place here</p></div>"
    )
    assert _date(body=TEXT * 3 + footer) == ("2026-10-14", "text")
    assert _date(body=TEXT * 3 + footer, is_post=False) == (None, None)


def test_no_junk_in_the_fields_of_dates_breaks_the_page() -> None:
    """Each value is passed over, whatever it is, and the page becomes a document without a date."""
    junk = [
        "",
        " ",
        "0000-00-00",
        "2026-13-45",
        "99999999",
        "\u202e2026",
        "[]",
        "١٢",
        "1" * 10_000,
        "31/31/2026",
        "Feb 30, 2026",
        "²026-01-01",
    ]
    head = "".join(
        f"<meta property='article:published_time' content='{value}'><meta name='date{i}' content='{value}'>" for i, value in enumerate(junk)
    )
    objects = [{"@type": ["NewsArticle", 7, None], "datePublished": value} for value in [*junk, 5, None, [], {"a": 1}]]
    head += JSON_LD.format(json.dumps(objects))
    html = f"<html><head>{head}</head><body><article><h1>New looms</h1>{TEXT}</article></body></html>"
    found = parse_response(
        ArchivedResponse("https://mill.test/about", 200, (("Content-Type", "text/html"),), html.encode(), "2026-10-20T00:00:00Z")
    )
    assert (found["published_on"], found["published_source"]) == (None, None)
    assert "eleven looms" in found["text"]
