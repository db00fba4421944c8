"""The nightly job on archives of every sort: each page ends as a document or as a recorded failure, whatever it does and whenever the job is killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
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

OPENING = "Padaria Ribeira today opened a new shop and bakery in Braga, its first location outside Porto. The shop has 14 ovens and employs 22 people."


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


def _digest(db: Path) -> str:
    with open_reader(db) as store:
        rows = [list(row.values()) for table in ("documents", "signal_events") for row in store.query(f"SELECT * FROM {table} ORDER BY 1")]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _killed_at_random(folder: Path, order: random.Random, n_pages: int) -> bool:
    """Starts the job and kills it somewhere in the next hundred documents; False when it was done before."""
    job = subprocess.Popen(
        [sys.executable, "-m", "bellwether", "extract", "--jobs", "1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    with open_reader(folder / "bellwether.db") as store:
        until = store.value("SELECT count(*) FROM documents") + order.randrange(100)
        while job.poll() is None and until < n_pages and store.value("SELECT count(*) FROM documents") < until:
            time.sleep(0.02)
    time.sleep(order.uniform(0, 1.5))
    job.send_signal(signal.SIGKILL)
    return job.wait() != 0


@pytest.mark.timeout(0 if "BELLWETHER_KILLS" in os.environ else 480)
def test_killed_at_random_points_the_job_ends_in_the_same_events(tmp_path: Path) -> None:
    n_kills = int(os.environ.get("BELLWETHER_KILLS", "5"))
    n_pages = 256
    pages = {
        f"{i}": _article(f"{OPENING} This is the {i % 200}. note of the year.", f"Padaria Ribeira opens shop {i % 200}")
        for i in range(n_pages)
    }
    (tmp_path / "whole").mkdir()
    whole = _store_with(tmp_path / "whole", pages)
    shutil.copytree(whole.parent, tmp_path / "new")
    _run(whole.parent, "extract", "--jobs", "1")
    with open_reader(whole) as store:
        assert store.value("SELECT count(*) FROM signal_events") > n_pages / 2
    order = random.Random(20261126)
    n_done, n_begun = 0, 0
    while n_done < n_kills:
        n_begun += 1
        killed = tmp_path / f"killed-{n_begun}"  # a job may be done before the first kill
        shutil.copytree(tmp_path / "new", killed)
        while n_done < n_kills and _killed_at_random(killed, order, n_pages):
            n_done += 1
        _run(killed, "extract", "--jobs", "1")
        assert _digest(killed / "bellwether.db") == _digest(whole), f"after {n_done} kills"


def test_a_text_published_again_is_not_read_again_and_counts_as_a_source_only_elsewhere(tmp_path: Path) -> None:
    page = _article(OPENING, "Padaria Ribeira opens a shop in Braga")
    db = _store_with(tmp_path, {"first": page, "second": page, "third": page.replace(b"<body>", b"<body><nav>Home, news, shop</nav>")})
    writer = ArchiveWriter(tmp_path / "again.warc.gz")
    writer.write(
        "https://ribeira.test/news/first", 200, HTML, page.replace(b"<body>", b"<body><nav>Another menu</nav>"), "2026-10-09T00:00:00Z"
    )
    writer.close()
    _run(tmp_path, "ingest", "again.warc.gz")
    _run(tmp_path, "extract", "--jobs", "1")
    with open_reader(db) as store:
        assert store.value("SELECT count(*) FROM documents") == 4
        assert store.value("SELECT count(DISTINCT text_key) FROM documents") == 1
        sources = {
            (row["event_type"], row["happening"]): row["n"]
            for row in store.query(
                "SELECT event_type, coalesce(duplicate_of, event_id) AS happening, count(*) AS n FROM signal_events GROUP BY 1, 2"
            )
        }
    assert sources
    assert set(sources.values()) == {3}


def test_no_planted_contact_reaches_the_database(tmp_path: Path) -> None:
    contacts = [(f"Maren Tiefensee-{i}", f"maren.{i}@ribeira.test", f"+351 22 555 {1000 + i}") for i in range(167)]
    pages = {
        f"{n}": _article(
            f"{OPENING}</p><p>Media contact</p>"
            + "".join(f"<p>{name}</p><p>{mail}</p><p>Tel. {phone}</p>" for name, mail, phone in contacts[n::84])
            + "<p>",
            "Padaria Ribeira opens a shop in Braga",
        )
        for n in range(84)
    }
    db = _store_with(tmp_path, pages)
    _run(tmp_path, "extract", "--jobs", "1")
    with open_reader(db) as store:
        tables = [row["name"] for row in store.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'pages'")]
        rows = (row for table in tables for row in store.query(f"SELECT * FROM {table}"))
        everything = "\n".join(json.dumps(row, ensure_ascii=False, default=lambda blob: blob.decode("utf-8", "replace")) for row in rows)
        assert store.value("SELECT count(*) FROM documents") == 84
        assert store.value("SELECT count(*) FROM signal_events") > 0
    assert [part for contact in contacts for part in contact if part in everything] == []
