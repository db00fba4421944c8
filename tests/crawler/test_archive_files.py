"""The archive as other people's tools see it: whole records, right digests, and a mark for every page that was found unchanged."""

from __future__ import annotations

from pathlib import Path

import fastwarc.warc
import pytest
from warcio.archiveiterator import ArchiveIterator

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Web
from tests.crawler.sites import company

LATER = "2026-11-09T06:00:00Z"


@pytest.fixture
def files(crawl: Crawl) -> list[Path]:
    """The archive after a crawl and another one a week later, in which nothing had changed."""
    crawl.serve(Web(company), lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    crawl.add_accounts("one.test")
    crawl.run("crawl")
    crawl.configure(now=LATER)
    crawl.run("crawl")
    return sorted((crawl.folder / "archive").glob("*.warc.gz"))


def test_unchanged_pages_become_revisit_records_that_point_to_what_was_archived(files: list[Path]) -> None:
    originals, revisits = {}, {}
    for file in files:
        with file.open("rb") as stream:
            for record in ArchiveIterator(stream, check_digests="raise"):
                head = record.rec_headers
                url = head.get_header("WARC-Target-URI")
                if record.rec_type == "revisit":
                    revisits[url] = (record.http_headers.get_statuscode(), head)
                elif record.rec_type == "response":
                    originals[url] = head
                record.content_stream().read()
    assert set(revisits) == {"http://one.test/", "http://one.test/news/", "http://one.test/feed.xml"}
    for url, (status, head) in revisits.items():
        assert head.get_header("WARC-Refers-To-Target-URI") == url
        assert head.get_header("WARC-Refers-To-Date") == originals[url].get_header("WARC-Date")
        assert head.get_header("WARC-Date") == LATER
        is_304 = url.endswith("feed.xml")
        assert status == ("304" if is_304 else "200")
        assert head.get_header("WARC-Profile").endswith("server-not-modified" if is_304 else "identical-payload-digest")
        assert head.get_header("WARC-Payload-Digest") == (None if is_304 else originals[url].get_header("WARC-Payload-Digest"))


def test_another_reader_finds_every_record_whole(files: list[Path]) -> None:
    n_read = 0
    for file in files:
        with file.open("rb") as stream:
            for record in fastwarc.warc.ArchiveIterator(stream, parse_http=False):
                n_read += 1
                assert record.verify_block_digest()
    assert n_read >= 7


def test_what_is_forgotten_is_gone_from_the_marks_too(crawl: Crawl, files: list[Path]) -> None:
    crawl.run("forget", "one.test")
    assert not [file for file in (crawl.folder / "archive").glob("*.warc.gz") if b"one.test" in b"".join(_urls(file))]


def _urls(file: Path) -> list[bytes]:
    with file.open("rb") as stream:
        return [record.rec_headers.get_header("WARC-Target-URI").encode() for record in ArchiveIterator(stream)]
