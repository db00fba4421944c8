"""A book of many accounts: a report in every format with its peak of memory, and the hub's table of accounts with its times.

Run: ``python -m benchmarks.hub_scale --accounts 1000000``; it needs about 3 GB of disk for a million.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from bellwether.catalogue_file import load_catalogue
from reports import FORMATS, REPORTS, write_report
from reports.listing import save_listing
from reports.scope import AccountFilters, PartnerScope, Right
from storage.records import Partner, ScoringRun
from storage.store import create_store, open_reader, open_writer

CLUSTERS = ("Act now", "Evaluate", "Nurture", "Educate")
BANDS = ("High", "Medium", "Low", "Very low")
INDUSTRIES = tuple(f"Industry {i:02}" for i in range(23))
COUNTRIES = ("DE", "GB", "FR", "NL", "SE", "IT", "ES", "PL", "IE")
FIT = json.dumps({"base": 40.0, "points": [{"feature": "industry", "value": "Retail", "points": 10.0}]})


def build(path: Path, n_accounts: int) -> None:
    """A scored book whose rows are plain but all there."""
    create_store(path)
    with open_writer(path, "bench") as store:
        store.save(
            [
                Partner("P1", "One"),
                Partner("P2", "Two"),
                *(Partner(f"P{i}", f"Partner {i}") for i in range(3, 43)),
                ScoringRun("r", "2026-11-01", "cloudascent", "m", n_accounts, load_catalogue(None).content_hash, "v"),
            ]
        )
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    numbers = range(n_accounts)
    accounts = ((f"{i:016x}", f"a{i}.test", f"Account {i * 7919 % n_accounts:07d}", f"C{i}") for i in numbers)
    facts = ((f"f{i:015x}", f"{i:016x}", i * 31 % 900, INDUSTRIES[i * 13 % 23], COUNTRIES[i * 7 % 9]) for i in numbers)
    purchases = ((f"t{i:015x}", f"{i:016x}", f"P{1 if i % 2 else 3 + i // 2 % 40}") for i in numbers)
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
    cohorts = load_catalogue(None).cohorts
    for i, cohort in enumerate(cohorts[:3]):  # of one account in five, in fifty, in five hundred
        connection.executemany(
            "INSERT OR IGNORE INTO cohort_members VALUES ('r',?,?,?)",
            ((f"{k:016x}", cohort.column, cohort.value) for k in range(0, n_accounts, 5 * 10**i)),
        )
    connection.commit()
    connection.close()
    with open_writer(path, "bench") as store:
        start = time.perf_counter()
        n_listed = save_listing(store, load_catalogue(None), ScoringRun("r", "2026-11-01", "cloudascent", "m", n_accounts, "", "v"))
        print(f"listing: {n_listed} rows in {time.perf_counter() - start:.0f} s", flush=True)


def score(i: int) -> float:
    """A score spread over 0 to 100."""
    return (i * 7919 % 10_007) / 100.07


def rank(i: int) -> int:
    """The band of that score."""
    return 0 if score(i) >= 75 else 1 if score(i) >= 55 else 2 if score(i) >= 30 else 3


def report_in(path: Path, file_format: str, country: str | None) -> tuple[int, float, float, float]:
    """Writes a report, in a process of its own, so that its peak is its own: rows, seconds, seconds of the processor, peak MiB."""
    start = time.perf_counter()
    with open_reader(path) as store:
        target = path.with_name(f"report.{file_format}")
        written = write_report(store, load_catalogue(None), REPORTS["security"], target, None, date(2026, 11, 1), file_format, (), country)
    return written.n_rows, time.perf_counter() - start, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def questions() -> Iterator[AccountFilters]:
    """No filter, each filter alone, and three hundred combinations of two to seven."""
    plays = [f"{cohort.column}: {cohort.value}" for cohort in load_catalogue(None).cohorts]
    values: dict[str, Sequence[Any]] = {
        "cluster": CLUSTERS, "size": ("Small", "Medium", "Upper Medium"), "industry": INDUSTRIES, "country": COUNTRIES, "cohort": plays[:3],
        "min_potential_usd": (500.0, 899.0, 5_000.0), "text": ("Account 04", "a77", "account 0123456", "no such name", "a1.test"),
    }  # fmt: skip
    yield AccountFilters("Azure")
    for name, of in values.items():
        for value in of:
            yield AccountFilters("Azure", **{name: value})
    dice = random.Random(1)
    for _ in range(300):
        names = dice.sample(sorted(values), dice.randint(2, 7))
        yield AccountFilters("M365", **{name: dice.choice(values[name]) for name in names})


def hard_questions() -> Iterator[AccountFilters]:
    """Parts of names that all accounts share, or too short for the index, alone and with filters that few accounts pass."""
    for text in ("Account ", "test", "a7", "77", "0", "account 01"):
        yield AccountFilters("Azure", text=text)
        yield AccountFilters("Azure", text=text, country="DE", industry="Industry 03")
        yield AccountFilters("Azure", text=text, cluster="Educate", min_potential_usd=899.0)


def times_of_table(path: Path, asked: Callable[[], Iterator[AccountFilters]]) -> Iterator[str]:
    """A line for each who asks; a question is what the page asks the store for. Beside the clock's time the processor's, which others on it do not add to."""
    whose = {
        "everyone": (Right(None),), "partner of half the accounts": (Right("P1"),), "partner of one in forty": (Right("P7"),),
        "two partners, one of them in one country": (Right("P1", "DE"), Right("P7")),
    }  # fmt: skip
    with open_reader(path) as store:
        for who, rights in whose.items():
            scope = PartnerScope(store, load_catalogue(None), rights)
            taken, busy = [], []
            for filters in asked():
                start, start_busy = time.perf_counter(), time.process_time()
                scope.choices(scope.run())
                scope.accounts(scope.run(), filters)
                taken.append((time.perf_counter() - start) * 1000)
                busy.append(((time.process_time() - start_busy) * 1000, repr(filters)))
            taken.sort()
            busy.sort()
            at = len(taken) * 95 // 100
            yield (
                f"{who}: {len(taken)} questions, median {taken[len(taken) // 2]:.0f} ms, p95 {taken[at]:.0f} ms, most {taken[-1]:.0f} ms; "
                f"processor p95 {busy[at][0]:.0f} ms, most {busy[-1][0]:.0f} ms for {busy[-1][1]}"
            )


def main() -> None:
    """Prints one line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="keep the book here, or use the one that is here")
    parser.add_argument("--formats", nargs="*", default=list(FORMATS))
    parser.add_argument("--country", choices=COUNTRIES, help="reports of this country's accounts, a ninth of the book")
    parser.add_argument("--no-table", action="store_true", help="only the reports")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.store or Path(folder) / "book.db"
        if not path.exists():
            build(path, chosen.accounts)
        for asked in () if chosen.no_table else (questions, hard_questions):
            for line in times_of_table(path, asked):
                print(f"accounts table, {asked.__name__.replace('_', ' ')}, {line}", flush=True)
        for file_format in chosen.formats:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as worker:
                n_rows, seconds, busy, peak = worker.submit(report_in, path, file_format, chosen.country).result()
            print(f"report {file_format}: {n_rows} rows in {seconds:.0f} s, {busy:.0f} s of the processor, peak {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
