"""Bombs through every door of a whole crawl: each ends in a recorded failure, soon and small, and the other sites are read as ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from crawler.session import PARSE_MEMORY_MIB, PARSE_TIMEOUT_S
from sandbox import Sandbox, TaskFailure
from tests.crawler.bombs import bombs
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, page, text

MAX_S, MAX_MIB = 5.0, 300
BOMBS = {f"{name}-at-{door}.test": (door, answer) for name, door, answer in bombs()}
PATHS = {"home": "/", "listing": "/news/", "feed": "/feed.xml", "sitemap": "/map.xml", "article": "/news/bomb"}
FEED = "<rss version='2.0'><channel><item><title>One</title><link>/news/one</link></item></channel></rss>"


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    door, bomb = BOMBS.get(host, ("", Answer(404)))
    if path == PATHS.get(door):
        return bomb
    if path == "/robots.txt":
        return text(f"Sitemap: http://{host}/map.xml")
    if path == "/feed.xml":
        return Answer(headers={"Content-Type": "application/rss+xml"}, body=FEED.encode())
    if path == "/map.xml":
        return Answer(headers={"Content-Type": "application/xml"}, body=b"<urlset><url><loc>/news/two</loc></url></urlset>")
    if path == "/":
        return page("<link rel=alternate type='application/rss+xml' href='/feed.xml'><a href='/news/'>News</a>")
    if path == "/news/":
        return page("<a href='/news/bomb'>All of it</a> <a href='/news/three'>Three</a>")
    return (
        page("<html><body><p>" + "A quarter like others, and a new plant. " * 20 + "</p></body></html>")
        if "/news/" in path
        else Answer(404)
    )


def test_every_bomb_is_a_recorded_failure_and_the_crawl_goes_on(crawl: Crawl) -> None:
    web = Web(_answering)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.add_accounts(*BOMBS, "calm.test")
    peak = _peak_mib(crawl, "crawl")
    assert peak <= MAX_MIB, f"the crawl held {peak} MiB"
    crawl.run("extract")
    failed = set(crawl.reasons()) | {row["url"] for row in crawl.rows("SELECT url FROM pages p JOIN failures f ON f.subject = p.page_id")}
    for host, (door, _) in BOMBS.items():
        assert f"http://{host}{PATHS[door]}" in failed, host
    calm = {row["url"] for row in crawl.rows("SELECT url FROM pages") if "//calm.test/news/" in row["url"]}
    assert calm == {f"http://calm.test/news/{name}" for name in ("", "bomb", "one", "two", "three")}
    for host, (door, _) in BOMBS.items():
        assert door == "home" or {f"http://{host}{PATHS[other]}" for other in ("home", "feed", "sitemap") if other != door} <= {
            row["url"] for row in crawl.rows("SELECT url FROM pages")
        }, f"{host}: what lies beside the bomb was not read"


def _peak_mib(crawl: Crawl, *arguments: str) -> int:
    """The most memory that the command or a process of its held at once."""
    measured = (
        "import resource, subprocess, sys\n"
        "code = subprocess.call([sys.executable, '-m', 'bellwether', *sys.argv[1:]])\n"
        "sys.exit(code or print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", measured, *arguments], cwd=crawl.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) // 1024


TASKS = {
    "home": [("crawler.discovery:discover_sources", {}), ("crawler.technology:detect_technologies", {"shown": {}, "folders": [], "on": "2026-11-01"})],
    "listing": [("crawler.discovery:discover_links", {"kind": "newsroom"})],
    "feed": [("crawler.discovery:parse_feed", {}), ("crawler.posts:read_posts", {"reader": "post_feed"})],
    "sitemap": [("crawler.discovery:parse_sitemap", {"since": "2026-01-01"})],
    "article": [],
}  # fmt: skip


@pytest.mark.parametrize("host", [host for host in BOMBS if not re.match("gzip|br", host)])
def test_no_bomb_costs_more_than_its_share(host: str) -> None:
    door, bomb = BOMBS[host]
    for task, options in TASKS[door]:
        with Sandbox(1, PARSE_MEMORY_MIB, PARSE_TIMEOUT_S) as sandbox:
            sandbox.run(task, b"", url="http://a.test/", **options)  # the imports are no part of it
            before = os.times()
            result = sandbox.run(task, bomb.body, url=f"http://{host}/", **options)
        after = os.times()
        used_s = sum(after[2:4]) - sum(before[2:4])  # of the worker, which has ended by now
        assert used_s <= MAX_S + 2, f"{task}: {used_s:.1f} s of processor time with start and imports"
        assert isinstance(result, TaskFailure) or len(str(result)) < 1000
