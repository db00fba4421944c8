"""A blog as a well-known static site generator makes it: its articles come home by feed, by sitemap, or page by page, whichever there is."""

from __future__ import annotations

import importlib.util
import json
import mimetypes
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web

N_POSTS = 12
SENTENCE = "We hire forty people there and install new machines this year. "
ARTICLES = {f"http://acme.test/blog/plant-{n}.html" for n in range(N_POSTS)}
pytestmark = pytest.mark.skipif(importlib.util.find_spec("pelican") is None, reason="needs Pelican: pip install bellwether[dev]")


def _generated(folder: Path, **settings: object) -> Path:
    """The files of the blog; ``settings`` are Pelican's."""
    content = folder / "content"
    (content / "pages").mkdir(parents=True)
    for n in range(N_POSTS):
        title = f"Plant number {n} opens"
        head = f"{title}\n{'#' * len(title)}\n\n:date: 2026-09-{n + 1:02} 09:00\n:category: plants\n:slug: plant-{n}\n"
        (content / f"post-{n}.rst").write_text(f"{head}\nThe company opens plant {n}. {SENTENCE * 15}\n", encoding="utf-8")
    (content / "pages" / "home.rst").write_text("Acme\n####\n\n:save_as: index.html\n\nMachines for bakers.\n", encoding="utf-8")
    values = {
        "SITENAME": "Acme",
        "AUTHOR": "Acme",
        "SITEURL": "http://acme.test",
        "THEME": "simple",
        "TIMEZONE": "UTC",
        "DEFAULT_PAGINATION": 5,
        "MENUITEMS": [["Blog", "/blog/"]],
        "ARTICLE_URL": "blog/{slug}.html",
        "ARTICLE_SAVE_AS": "blog/{slug}.html",
        "INDEX_SAVE_AS": "blog/index.html",
        "PLUGINS": [],
        **{f"{name}_FEED_{kind}": None for name in ("CATEGORY", "TRANSLATION", "AUTHOR") for kind in ("ATOM", "RSS")},
        "FEED_ALL_ATOM": None,
        **settings,
    }
    (folder / "conf.py").write_text("".join(f"{name} = {value!r}\n" for name, value in values.items()), encoding="utf-8")
    command = [sys.executable, "-m", "pelican", "-q", "-s", "conf.py", "-o", "out", "content"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def _serving(out: Path) -> Web:
    def answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
        file = out / path.lstrip("/")
        file = file / "index.html" if file.is_dir() else file
        if not file.is_file():
            return Answer(404)
        return Answer(headers={"Content-Type": mimetypes.guess_type(file.name)[0] or "text/plain"}, body=file.read_bytes())

    return Web(answering)


def _crawled(crawl: Crawl, **settings: object) -> list[str]:
    """The paths that were asked for."""
    (crawl.folder / "blog").mkdir()
    web = _serving(_generated(crawl.folder / "blog", **settings))
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.add_accounts("acme.test")
    crawl.run("crawl")
    return web.paths("acme.test")


def _articles(crawl: Crawl) -> dict[str, str | None]:
    return {row["url"]: row["published_hint"] for row in crawl.rows("SELECT url, published_hint FROM pages WHERE kind = 'article'")}


def test_a_feed_with_whole_articles_needs_no_second_fetch(crawl: Crawl) -> None:
    asked = _crawled(crawl, FEED_ALL_ATOM="feeds/all.atom.xml")
    assert _articles(crawl) == {f"http://acme.test/blog/plant-{n}.html": f"2026-09-{n + 1:02}" for n in range(N_POSTS)}
    assert not [path for path in asked if "plant-" in path]
    crawl.run("extract")
    texts = {
        row["url"]: (row["title"], row["text"])
        for row in crawl.rows("SELECT url, title, text FROM documents WHERE published_on IS NOT NULL")
    }
    assert set(texts) >= ARTICLES
    title, body = texts["http://acme.test/blog/plant-3.html"]
    assert title == "Plant number 3 opens"
    assert "The company opens plant 3." in body


def test_a_feed_of_summaries_dates_the_articles_that_are_then_fetched_once(crawl: Crawl) -> None:
    asked = _crawled(crawl, FEED_ALL_RSS="feeds/all.rss.xml")
    assert _articles(crawl) == {f"http://acme.test/blog/plant-{n}.html": f"2026-09-{n + 1:02}" for n in range(N_POSTS)}
    assert sorted(path for path in asked if "plant-" in path) == sorted(url.removeprefix("http://acme.test") for url in ARTICLES)


def test_the_sitemap_leads_to_the_articles_where_there_is_no_feed(crawl: Crawl) -> None:
    pytest.importorskip("pelican.plugins.sitemap")
    asked = _crawled(crawl, PLUGINS=["pelican.plugins.sitemap"], SITEMAP={"format": "xml"}, MENUITEMS=[], DISPLAY_PAGES_ON_MENU=False)
    assert set(_articles(crawl)) == ARTICLES
    assert "/blog/" not in asked


def test_listing_pages_lead_to_the_articles_where_there_is_neither(crawl: Crawl) -> None:
    asked = _crawled(crawl)
    assert set(_articles(crawl)) == ARTICLES
    assert {"/blog/", "/blog/index2.html", "/blog/index3.html"} <= set(asked)


def test_a_json_feed_is_read_like_any_other(crawl: Crawl) -> None:
    items = [
        {"id": str(n), "url": f"/blog/{n}", "title": f"Post {n}", "summary": "s", "date_published": f"2026-10-0{n}T09:00:00Z"}
        for n in (1, 2)
    ]
    whole = {
        "id": "3",
        "url": "/blog/3",
        "title": "Post 3",
        "content_html": f"<p>{SENTENCE * 15}</p>",
        "date_published": "2026-10-03T09:00:00Z",
    }
    feed = json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "Acme", "items": [*items, whole, "junk", {"title": "no address"}]}
    )

    def answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
        if path == "/feed.json":
            return Answer(headers={"Content-Type": "application/feed+json"}, body=feed.encode())
        link = '<link rel="alternate" type="application/feed+json" href="/feed.json">'
        return (
            Answer(body=f"<html><head>{link}</head><body><p>{path}</p></body></html>".encode())
            if not path.endswith(".txt")
            else Answer(404)
        )

    web = Web(answering)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.add_accounts("acme.test")
    crawl.run("crawl")
    assert _articles(crawl) == {f"http://acme.test/blog/{n}": f"2026-10-0{n}" for n in (1, 2, 3)}
    assert {path for path in web.paths("acme.test") if path.startswith("/blog/")} == {"/blog/1", "/blog/2"}
