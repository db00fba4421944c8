"""An answer that breaks off is no page, however it was to be told where it ends."""

from __future__ import annotations

import pytest

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, text

BROKEN = {
    "before-it-began": Answer(reset=True),
    "short-of-its-length": Answer(body=b"a page " * 100, reset=True),
    "long-and-short-of-its-length": Answer(body=b"a page " * 300_000, reset=True),
    "without-a-length": Answer(body=b"a page " * 100, reset=True, endless=True),
    "long-and-without-a-length": Answer(body=b"a page " * 300_000, reset=True, endless=True),
}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_is_reset_in_the_middle_is_a_failure_that_says_so(crawl: Crawl, scheme: str) -> None:
    web = Web(lambda host, path, headers: text("") if path == "/robots.txt" else BROKEN[path.removeprefix("/")])
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [], https=True)
    crawl.configure(max_failed_share=1)
    crawl.add_accounts("broken.test")
    urls = [f"{scheme}://broken.test/{name}" for name in BROKEN]
    crawl.add_frontier("broken.test", *urls)
    crawl.run("crawl", "articles")
    assert crawl.reasons() == dict.fromkeys(urls, "connection_lost")
    assert crawl.rows("SELECT url FROM pages") == []


def test_half_a_robots_txt_is_none(crawl: Crawl) -> None:
    rules = Answer(headers={"Content-Type": "text/plain"}, body=b"User-agent: *\nAllow: /\n#\nDisallow: /\n", reset=True, endless=True)
    web = Web(lambda host, path, headers: rules if path == "/robots.txt" else text("secret"))
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.configure(max_failed_share=1)
    crawl.add_accounts("broken.test")
    crawl.add_frontier("broken.test", "http://broken.test/secret")
    crawl.run("crawl", "articles")
    assert set(web.paths("broken.test")) == {"/robots.txt"}
