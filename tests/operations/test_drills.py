"""Drills: what goes wrong on one machine costs time and nothing else. BELLWETHER_DRILL=long (``make drill``) goes through many more points."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from bellwether.backup import back_up, put_back
from bellwether.config import load_config
from benchmarks.simulated_month import write_config, write_files
from benchmarks.simulated_web import served_web
from examples.demo import BOOK, BOOK_KNOWN_SINCE, KINDS
from storage.archive import read_response
from storage.store import open_reader, open_writer

ROOT = Path(__file__).parents[2]
IS_LONG = os.environ.get("BELLWETHER_DRILL") == "long"
N_POINTS = 12 if IS_LONG else 2
N_ACCOUNTS = 150
AS_OF = "2026-11-01"
RESULTS = ("accounts", "firmographics", "subscriptions", "transactions", "opportunities", "signal_events", "scoring_runs", "fit_scores",
           "signal_scores", "cluster_assignments", "cluster_movements", "model_versions", "report_runs")  # fmt: skip
# What a crawl brings home, but for when it came and where in the archive it lies.
COLLECTED = {
    "domain_pings": "account_id, state",
    "sources": "source_id, url, kind",
    "pages": "page_id, account_id, url, kind, content_hash",
    "frontier_urls": "frontier_id, url, state",
    "documents": "document_id, page_id, title, text",
}
SCORE = ("score", "--as-of", AS_OF)
ON_BOOK = {
    "import": ("import", "transactions", "transactions.csv"),
    "learn": ("learn", "--as-of", AS_OF),
    "score": SCORE,
    "report": ("report", "security", "--out", "security.csv"),
    "lake": ("lake",),
}
ON_SITES = {"crawl": ("crawl",), "extract": ("extract", "--jobs", "1"), "forget": ("forget", "a0.test")}
STAGES = ON_BOOK | ON_SITES
N_COMPANIES, N_POSTS = 6, 3
pytestmark = pytest.mark.timeout(3_600 if IS_LONG else 600)


def _start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "bellwether", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    _, said = (job := _start(folder, *arguments, **variables)).communicate()
    return job.returncode, said


def _digest(folder: Path) -> str:
    """What the jobs brought about: all rows but when jobs ran, the report and the lake."""
    with open_reader(folder / "bellwether.db") as store:
        assert store.integrity() == "ok"
        assert list(store.query("PRAGMA foreign_key_check")) == []
        rows = [sorted(json.dumps(list(row.values())) for row in store.query(f"SELECT * FROM {table}")) for table in RESULTS]
        rows += [
            sorted(json.dumps(list(row.values())) for row in store.query(f"SELECT {columns} FROM {table}"))
            for table, columns in COLLECTED.items()
        ]
        for page in store.query("SELECT url, warc_file, warc_offset FROM pages"):
            assert read_response(folder / "archive" / page["warc_file"], page["warc_offset"]).url == page["url"]
    digest = hashlib.sha256(json.dumps(rows).encode())
    for path in sorted([*folder.glob("security.csv"), *folder.glob("lake/**/*.parquet")]):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a part of the sample's accounts and deals, and a file of transactions that is not imported yet."""
    folder = tmp_path_factory.mktemp("drill")
    assert _run(folder, "init")[0] == 0
    domains = [line.split(",")[1] for line in (BOOK / "accounts.csv").read_text(encoding="utf-8").splitlines()[1 : N_ACCOUNTS + 1]]
    for kind in KINDS:
        head, *lines = (BOOK / f"{kind}.csv").read_text(encoding="utf-8").splitlines()
        kept = (
            [line for line in lines if kind == "partners" or any(f"{domain}," in line for domain in domains)]
            if kind != "accounts"
            else lines[:N_ACCOUNTS]
        )
        (folder / f"{kind}.csv").write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
        if kind != "transactions":
            code, said = _run(folder, "import", kind, f"{kind}.csv", "--observed-on", BOOK_KNOWN_SINCE)
            assert code == 0, said
    return folder


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with a few companies whose sites are served on loopback as long as the drills run."""
    folder = tmp_path_factory.mktemp("sites")
    with served_web(tmp_path_factory.mktemp("web"), N_POSTS) as ports:
        assert _run(folder, "init")[0] == 0
        write_config(folder, ports, date.fromisoformat(AS_OF))
        write_files(folder, N_COMPANIES)
        code, said = _run(folder, "import", "accounts", "accounts.csv", "--observed-on", BOOK_KNOWN_SINCE)
        assert code == 0, said
        yield folder


@pytest.fixture(scope="module")
def stages(book: Path, sites: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str, float]]:
    """Per stage: a folder as it is before the stage, the digest after an undisturbed run, and how many seconds that took."""
    found = {}
    for start, commands in ((book, ON_BOOK), (sites, ON_SITES)):
        current = start
        for name, command in commands.items():
            after = tmp_path_factory.mktemp(name) / "after"
            shutil.copytree(current, after)
            began = time.monotonic()
            code, said = _run(after, *command)
            assert code == 0, said
            found[name] = (current, _digest(after), time.monotonic() - began)
            current = after
    with open_reader(current / "bellwether.db") as store:
        assert store.value("SELECT count(*) FROM documents") >= (N_COMPANIES - 1) * N_POSTS
        assert store.value("SELECT count(*) FROM signal_events") > 0
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_random_points_a_stage_ends_as_if_undisturbed(
    stages: dict[str, tuple[Path, str, float]], tmp_path: Path, stage: str
) -> None:
    before, expected, seconds = stages[stage]
    folder = tmp_path / "killed"
    shutil.copytree(before, folder)
    moments = random.Random(stage)
    for _ in range(N_POINTS):
        job = _start(folder, *STAGES[stage])
        time.sleep(seconds * moments.uniform(0.3, 1.0))
        job.send_signal(signal.SIGKILL)
        job.communicate()
    code, said = _run(folder, *STAGES[stage])
    assert code == 0, said
    assert _digest(folder) == expected


@pytest.fixture(scope="module")
def broken_machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library that breaks the machine a process runs on."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler on Linux to make writes fail")
    library = tmp_path_factory.mktemp("broken") / "broken.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(Path(__file__).with_name("broken_machine.c")), "-ldl"], check=True
    )
    return str(library)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("what", ["a failing disk", "a full disk"])
def test_a_disk_that_fails_at_some_write_costs_one_clear_line_and_nothing_else(
    stages: dict[str, tuple[Path, str, float]], broken_machine: str, tmp_path: Path, stage: str, what: str
) -> None:
    before, expected, _ = stages[stage]
    counted = tmp_path / "counted"
    shutil.copytree(before, counted)
    assert _run(counted, *STAGES[stage], LD_PRELOAD=broken_machine, BROKEN_COUNT=str(tmp_path / "n"))[0] == 0
    n_writes = max(int(line) for line in (tmp_path / "n").read_text().split())
    assert n_writes > 3
    breakage = {"BROKEN_WITH": str(errno.ENOSPC), "BROKEN_FOR": "1000000000"} if what == "a full disk" else {"BROKEN_WITH": str(errno.EIO)}
    n_failed = 0
    for point in range(N_POINTS):
        folder = tmp_path / f"{point}"
        shutil.copytree(before, folder)
        n = 1 + point * (n_writes - 1) // max(1, N_POINTS - 1)
        code, said = _run(folder, *STAGES[stage], LD_PRELOAD=broken_machine, BROKEN_AT=str(n), **breakage)
        assert "Traceback" not in said, f"write {n} of {n_writes}: {said}"
        assert code in (0, 1), f"write {n} of {n_writes}: {said}"
        n_failed += code
        code, said = _run(folder, *STAGES[stage])
        assert code == 0, said
        assert _digest(folder) == expected, f"write {n} of {n_writes}"
    assert n_failed, "no write was missed: the drill drills nothing"


@pytest.mark.parametrize("what", ["a failing disk", "a full disk"])
def test_a_backup_that_was_cut_short_is_none_and_is_made_again_in_its_place(
    stages: dict[str, tuple[Path, str, float]], broken_machine: str, tmp_path: Path, what: str
) -> None:
    before = stages["extract"][0]
    expected = _digest(before)
    assert _run(before, "backup", str(tmp_path / "counted"), LD_PRELOAD=broken_machine, BROKEN_COUNT=str(tmp_path / "n"))[0] == 0
    n_writes = max(int(line) for line in (tmp_path / "n").read_text().split())
    breakage = {"BROKEN_WITH": str(errno.ENOSPC), "BROKEN_FOR": "1000000000"} if what == "a full disk" else {"BROKEN_WITH": str(errno.EIO)}
    n_failed = 0
    for point in range(N_POINTS):
        kept, folder = tmp_path / f"kept-{point}", tmp_path / f"restored-{point}"
        n = 1 + point * (n_writes - 1) // max(1, N_POINTS - 1)
        code, said = _run(before, "backup", str(kept), LD_PRELOAD=broken_machine, BROKEN_AT=str(n), **breakage)
        assert "Traceback" not in said, f"write {n} of {n_writes}: {said}"
        shutil.copytree(before, folder)
        (folder / "bellwether.db").unlink()
        if code:
            n_failed += 1
            assert _run(folder, "restore", str(kept))[0] == 1, "half a backup is taken for a whole one"
            code, said = _run(before, "backup", str(kept))
            assert code == 0, said
        code, said = _run(folder, "restore", str(kept))
        assert code == 0, said
        assert _digest(folder) == expected, f"write {n} of {n_writes}"
    assert n_failed, "no write was missed: the drill drills nothing"


@pytest.mark.parametrize("seconds", [-400 * 86_400, 400 * 86_400])
def test_a_clock_that_jumps_while_scoring_changes_no_score(
    stages: dict[str, tuple[Path, str, float]], broken_machine: str, tmp_path: Path, seconds: int
) -> None:
    before, expected, _ = stages["score"]
    folder = tmp_path / "jumped"
    shutil.copytree(before, folder)
    code, said = _run(folder, *STAGES["score"], LD_PRELOAD=broken_machine, CLOCK_JUMP_S=str(seconds))
    assert code == 0, said
    assert _digest(folder) == expected


def test_a_truncated_store_is_told_with_what_to_do_and_its_backup_goes_on_from_there(
    stages: dict[str, tuple[Path, str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, expected, _ = stages["score"]
    folder = tmp_path / "torn"
    shutil.copytree(before, folder)
    monkeypatch.chdir(folder)
    config = load_config()
    list(back_up(config, folder / "kept"))
    for part in (0.5, 0.01):
        with config.db.open("r+b") as file:
            file.truncate(int(config.db.stat().st_size * part))
        for command in (SCORE, ("status",), ("report", "security")):
            code, said = _run(folder, *command)
            assert (code, said.count("\n")) == (1, 1), said
            assert "restore" in said
    config.db.unlink()
    assert [line for line in put_back(config, folder / "kept") if line.startswith("missing")] == []
    assert _run(folder, *SCORE)[0] == 0
    assert _digest(folder) == expected


READER = """
import sqlite3, sys, time
from pathlib import Path
from storage.archive import read_response
from storage.store import open_reader
until, n = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < until:
    with open_reader(Path(sys.argv[1])) as store:
        for _ in range(20):
            row = next(iter(store.query("SELECT sum(partner_name = 'even') AS e, sum(partner_name = 'odd') AS o FROM partners")))
            n_even, n_odd = row.values()
            assert (n_even or 0) == (n_odd or 0), (n_even, n_odd)
            n += 1
print(n)
"""


def _writes(db: Path, seconds: float) -> Iterator[int]:
    from storage.records import Partner

    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with open_writer(db, "soak") as store:
            for _ in range(20):
                store.save([Partner(f"{n}e", "even"), Partner(f"{n}o", "odd")])
                n += 1
                yield n


def test_four_readers_beside_a_writer_never_see_half_a_transaction(tmp_path: Path) -> None:
    assert _run(tmp_path, "init")[0] == 0
    db, seconds = tmp_path / "bellwether.db", 300 if IS_LONG else 20
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(db), str(seconds)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    n_written = max(_writes(db, seconds))
    for reader in readers:
        out, said = reader.communicate()
        assert reader.returncode == 0, said
        assert int(out) > 10
    with sqlite3.connect(db) as connection:
        assert connection.execute("SELECT count(*) FROM partners").fetchone() == (2 * n_written,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
