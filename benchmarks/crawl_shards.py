"""Whether two shards on two cores fetch twice as much as one, and whether memory grows with the number of pages.

``python -m benchmarks.crawl_shards shards [--pages 6000] [--rounds 3]``: the same pages fetched by one process, and by two with ``--shard 1/2`` and
``2/2`` on a store each, as machines do that share nothing; pages per second by the clock and per second of their processor time.

``python -m benchmarks.crawl_shards memory [--pages 10000 20000 40000 80000]``: the memory a crawl of so many pages held at most, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.crawl import prepare_bellwether, run_bellwether, served_site


def crawl_part(ports: dict[str, int], n_pages: int, folder: Path, shard: tuple[int, int]) -> None:
    """Runs in a process of its own; prints its figures as JSON."""
    began, cpu = time.perf_counter(), time.process_time()
    n_came = run_bellwether(ports, n_pages, folder, shard)
    figures = {
        "pages": n_came,
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def run_parts(ports: dict[str, int], n_pages: int, n_parts: int) -> list[dict[str, float]]:
    """So many processes at once, each with its shard; their figures."""
    with tempfile.TemporaryDirectory() as scratch:
        processes = []
        for part in range(1, n_parts + 1):
            folder = Path(scratch) / str(part)
            folder.mkdir()
            prepare_bellwether(folder, n_pages)
        for part in range(1, n_parts + 1):
            options = ["--part", f"{part}/{n_parts}", "--folder", str(Path(scratch) / str(part)), "--ports", json.dumps(ports)]
            command = [sys.executable, "-m", "benchmarks.crawl_shards", "part", "--pages", str(n_pages), *options]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        said = [process.communicate()[0] for process in processes]
        if any(process.returncode for process in processes):
            raise SystemExit("a part failed; its error stands above")
        return [json.loads(text.splitlines()[-1]) for text in said]


def measure_shards(ports: dict[str, int], n_pages: int, n_rounds: int) -> None:
    """Prints pages per second of one process and of two, round by round."""
    ratios, cpu_ratios = [], []
    for number in range(1, n_rounds + 1):
        (one,) = run_parts(ports, n_pages, 1)
        two = run_parts(ports, n_pages, 2)
        if one["pages"] != n_pages or sum(part["pages"] for part in two) != n_pages:
            raise SystemExit(f"not all {n_pages} pages came: {one['pages']}, {[part['pages'] for part in two]}")
        speed, speed_of_two = n_pages / one["seconds"], n_pages / max(part["seconds"] for part in two)
        cpu_ratios.append(one["cpu_s"] / sum(part["cpu_s"] for part in two))
        ratios.append(speed_of_two / speed)
        print(
            f"round {number}: one {speed:.0f} pages/s, two {speed_of_two:.0f} ({ratios[-1]:.2f} times); CPU for the same pages {cpu_ratios[-1]:.2f}"
        )
    print(
        f"median: {statistics.median(ratios):.2f} times by the clock, {2 * statistics.median(cpu_ratios):.2f} if each had a core of its own"
    )


def measure_memory(ports: dict[str, int], sizes: list[int]) -> None:
    """Prints the most memory that crawls of these sizes held."""
    for n_pages in sizes:
        (part,) = run_parts(ports, n_pages, 1)
        print(f"{part['pages']:8} pages  {part['peak_mib']:6.0f} MiB  {part['pages'] / part['cpu_s']:6.0f} pages per CPU s", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["shards", "memory", "part"])
    parser.add_argument("--pages", type=int, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what == "part":
        part, parts = map(int, options.part.split("/"))
        crawl_part(options.ports, options.pages[0], options.folder, (part, parts))
        return
    with tempfile.TemporaryDirectory() as scratch, served_site(Path(scratch)) as ports:
        if options.what == "shards":
            measure_shards(ports, (options.pages or [6000])[0], options.rounds)
        else:
            measure_memory(ports, options.pages or [10_000, 20_000, 40_000, 80_000])


if __name__ == "__main__":
    main()
