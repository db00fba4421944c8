"""Strings that break programs go the whole road, from page and account list to quote and report, and arrive as they were."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from html import escape
from io import StringIO
from pathlib import Path

import pyarrow.parquet
import pytest

from storage.archive import ArchiveWriter
from storage.store import open_reader

ROOT = Path(__file__).parents[2]
HTML = (("Content-Type", "text/html; charset=utf-8"),)
OWN = (
    *("undefined", "NULL", "NaN", "-1/0", "0x7f", "1e309", "%s%n", "../../etc/passwd", "' OR 1=1 --", "=cmd|' /C calc'!A0", "{{7*7}}", "${jndi:ldap://x}"),
    *("<script>alert(1)</script>", "&lt;b&gt;", "\u7530\u4e2d\u3055\u3093", "\u0c1c\u0c4d\u0c1e\u200c\u0c3e", "\ufdfa", "\u1680ogham", "e\u0301 or \u00e9"),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f466 family", "\u202etest\u202c turned", "\u2066mixed\u2069", "\u00c5\u00cd\uf8ff private", "\ufeffmark"),
    "Z\u0351\u036b\u0343a\u0329l\u0333g\u0326o",
)  # fmt: skip


@pytest.fixture(params=["own", "real"])
def strings(request: pytest.FixtureRequest) -> list[str]:
    """Strings in the form in which white space is compared: runs of it are one space on every page."""
    if request.param == "own":
        found = list(OWN)
    else:
        folder: Path = request.getfixturevalue("real_data")
        found = json.loads((folder / "strings" / "blns.json").read_text(encoding="utf-8"))
    return sorted({" ".join(text.split()) for text in found} - {""})


@pytest.mark.timeout(900)
def test_a_string_arrives_unchanged_in_text_title_quote_account_and_report_or_its_row_is_rejected(
    tmp_path: Path, strings: list[str]
) -> None:
    _run(tmp_path, "init")
    with (tmp_path / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("account_name", "domain"), *((text, f"a{i}.test") for i, text in enumerate(strings))])
    _run(tmp_path, "import", "accounts", "accounts.csv", "--observed-on", "2026-01-01", is_sure=False)
    archive = ArchiveWriter(tmp_path / "pages.warc.gz")
    for i, text in enumerate(strings):
        archive.write(f"https://a{i}.test/news/{i}", 200, HTML, _page(text), "2026-10-01T00:00:00Z")
    archive.close()
    _run(tmp_path, "ingest", "pages.warc.gz")
    _run(tmp_path, "extract")
    _run(tmp_path, "score", "--as-of", "2026-11-01")
    _run(tmp_path, "report", "cloud-ai-platform", "--as-of", "2026-11-01", "--out", "report.parquet")
    written = pyarrow.parquet.read_table(tmp_path / "report.parquet").to_pylist()
    with open_reader(tmp_path / "bellwether.db") as store:
        names = {row["domain"]: row["account_name"] for row in store.query("SELECT domain, account_name FROM accounts")}
        documents = {row["url"]: row for row in store.query("SELECT url, title, text FROM documents")}
        quotes = {
            row["url"]: row["quote"]
            for row in store.query("SELECT d.url, e.quote FROM signal_events e JOIN documents d USING (document_id)")
        }
    rejects = tmp_path / "accounts.rejects.csv"
    n_rejects = len(list(csv.DictReader(StringIO(rejects.read_text(encoding="utf-8-sig"))))) if rejects.exists() else 0
    assert len(names) + n_rejects == len(strings)
    for i, text in enumerate(strings):
        document = documents[f"https://a{i}.test/news/{i}"]
        assert text in document["text"], ascii(text)
        assert text in document["title"], ascii(text)
        assert names.get(f"a{i}.test", text) == text
    assert len(names) > 0.9 * len(strings)
    reports = {row["Domain"]: row for row in written}
    assert {domain: row["AccountName"] for domain, row in reports.items()} == names
    assert len(quotes) > 0.5 * len(strings)
    for url, quote in quotes.items():
        assert quote in documents[url]["text"] or quote in documents[url]["title"]


def _page(text: str) -> bytes:
    """A page that tells of a happening, with the string in its heading and in the sentence that tells it."""
    told = f"Padaria Ribeira ({escape(text)}) today opened a new shop and bakery in Braga, its first location outside Porto"
    body = f"<article><h1>A shop for {escape(text)} here</h1><p>{told}, where 22 people work.</p></article>"
    return f"<html><head><title>News</title></head><body>{body}</body></html>".encode("utf-8", "surrogatepass")


def _run(folder: Path, *arguments: str, is_sure: bool = True) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bellwether", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 or not is_sure, done.stderr
