"""The nightly extraction beside the plain pipeline, on the same archives: ``python -m benchmarks.extract`` (``make bench-extract``).

- bellwether: ``bellwether extract`` on a store into which the archive was ingested, every site an account.
- plain: what a competent user would write in an afternoon, in this file: trafilatura's defaults, the whole text in passages of 200 words, each encoded by
  sentence-transformers with its defaults (float32, batches of 32, passages of 64 documents at a time), events by similarity to the types' definitions,
  a row per insert.

Two archives: the real pages of ``BELLWETHER_DATA/real-web``, and N documents rendered as pages from press releases (``BELLWETHER_DATA/press``), or from the
training texts where that is absent. There are fewer releases than documents, so the rest of the archive is seen again, as on any night: half at the same URL
with another navigation around the text, half at a second URL. ``--distinct`` leaves those out.

Each contestant runs in a process of its own, start-up included; CPU seconds and memory are those of all its processes. Memory is sampled every second.
Threads of both that wait for others sleep (OMP_WAIT_POLICY): by default they turn idle, which uses up CPU seconds on a busy machine, most of all plain's.

``--plain-every K`` has plain read each K-th document only; what it takes beyond start-up is multiplied.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.quality import labelled_corpora
from signals.real_texts import write_texts
from storage.archive import ArchivedResponse, ArchiveWriter, iter_responses
from urls import host_of, registrable_domain

ROOT = Path(__file__).parents[1]
WORDS_PER_PASSAGE = 200
DOCUMENTS_AT_ONCE = 64
SIMILARITY = 0.38
HEADERS = (("Content-Type", "text/html; charset=utf-8"),)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Extraction beside the plain pipeline.")
    parser.add_argument("--documents", type=int, default=10_000, help="size of the generated archive")
    parser.add_argument("--pages", type=int, default=0, help="only so many of the real pages; 0 for all")
    parser.add_argument("--distinct", action="store_true", help="no document of the generated archive is seen twice")
    parser.add_argument("--only", choices=("real-web", "generated", "quality"), help="one part of it")
    parser.add_argument("--plain-every", type=int, default=1, help="plain reads only each K-th document, and its time is multiplied")
    parser.add_argument("--plain", nargs=2, type=Path, metavar=("WARC", "DB"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        archive, db = arguments.plain
        run_plain(archive, db, arguments.plain_every)
        return
    data = Path(os.environ.get("BELLWETHER_DATA", "nowhere"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.only in (None, "real-web") and (data / "real-web").is_dir():
            compare(
                "real-web",
                _first_pages(data / "real-web" / "pages.warc.gz", folder / "real.warc.gz", arguments.pages),
                folder,
                arguments.plain_every,
            )
        if arguments.only in (None, "generated"):
            archive = write_archive(folder / "generated.warc.gz", data, arguments.documents, arguments.distinct)
            compare("generated", archive, folder, arguments.plain_every)
    if arguments.only in (None, "quality") and (corpora := labelled_corpora(data)):
        print_quality(corpora)


def compare(name: str, archive: Path, folder: Path, every: int) -> None:
    """Prints a line for each contestant and the ratio of their speeds."""
    ours = folder / name
    ours.mkdir()
    n_pages = _prepare_store(ours, archive)
    print(f"\n{name}: {n_pages} pages" + (f", plain reads one in {every}" if every > 1 else ""), flush=True)
    own = measure([sys.executable, "-m", "bellwether", "extract"], ours)
    _print_line("bellwether", own, n_pages)
    plain = measure_plain(archive, folder / f"{name}.plain.db", n_pages, every)
    _print_line("plain", plain, n_pages)
    print(f"  ratio by the clock {plain['wall_s'] / own['wall_s']:.2f}, by CPU seconds {plain['cpu_s'] / own['cpu_s']:.2f}", flush=True)


def _print_line(who: str, figures: dict[str, Any], n_pages: int) -> None:
    print(
        f"  {who:11} {n_pages / figures['wall_s']:7.2f} documents/s  {n_pages / figures['cpu_s']:7.2f} per CPU s  {figures['cpu_s']:8.1f} CPU s  "
        f"{figures['wall_s']:7.1f} s  memory MiB at 25/50/75/100 %: {figures['memory_mib']}",
        flush=True,
    )


def measure_plain(archive: Path, db: Path, n_pages: int, every: int) -> dict[str, Any]:
    """Figures of the plain pipeline; where it reads only each K-th document, as if it had read all."""
    command = [sys.executable, "-m", "benchmarks.extract", "--plain-every", str(every), "--plain", str(archive), str(db)]
    figures = measure(command, ROOT)
    connection = sqlite3.connect(db)
    start, n_read = dict(connection.execute("SELECT clock, seconds FROM start_up")), connection.execute("SELECT n FROM read").fetchone()[0]
    connection.close()
    return figures | {clock: start[clock] + (figures[clock] - start[clock]) * n_pages / n_read for clock in ("wall_s", "cpu_s")}


def measure(command: list[str], folder: Path) -> dict[str, Any]:
    """Seconds by the clock, CPU seconds and memory in time of a command and its children."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    samples: list[int] = []
    done = threading.Event()

    def sample() -> None:
        while not done.wait(1.0):
            samples.append(_memory_mib(process.pid))

    watcher = threading.Thread(target=sample)
    watcher.start()
    status = process.wait()
    done.set()
    watcher.join()
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    quarters = [max(samples[len(samples) * i // 4 : len(samples) * (i + 1) // 4] or [0]) for i in range(4)]
    return {"wall_s": time.monotonic() - start, "cpu_s": cpu_s, "memory_mib": quarters}


def _memory_mib(pid: int) -> int:
    """Memory of a process and its children, each page that they share counted once (PSS)."""
    total, waiting = 0, [pid]
    while waiting:
        here = Path("/proc") / str(waiting.pop())
        try:
            total += int(next(line for line in (here / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:")).split()[1])
            waiting += [int(child) for task in (here / "task").iterdir() for child in (task / "children").read_text().split()]
        except (OSError, StopIteration):
            continue
    return total // 1024


def run_plain(archive: Path, db: Path, every: int) -> None:
    """The plain pipeline."""
    start = time.monotonic()
    from sentence_transformers import SentenceTransformer

    from signals.encoder import installed_minilm
    from signals.taxonomy import load_taxonomy, text_types

    model = SentenceTransformer(str(installed_minilm()), device="cpu", local_files_only=True)
    names = text_types()
    definitions = model.encode([load_taxonomy()[name].definition for name in names], normalize_embeddings=True)
    connection = sqlite3.connect(db, isolation_level=None)
    connection.execute("CREATE TABLE documents (url TEXT, text TEXT)")
    connection.execute("CREATE TABLE events (url TEXT, type TEXT, confidence REAL, quote TEXT)")
    connection.execute("CREATE TABLE start_up (clock TEXT, seconds REAL)")
    started = [("wall_s", time.monotonic() - start), ("cpu_s", time.process_time())]
    connection.executemany("INSERT INTO start_up VALUES (?, ?)", started)
    waiting: list[tuple[str, str]] = []
    n_read = 0

    def encode() -> None:
        passages = [(url, passage) for url, text in waiting for passage in _passages(text)]
        vectors = model.encode([passage for _, passage in passages], batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        for (url, passage), line in zip(passages, vectors @ definitions.T, strict=True):
            for j, similarity in enumerate(line):
                if similarity >= SIMILARITY:
                    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (url, names[j], float(similarity), passage))
        waiting.clear()

    for url, text in _iter_plain_texts(archive, every):
        n_read += 1
        if not text:
            continue
        connection.execute("INSERT INTO documents VALUES (?, ?)", (url, text))
        waiting.append((url, text))
        if len(waiting) == DOCUMENTS_AT_ONCE:
            encode()
    if waiting:
        encode()
    connection.execute("CREATE TABLE read AS SELECT ? AS n", (n_read,))


def _iter_plain_texts(archive: Path, every: int) -> Iterator[tuple[str, str]]:
    import trafilatura

    responses = (response for _, response in iter_responses(archive) if isinstance(response, ArchivedResponse))
    for response in islice(responses, 0, None, every):
        yield response.url, trafilatura.extract(response.body) or ""


def _passages(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[i : i + WORDS_PER_PASSAGE]) for i in range(0, len(words), WORDS_PER_PASSAGE)]


def _prepare_store(folder: Path, archive: Path) -> int:
    """A store with the archive's sites as accounts and its pages ingested; how many pages."""
    domains = sorted(
        {registrable_domain(host_of(r.url)) or host_of(r.url) for _, r in iter_responses(archive) if isinstance(r, ArchivedResponse)}
    )
    (folder / "accounts.csv").write_text(
        "account_name,domain\n" + "".join(f"{domain.split('.')[0]},{domain}\n" for domain in domains), encoding="utf-8"
    )
    for arguments in (["init"], ["import", "accounts", "accounts.csv"], ["ingest", str(archive)]):
        subprocess.run(
            [sys.executable, "-m", "bellwether", *arguments],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    connection = sqlite3.connect(folder / "bellwether.db")
    n_pages: int = connection.execute("SELECT count(*) FROM pages").fetchone()[0]
    connection.close()
    return n_pages


def _first_pages(source: Path, target: Path, n: int) -> Path:
    """The archive itself, or a new one of its first pages."""
    if not n:
        return source
    writer = ArchiveWriter(target)
    for number, (_, response) in enumerate(iter_responses(source)):
        if number == n:
            break
        if isinstance(response, ArchivedResponse):
            plain = [
                (key, value)
                for key, value in response.headers
                if key.lower() not in ("content-encoding", "transfer-encoding", "content-length")
            ]
            writer.write(response.url, response.http_status, plain, response.body, response.archived_at)
    writer.close()
    return target


def write_archive(path: Path, data: Path, n_documents: int, is_distinct: bool) -> Path:
    """A WARC file of pages, twenty to a site."""
    texts = list(_iter_texts(data))
    n_distinct = min(len(texts), n_documents)
    writer = ArchiveWriter(path)
    for i in range(n_distinct if is_distinct else n_documents):
        which, is_again = i % n_distinct, i >= n_distinct
        title, text, published = texts[which]
        folder = "press" if is_again and which % 2 else "news"
        url = f"https://site{which // 20}.example/{folder}/{which}"
        writer.write(url, 200, HEADERS, _page(title, text, published, i).encode(), f"2026-11-{1 + is_again:02d}T06:00:00Z")
    writer.close()
    return path


def _iter_texts(data: Path) -> Iterator[tuple[str, str, str]]:
    releases = data / "press" / "press_releases.jsonl.gz"
    if releases.exists():
        with gzip.open(releases, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                yield row["title"], row["text"], row["published"]
        return
    from signals.training import load_examples

    for example in load_examples():
        yield example.title, example.text, "2026-10-01"


def _page(title: str, text: str, published: str, number: int) -> str:
    sentences = text.replace("\n", " ").split(". ")
    paragraphs = "".join(f"<p>{escape('. '.join(sentences[i : i + 4]))}.</p>" for i in range(0, len(sentences), 4))
    links = "".join(f'<li><a href="/news/{number + i}">Story {number + i} of this season</a></li>' for i in range(30))
    return (
        f"<!doctype html><html lang=en><head><title>{escape(title)}</title><meta property=article:published_time content={published}></head><body>"
        f"<nav><ul>{links}</ul></nav><article><h1>{escape(title)}</h1>{paragraphs}</article><aside><ul>{links}</ul></aside>"
        "<footer><p>All rights reserved. Terms of use, privacy, imprint.</p></footer></body></html>"
    )


def print_quality(corpora: list[Path]) -> None:
    """Micro-F1 as the job reads, beside the full encoder in float32 on everything, on the labelled texts that no model was trained on."""
    from signals.classifier import EventClassifier
    from signals.evaluation import evaluate_events

    with tempfile.TemporaryDirectory() as folder:
        _, gold = write_texts(corpora, Path(folder))
        quick, exact = (evaluate_events(gold, EventClassifier(is_exact=is_exact), None, 1) for is_exact in (False, True))
    if quick.n_trained_on:
        raise SystemExit(f"the model was trained on {quick.n_trained_on} of the texts kept apart; `make train` does not")
    n_texts, quick_f1, exact_f1 = quick.n_texts, quick.systems[0].f1, exact.systems[0].f1
    print(
        f"\nquality on {n_texts} texts kept apart: micro-F1 as the job reads {quick_f1:.4f}, full encoder {exact_f1:.4f}, "
        f"difference {quick_f1 - exact_f1:+.4f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
