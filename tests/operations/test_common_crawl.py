"""Other people's archives: only what belongs to the accounts is read, from where the index points, and a killed run goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from warcio.warcwriter import WARCWriter

from sandbox import Sandbox
from signals.ingestion import ingest_files
from storage.archive import ArchiveWriter, read_response
from storage.errors import ArchiveError
from storage.records import Account
from storage.store import Store, create_store, open_reader, open_writer

AT = "2026-10-01T00:00:00Z"
HTML = (("Content-Type", "text/html"),)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    create_store(tmp_path / "book.db")
    with open_writer(tmp_path / "book.db", "test") as store:
        store.save([Account(f"{i}", f"firm{i}.test", f"Firm {i}", None, None, None, None, None, "2026-01-01") for i in range(5)])
    return tmp_path


def _warc(path: Path, first: int, n: int) -> list[tuple[str, int]]:
    """A file with a page of each of n firms from a number on; URL and offset of each."""
    writer = ArchiveWriter(path)
    urls = [f"https://www.firm{i}.test/news" for i in range(first, first + n)]
    found = [(url, writer.write(url, 200, HTML, f"<p>{url}</p>".encode(), AT)) for url in urls]
    writer.close()
    return found


def _urls(store: Store) -> list[str]:
    return [row["url"] for row in store.query("SELECT url FROM pages ORDER BY url")]


def test_only_records_of_known_accounts_are_kept_from_many_files_at_once(book: Path) -> None:
    files = [book / f"{n}.warc.gz" for n in range(4)]
    for n, file in enumerate(files):
        _warc(file, n * 2, 300 if n == 0 else 2)
    domains = frozenset({"firm1.test", "firm3.test", "firm9.test"})
    with open_writer(book / "book.db", "ingest") as store, Sandbox(2) as sandbox:
        for n_new in (2, 0):
            counts = ingest_files(store, sandbox, files, book, AT, domains=domains)
            assert counts["new"] == n_new
        assert _urls(store) == ["https://www.firm1.test/news", "https://www.firm3.test/news"]
        assert store.value("SELECT count(*) FROM failures") == 0


@pytest.mark.parametrize("is_json", [True, False])
def test_with_an_index_only_the_records_it_points_to_are_read(book: Path, is_json: bool) -> None:
    records = _warc(book / "cc.warc.gz", 0, 8)
    whole = (book / "cc.warc.gz").read_bytes()
    broken = bytearray(whole)
    broken[records[5][1] : records[6][1]] = b"\0" * (records[6][1] - records[5][1])  # nobody asks for firm5: its damage is not seen
    (book / "cc.warc.gz").write_bytes(broken)
    index = book / "cc.cdxj"
    lines = [
        f"x 20261001 {json.dumps({'url': url, 'status': '200', 'filename': 'crawl-data/cc.warc.gz', 'offset': str(offset)})}"
        if is_json
        else f"x 20261001 {url} text/html 200 SHA - - 99 {offset} cc.warc.gz"
        for url, offset in records
    ]
    index.write_text("\n".join(["no line at all {", *lines]) + "\n")
    with open_writer(book / "book.db", "ingest") as store, Sandbox(1) as sandbox:
        counts = ingest_files(
            store, sandbox, [book / "cc.warc.gz"], book, AT, domains=frozenset({"firm2.test", "firm4.test", "firm7.test"}), index=index
        )
        assert counts == {"pages": 2, "new": 2, "failures": 0}
        assert _urls(store) == ["https://www.firm2.test/news", "https://www.firm4.test/news"]


def test_a_killed_run_goes_on_where_it_stood(book: Path) -> None:
    file = book / "long.warc.gz"
    _warc(file, 0, 450)

    class KilledError(Exception):
        pass

    def kill(done: int, total: int) -> None:
        raise KilledError

    with Sandbox(1) as sandbox:
        with open_writer(book / "book.db", "ingest") as store, pytest.raises(KilledError):
            ingest_files(store, sandbox, [file], book, AT, kill)
        with open_writer(book / "book.db", "ingest") as store:
            assert store.value("SELECT next_offset FROM ingested_files") > 0
            counts = ingest_files(store, sandbox, [file], book, AT)
            assert counts["pages"] == 250
            assert store.value("SELECT count(*) FROM pages") == 450


def test_texts_of_a_wet_file_are_pages(book: Path) -> None:
    with (book / "cc.warc.wet.gz").open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        record = writer.create_warc_record(
            "https://firm2.test/about", "conversion", payload=BytesIO(b"We bake bread."), length=14, warc_content_type="text/plain",
            warc_headers_dict={"WARC-Date": AT},
        )  # fmt: skip
        writer.write_record(record)
    with open_writer(book / "book.db", "ingest") as store, Sandbox(1) as sandbox:
        assert ingest_files(store, sandbox, [book / "cc.warc.wet.gz"], book, AT)["new"] == 1
        page = next(store.query("SELECT * FROM pages"))
    assert (page["account_id"], page["content_type"]) == ("2", "text/plain")
    assert read_response(book / "cc.warc.wet.gz", page["warc_offset"]).body == b"We bake bread."


def test_a_damaged_file_costs_what_is_damaged_and_says_where(book: Path) -> None:
    records = _warc(book / "torn.warc.gz", 0, 5)
    with (book / "torn.warc.gz").open("r+b") as file:
        file.truncate(records[3][1] + 20)
    with open_writer(book / "book.db", "ingest") as store, Sandbox(1) as sandbox:
        counts = ingest_files(store, sandbox, [book / "torn.warc.gz"], book, AT)
        assert (counts["new"], counts["failures"]) == (3, 1)
        assert store.value("SELECT detail FROM failures").startswith(str(book / "torn.warc.gz"))
    with pytest.raises(ArchiveError, match=r"moved or truncated|cannot read"):
        read_response(book / "torn.warc.gz", records[3][1])


def test_killed_at_random_moments_the_command_ends_with_every_page_once(book: Path) -> None:
    n_files, n_records = 3, 2_000
    files = [book / f"cc-{n}.warc.gz" for n in range(n_files)]
    for n, file in enumerate(files):
        _warc(file, n * n_records, n_records)
    (book / "bellwether.toml").write_text('[storage]\ndb = "book.db"\n', encoding="utf-8")
    command = [sys.executable, "-m", "bellwether", "ingest", *(file.name for file in files), "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    dice, counted = random.Random(20261127), []
    for n_wanted in sorted(dice.randrange(100, n_files * n_records - 600) for _ in range(3)):
        with subprocess.Popen(command, cwd=book, env=environment, stdout=subprocess.DEVNULL) as job:
            while job.poll() is None and _n_pages(book) < n_wanted:
                time.sleep(0.01)
            job.send_signal(signal.SIGKILL)
        counted.append(_n_pages(book))
    assert counted[0] < counted[-1] < n_files * n_records, counted
    done = subprocess.run(command, cwd=book, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open_reader(book / "book.db") as store:
        assert store.integrity() == "ok"
        assert store.value("SELECT count(*) FROM pages") == store.value("SELECT count(DISTINCT url) FROM pages") == n_files * n_records
        assert store.value("SELECT count(*) FROM failures") == 0


def _n_pages(book: Path) -> int:
    with open_reader(book / "book.db") as store:
        return int(store.value("SELECT count(*) FROM pages"))
