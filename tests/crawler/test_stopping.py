"""A crawl that is told to stop, or cannot write any more, ends by itself and loses nothing."""

from __future__ import annotations

import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from storage.archive import iter_responses, read_response
from storage.errors import ArchiveError
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, page, text

N_PAGES = 48  # one crawl takes no more than fifty of an account
PATHS = [f"/news/{n}" for n in range(N_PAGES)]


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    return text("") if path == "/robots.txt" else page(f"<html><body><p>{path} {'and so on ' * 500}</p></body></html>")


@pytest.fixture
def underway(crawl: Crawl) -> Iterator[tuple[Crawl, Web, subprocess.Popen[str]]]:
    """A crawl that has brought home its first pages."""
    web = Web(_answering)
    crawl.serve(web, lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.configure(delay_s=0.05)
    crawl.add_accounts("site.test")
    crawl.add_frontier("site.test", *(f"http://site.test{path}" for path in PATHS))
    process = crawl.start("crawl", "articles")
    _wait_for(lambda: len(web.log) > 15, process)
    yield crawl, web, process
    process.kill()
    process.communicate()


def _wait_for(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_crawl_in_good_order_and_the_next_goes_on(
    underway: tuple[Crawl, Web, subprocess.Popen[str]], number: signal.Signals
) -> None:
    crawl, web, process = underway
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert not list((crawl.folder / "archive").glob("*.open"))
    assert 10 < len(crawl.rows("SELECT 1 FROM pages")) < N_PAGES
    crawl.run("crawl", "articles")
    asked = Counter(asked.path for asked in web.log if asked.path != "/robots.txt")
    assert asked == Counter(PATHS), "every page once, also over the stop"


def test_a_full_disk_ends_a_crawl_with_its_reason_and_the_next_goes_on(underway: tuple[Crawl, Web, subprocess.Popen[str]]) -> None:
    crawl, web, process = underway
    written = next((crawl.folder / "archive").glob("*.warc.gz")).stat().st_size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (written + 100, written + 100))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert len(err.strip().splitlines()) == 1, err
    assert len(web.log) < N_PAGES, "it did not go on to fetch for nothing"
    crawl.run("crawl", "articles")
    assert sorted(row["url"] for row in crawl.rows("SELECT url FROM pages")) == sorted(f"http://site.test{path}" for path in PATHS)
    _is_whole(crawl.folder / "archive", crawl)


def _is_whole(archive: Path, crawl: Crawl) -> None:
    for row in crawl.rows("SELECT url, warc_file, warc_offset FROM pages"):
        assert read_response(archive / row["warc_file"], row["warc_offset"]).url == row["url"]
    for file in archive.glob("*.warc.gz"):
        assert not [found for _, found in iter_responses(file) if isinstance(found, ArchiveError)], f"{file} has a torn record"
