"""A company that is forgotten leaves nothing behind and does not come back."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from storage.archive import read_response
from storage.store import open_reader
from tests.world.conftest import SampleRun

DOMAIN = "kestrelvalleydairy.test"
NAME = b"Kestrel Valley Dairy"


@pytest.fixture
def copied_run(sample_run: SampleRun, tmp_path: Path) -> SampleRun:
    shutil.copytree(sample_run.folder, tmp_path / "demo")
    return SampleRun(tmp_path / "demo")


def _archive_bytes(folder: Path) -> bytes:
    return b"".join(gzip.decompress(path.read_bytes()) for path in sorted((folder / "archive").glob("*.warc.gz")))


def test_forgetting_removes_rows_and_archived_pages_and_keeps_the_others(copied_run: SampleRun) -> None:
    assert NAME in copied_run.db.read_bytes()
    assert NAME in _archive_bytes(copied_run.folder)
    done = copied_run.command("forget", f"https://www.{DOMAIN.upper()}/", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["domain"] == DOMAIN
    assert summary["n_archive_records"] > 3
    assert NAME not in copied_run.db.read_bytes()
    assert not [path for path in (copied_run.folder / "reports").iterdir() if NAME in path.read_bytes()]
    assert NAME not in _archive_bytes(copied_run.folder)
    with open_reader(copied_run.db) as store:
        assert store.integrity() == "ok"
        pages: list[dict[str, Any]] = list(store.query("SELECT url, warc_file, warc_offset FROM pages"))
    assert len(pages) > 200
    for page in pages:
        assert read_response(copied_run.folder / "archive" / page["warc_file"], page["warc_offset"]).url == page["url"]


def test_a_forgotten_company_is_not_imported_again(copied_run: SampleRun) -> None:
    assert copied_run.command("forget", DOMAIN).returncode == 0
    assert copied_run.command("import", "accounts", "accounts.csv").returncode == 0
    rejects = (copied_run.folder / "accounts.rejects.csv").read_text(encoding="utf-8-sig")
    assert DOMAIN in rejects
    with open_reader(copied_run.db) as store:
        assert store.value("SELECT count(*) FROM accounts WHERE domain = ?", (DOMAIN,)) == 0


def test_forgetting_twice_removes_nothing_more(copied_run: SampleRun) -> None:
    assert copied_run.command("forget", DOMAIN).returncode == 0
    again = json.loads(copied_run.command("forget", DOMAIN, "--json").stdout)
    assert (again["n_rows"], again["n_archive_records"]) == (0, 0)
