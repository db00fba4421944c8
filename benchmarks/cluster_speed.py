"""Two Dask workers beside one, on extraction and on scoring: ``python -m benchmarks.cluster_speed [--rounds 3]``.

A worker is a process that is held to one core, with all it starts: two of them have twice as much machine as one, as on a cluster. The process that merges
is held to no core. Each round takes one worker and two on the same store; rounds alternate, so that what else the machine does meets both. Workers have
done a part before the clock starts: models are loaded once in a worker's life.

Printed: seconds by the clock, CPU seconds of the workers and of the merging process, and the speed-up. ``bound`` is the speed-up that these CPU seconds
allow on two free cores, 2 · workers / (workers + merging): it does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bellwether.catalogue_file import load_catalogue
from bellwether.cluster import connected, extract_on, score_on
from bellwether.config import Config, load_config
from benchmarks.scoring_scale import AS_OF, write_book
from benchmarks.simulated_web import N_POSTS, domain, post
from scoring.learning import learn_models
from storage.archive import ArchiveWriter
from storage.ids import content_key
from storage.records import Account, Page
from storage.store import Store, create_store, open_writer

AT = "2026-11-01T06:00:00Z"
Job = Callable[[Any, Config, Store], object]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=int, default=400, help="pages to extract")
    parser.add_argument("--accounts", type=int, default=10_000, help="accounts to score")
    parser.add_argument("--only", choices=("extract", "score", "score to the lake"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        jobs: dict[str, tuple[Callable[[Path], None], Job]] = {
            "extract": (lambda folder: write_pages(folder, options.pages), _extract),
            "score": (lambda folder: _write_scored_book(folder, options.accounts), _score),
            "score to the lake": (lambda folder: _write_scored_book(folder, options.accounts), _score_to_lake),
        }
        for name, (prepare, job) in jobs.items():
            if options.only in (None, name):
                folder = Path(scratch) / name.replace(" ", "-")
                folder.mkdir()
                prepare(folder)
                compare(name, folder, job, options.rounds)


def compare(name: str, folder: Path, job: Job, n_rounds: int) -> None:
    """Prints a line for each round, and the medians."""
    print(f"\n{name}")
    ups, bounds = [], []
    for i in range(n_rounds):
        found = {n: measure(folder, job, n) for n in ((1, 2) if i % 2 else (2, 1))}
        (one, *cpu_one), (two, *cpu_two) = found[1], found[2]
        workers, merging = (cpu_one[0] + cpu_two[0]) / 2, (cpu_one[1] + cpu_two[1]) / 2
        ups.append(one / two)
        bounds.append(2 * workers / (workers + merging))
        print(
            f"  one worker {one:6.1f} s ({cpu_one[0]:.1f} CPU, merging {cpu_one[1]:.1f}); two {two:6.1f} s ({cpu_two[0]:.1f} CPU, merging "
            f"{cpu_two[1]:.1f}); speed-up {ups[-1]:.2f}, bound {bounds[-1]:.2f}",
            flush=True,
        )
    print(f"  median speed-up {statistics.median(ups):.2f}, bound {statistics.median(bounds):.2f}", flush=True)


def measure(folder: Path, job: Job, n_workers: int) -> tuple[float, float, float]:
    """Seconds by the clock, CPU seconds of the workers, CPU seconds of this process."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        os.chdir(scratch)
        (Path(scratch) / "bellwether.toml").write_text("")
        for name in ("book.db", "warm.db"):
            shutil.copy(folder / name, scratch)
        if (folder / "archive").exists():
            (Path(scratch) / "archive").symlink_to(folder / "archive")
        config = load_config()
        with connected(f"local:{n_workers}") as client:
            for core, address in enumerate(sorted(client.run(_hold_to_core, 0))):
                client.run(_hold_to_core, core % (os.cpu_count() or 1), workers=[address])
            with open_writer(Path(scratch) / "warm.db", "benchmark") as store:
                job(client, config, store)
            before, own, began = sum(client.run(_cpu_s).values()), time.process_time(), time.monotonic()
            with open_writer(Path(scratch) / "book.db", "benchmark") as store:
                job(client, config, store)
            wall, own = time.monotonic() - began, time.process_time() - own
            workers = sum(client.run(_cpu_s).values()) - before
        os.chdir(folder)
    return wall, workers, own


def _hold_to_core(core: int) -> None:
    os.sched_setaffinity(0, {core})
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _cpu_s() -> float:
    """CPU seconds of a worker and of the processes it started."""
    import psutil

    worker = psutil.Process()
    found = [process.cpu_times() for process in (worker, *worker.children(recursive=True))]
    ended = worker.cpu_times()
    return float(sum(times.user + times.system for times in found) + ended.children_user + ended.children_system)


# ---- the jobs ------------------------------------------------------------------------------------------------------


def _extract(client: Any, config: Config, store: Store) -> object:
    n_pages = int(store.value("SELECT count(*) FROM pages"))
    return extract_on(client, config, store, AT, _no_progress, pages_per_part=max(1, n_pages // 8))


def _score(client: Any, config: Config, store: Store) -> object:
    return score_on(client, config, store, load_catalogue(None), AS_OF, _no_progress, n_accounts=1_250)


def _score_to_lake(client: Any, config: Config, store: Store) -> object:
    return score_on(client, config, store, load_catalogue(None), AS_OF, _no_progress, n_accounts=1_250, to_lake=True)


def _no_progress(done: int, total: int) -> None:
    pass


def write_pages(folder: Path, n_pages: int) -> None:
    """``book.db`` with an archive of pages to extract, and ``warm.db`` with some of them."""
    writer = ArchiveWriter(folder / "archive" / "pages.warc.gz")
    accounts, pages = [], []
    for n in range(n_pages // N_POSTS):
        account_id = content_key("account", domain(n))
        accounts.append(Account(account_id, domain(n), f"Company {n}", None, None, None, None, None, "2026-01-01"))
        for i in range(N_POSTS):
            url = f"https://{domain(n)}/news/{i}"
            offset = writer.write(url, 200, (("Content-Type", "text/html; charset=utf-8"),), post(domain(n), i).encode(), AT)
            where = ("article", 200, "text/html", content_key("content", url), "pages.warc.gz", offset, AT, AT, None, None, None)
            pages.append(Page(content_key("page", url), account_id, domain(n), url, *where))
    writer.close()
    for name, part in (("book.db", len(pages)), ("warm.db", 4 * N_POSTS)):
        create_store(folder / name)
        with open_writer(folder / name, "benchmark") as store:
            store.save([*accounts, *pages[:part]])


def _write_scored_book(folder: Path, n_accounts: int) -> None:
    for name, n in (("book.db", n_accounts), ("warm.db", 2_500)):
        write_book(folder / name, n)
        with open_writer(folder / name, "benchmark") as store:
            learn_models(store, load_catalogue(None), AS_OF, 1)


if __name__ == "__main__":
    main()
