"""A book of many accounts: a report in every format with its peak of memory, and the hub's table of accounts with its times.

Run: ``python -m benchmarks.hub_scale --accounts 1000000``; it needs about 3 GB of disk for a million.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from bellwether.catalogue_file import load_catalogue
from reports import FORMATS, REPORTS, write_report
from reports.scope import AccountFilters, PartnerScope, Right
from storage.records import Partner, ScoringRun
from storage.store import create_store, open_reader, open_writer

CLUSTERS = ("Act now", "Evaluate", "Nurture", "Educate")
BANDS = ("High", "Medium", "Low", "Very low")
INDUSTRIES, COUNTRIES = ("Retail", "Energy", "Legal"), ("DE", "GB", "FR")
FIT = json.dumps({"base": 40.0, "points": [{"feature": "industry", "value": "Retail", "points": 10.0}]})


def build(path: Path, n_accounts: int) -> None:
    """A scored book whose rows are plain but all there."""
    create_store(path)
    with open_writer(path, "bench") as store:
        store.save(
            [
                Partner("P1", "One"),
                Partner("P2", "Two"),
                ScoringRun("r", "2026-11-01", "cloudascent", "m", n_accounts, load_catalogue(None).content_hash, "v"),
            ]
        )
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    numbers = range(n_accounts)
    accounts = ((f"{i:016x}", f"a{i}.test", f"Account {i * 7919 % n_accounts:07d}", f"C{i}") for i in numbers)
    facts = ((f"f{i:015x}", f"{i:016x}", i * 31 % 900, INDUSTRIES[i % 3], COUNTRIES[i % 3]) for i in numbers)
    purchases = ((f"t{i:015x}", f"{i:016x}", f"P{1 + i % 2}") for i in numbers)
    connection.executemany("INSERT INTO accounts VALUES (?,?,?,?,NULL,NULL,NULL,NULL,'2024-01-01')", accounts)
    names = "firmographics_id, account_id, source, observed_on, employees, industry, country"
    connection.executemany(f"INSERT INTO firmographics ({names}) VALUES (?,?,'import','2024-01-01',?,?,?)", facts)  # noqa: S608
    connection.executemany("INSERT INTO transactions VALUES (?,?,?,'Azure',NULL,100.0,'2026-01-01',0)", purchases)
    for product in ("Azure", "M365"):
        connection.executemany(
            "INSERT INTO fit_scores VALUES ('r',?,?,?,?,NULL)", ((f"{i:016x}", product, score(i), FIT) for i in range(n_accounts))
        )
        connection.executemany(
            "INSERT INTO signal_scores VALUES ('r',?,?,?,'[]',0)", ((f"{i:016x}", product, score(i + 1)) for i in range(n_accounts))
        )
        connection.executemany(
            "INSERT INTO cluster_assignments VALUES ('r',?,?,?,?,NULL,?,100.0,900.0)",
            ((f"{i:016x}", product, BANDS[rank(i)], BANDS[rank(i + 1)], CLUSTERS[rank(i)]) for i in range(n_accounts)),
        )  # fmt: skip
    connection.commit()
    connection.close()


def score(i: int) -> float:
    """A score spread over 0 to 100."""
    return (i * 7919 % 10_007) / 100.07


def rank(i: int) -> int:
    """The band of that score."""
    return 0 if score(i) >= 75 else 1 if score(i) >= 55 else 2 if score(i) >= 30 else 3


def report_in(path: Path, file_format: str, answer: Any) -> None:
    """Writes a report in a process of its own, so that its peak is its own."""
    start = time.perf_counter()
    with open_reader(path) as store:
        target = path.with_name(f"report.{file_format}")
        written = write_report(store, load_catalogue(None), REPORTS["security"], target, None, date(2026, 11, 1), file_format)
    answer.put((written.n_rows, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def times_of_table(path: Path) -> Iterator[tuple[str, float, float]]:
    """(question, median ms, 95th percentile ms)."""
    questions = {
        "first page": AccountFilters("Azure"),
        "Act now": AccountFilters("Azure", cluster="Act now"),
        "Nurture": AccountFilters("Azure", cluster="Nurture"),
        "Educate, DE": AccountFilters("Azure", cluster="Educate", country="DE"),
        "Medium, Retail": AccountFilters("Azure", size="Medium", industry="Retail"),
    }
    with open_reader(path) as store:
        for who, right in (("all", Right(None)), ("partner", Right("P1"))):
            scope = PartnerScope(store, load_catalogue(None), (right,))
            for name, filters in questions.items():
                taken = []
                for _ in range(20):
                    start = time.perf_counter()
                    scope.accounts(scope.run(), filters)
                    taken.append((time.perf_counter() - start) * 1000)
                taken.sort()
                yield f"{who}: {name}", taken[10], taken[18]


def main() -> None:
    """Prints one line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.store or Path(folder) / "book.db"
        if not path.exists():
            build(path, chosen.accounts)
        for name, median, p95 in times_of_table(path):
            print(f"accounts table, {name}: median {median:.0f} ms, p95 {p95:.0f} ms", flush=True)
        for file_format in FORMATS:
            answer: Any = multiprocessing.get_context("spawn").Queue()
            worker = multiprocessing.get_context("spawn").Process(target=report_in, args=(path, file_format, answer))
            worker.start()
            n_rows, seconds, peak = answer.get()
            worker.join()
            print(f"report {file_format}: {n_rows} rows in {seconds:.0f} s, peak {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
