"""The nightly job on archives of every sort: each page ends as a document or as a recorded failure, whatever it does and whenever the job is killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.archive import ArchiveWriter
from storage.store import open_reader

ROOT = Path(__file__).parents[2]
HTML = (("Content-Type", "text/html; charset=utf-8"),)
AT = "2026-10-01T00:00:00Z"
NEWS = (
    "We have opened a second bakery in Porto, with 14 new ovens and a shop. The doors opened on 3 September 2026, and 22 people found work."
)


def _article(body: str, title: str = "A second bakery") -> bytes:
    return f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1><p>{body}</p></article></body></html>".encode()


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "bellwether", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def _store_with(folder: Path, pages: dict[str, bytes]) -> Path:
    """A store with one account and an ingested WARC file of its pages."""
    _run(folder, "init")
    (folder / "accounts.csv").write_text("account_name,domain\nPadaria Ribeira,ribeira.test\n", encoding="utf-8")
    _run(folder, "import", "accounts", "accounts.csv", "--observed-on", "2026-01-01")
    writer = ArchiveWriter(folder / "pages.warc.gz")
    for path, body in pages.items():
        writer.write(f"https://ribeira.test/news/{path}", 200, HTML, body, AT)
    writer.close()
    _run(folder, "ingest", "pages.warc.gz")
    return folder / "bellwether.db"


HOSTILE = {
    "attributes": b"<html><body><p " + b" ".join(b"a%d=1" % i for i in range(50_000)) + b">x</p></body></html>",
    "nested": b"<html><body>" + b"<div>" * 30_000 + b"deep" + b"</div>" * 30_000 + b"</body></html>",
    "entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
    b"<html><body><p>&c;&c;&c;</p></body></html>",
    "binary": bytes(range(256)) * 200,
    "empty": b"   ",
    "junk-json-ld": b'<html><head><script type="application/ld+json">'
    + b'{"a":' * 3_000
    + b"</script></head><body><p>Short.</p></body></html>",
    "cells": b"<html><body><table>" + b"<tr><td>1</td></tr>" * 60_000 + b"</table></body></html>",
}


@pytest.mark.timeout(300)
def test_every_hostile_page_ends_as_one_document_or_one_failure_and_the_good_page_is_read(tmp_path: Path) -> None:
    db = _store_with(tmp_path, {**HOSTILE, "good": _article(NEWS)})
    _run(tmp_path, "extract", "--jobs", "1")
    with open_reader(db) as store:
        documents = {row["url"].rpartition("/")[2] for row in store.query("SELECT url FROM documents")}
        failures = {
            row["url"].rpartition("/")[2]: row["reason"]
            for row in store.query("SELECT p.url, f.reason FROM failures f JOIN pages p ON p.page_id = f.subject WHERE f.stage = 'extract'")
        }
    assert "good" in documents
    assert documents.isdisjoint(failures)
    assert documents | set(failures) == {*HOSTILE, "good"}
    assert failures["attributes"] == failures["nested"] == "too_complex"
    assert failures["binary"] == "not_html"
    assert failures["empty"] == "empty"


def test_naughty_strings_come_through_unchanged(tmp_path: Path, real_data: Path) -> None:
    strings = json.loads((real_data / "strings" / "blns.json").read_text(encoding="utf-8"))
    readable = [text for text in strings if text.strip() and "<" not in text and "&" not in text and "@" not in text and "\x00" not in text]
    pages = {f"{i}": _article(f"{NEWS} {text} {NEWS}", "News") for i, text in enumerate(readable)}
    db = _store_with(tmp_path, pages)
    _run(tmp_path, "extract")
    with open_reader(db) as store:
        texts = {row["url"].rpartition("/")[2]: row["text"] for row in store.query("SELECT url, text FROM documents")}
    assert set(texts) == set(pages)
    changed = [text for i, text in enumerate(readable) if " ".join(text.split()) not in " ".join(texts[str(i)].split())]
    assert len(changed) <= 0.05 * len(readable), changed  # control characters that HTML itself forbids


def _digest(db: Path) -> str:
    with open_reader(db) as store:
        rows = [list(row.values()) for table in ("documents", "signal_events") for row in store.query(f"SELECT * FROM {table} ORDER BY 1")]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


@pytest.mark.timeout(300)
def test_killed_at_any_point_the_job_ends_in_the_same_events(tmp_path: Path) -> None:
    pages = {f"{i}": _article(f"{NEWS} This is the {i}. note of the year.", f"Note {i}") for i in range(160)}
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole, killed = (_store_with(tmp_path / name, pages) for name in ("whole", "killed"))
    _run(whole.parent, "extract", "--jobs", "1")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for n_documents in (0, 1, 100):
        job = subprocess.Popen(
            [sys.executable, "-m", "bellwether", "extract", "--jobs", "1"], cwd=killed.parent, env=environment, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while job.poll() is None and time.monotonic() < deadline:
            with open_reader(killed) as store:
                if store.value("SELECT count(*) FROM documents") >= n_documents:
                    break
            time.sleep(0.02)
        time.sleep(0.3)
        job.send_signal(signal.SIGKILL)
        job.wait()
    _run(killed.parent, "extract", "--jobs", "1")
    assert _digest(killed) == _digest(whole)
