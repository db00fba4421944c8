"""How close the crawl comes to fetching alone: ``python -m benchmarks.crawl [--pages 6000] [--rounds 3]``.

Each round fetches the same number of 50 KB pages from the same loopback site of 200 hosts, in a process of its own:

- ``scrapy``: a spider at Scrapy's default settings that only fetches (the baseline of the ratio);
- ``scrapy, bare``: the same with one item at a time and without retry, redirect, compression, cookies and offsite – a limit, not a usable setting;
- ``aiohttp``: a client that only fetches – the other limit;
- ``bellwether``: ``crawl articles`` with guard, DNS, robots, budget, archive and store.

Printed are pages per second of wall-clock and per second of the process's own CPU time, from the first page that came to the end, so that
imports do not count; the site's process runs beside it. The ratio that counts is of the latter: it does not depend on the number of cores,
nor much on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

N_HOSTS = 200


@dataclass(frozen=True)
class Figure:
    """One run: pages per second of time, per second of CPU, and the most memory it held."""

    per_s: float
    per_cpu_s: float
    peak_mib: float


@contextmanager
def served_site(folder: Path) -> Iterator[dict[str, int]]:
    """The site while the block runs; its ports."""
    port_file = folder / "ports.json"
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.crawl_site", str(port_file)])
    try:
        while not port_file.exists():
            time.sleep(0.02)
        yield json.loads(port_file.read_text(encoding="utf-8"))
    finally:
        process.terminate()
        process.wait()
        port_file.unlink(missing_ok=True)


def urls(port: int, n_pages: int) -> list[str]:
    """Pages round the hosts, each host an address of its own."""
    return [f"http://127.0.1.{n % N_HOSTS + 1}:{port}/news/{n}" for n in range(n_pages)]


_first: list[tuple[float, float]] = []  # wall-clock and CPU time when the first page had come


def _came() -> None:
    if not _first:
        _first.append((time.perf_counter(), time.process_time()))


# ---- contestants, each run in a process of its own ------------------------------------------------------------------------


def run_scrapy(ports: dict[str, int], n_pages: int, folder: Path, is_bare: bool = False) -> int:
    """Fetch-only Scrapy; how many pages came."""
    import scrapy
    from scrapy.crawler import CrawlerProcess

    came = []

    class Fetch(scrapy.Spider):
        name = "fetch"
        start_urls = urls(ports["http"], n_pages)

        def parse(self, response: scrapy.http.Response) -> None:
            _came()
            came.append(len(response.body))

    bare = {
        "CONCURRENT_ITEMS": 1,
        **{f"{part}_ENABLED": False for part in ("RETRY", "REDIRECT", "COMPRESSION", "COOKIES", "REFERER", "HTTPPROXY", "METAREFRESH")},
        "SPIDER_MIDDLEWARES": {
            f"scrapy.spidermiddlewares.{part}": None for part in ("urllength.UrlLengthMiddleware", "depth.DepthMiddleware")
        },
    }
    settings = {
        "LOG_LEVEL": "ERROR",
        "DOWNLOAD_TIMEOUT": 600,
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        **(bare if is_bare else {}),
    }
    process = CrawlerProcess(settings)
    process.crawl(Fetch)
    process.start()
    return len(came)


def run_scrapy_bare(ports: dict[str, int], n_pages: int, folder: Path) -> int:
    """The same stripped to the bone."""
    return run_scrapy(ports, n_pages, folder, is_bare=True)


def run_aiohttp(ports: dict[str, int], n_pages: int, folder: Path) -> int:
    """Fetch-only aiohttp with as many requests in flight as the others."""
    import asyncio

    import aiohttp

    async def fetch_all() -> int:
        waiting = iter(urls(ports["http"], n_pages))
        came = 0

        async def worker(session: aiohttp.ClientSession) -> None:
            nonlocal came
            for url in waiting:
                async with session.get(url) as response:
                    await response.read()
                    _came()
                    came += 1

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(worker(session) for _ in range(16)))
        return came

    return asyncio.run(fetch_all())


def run_bellwether(ports: dict[str, int], n_pages: int, folder: Path, shard: tuple[int, int] = (1, 1)) -> int:
    """``crawl articles`` on a frontier of the same pages."""
    from crawler.config import CrawlConfig
    from crawler.run import run_crawl

    config = CrawlConfig(
        db_path=folder / "bellwether.db",
        archive_dir=folder / "archive",
        nameservers=(f"127.0.0.1:{ports['dns']}",),
        allow_nets=("127.0.0.0/8",),
        loopback_ports={80: ports["http"]},
        delay_s=0.0,
        timeout_s=600.0,  # on a busy machine the site may be late; that is not what is measured
        n_concurrent=32,
        max_articles_per_account=n_pages,
        max_requests_per_site=n_pages,
        shard=shard,
    )
    summary = run_crawl(config, ["articles"], lambda kind, done, total: _came() if done else None)
    return summary.counts["articles"]["pages"]


def prepare_bellwether(folder: Path, n_pages: int) -> None:
    """A store whose frontier holds the pages."""
    from storage.ids import content_key
    from storage.records import Account, FrontierUrl, Record
    from storage.store import create_store, open_writer

    create_store(folder / "bellwether.db")
    now = "2026-01-01T00:00:00Z"
    records: list[Record] = []
    for n in range(N_HOSTS):
        domain = f"host{n}.test"
        account = content_key("account", domain)
        records.append(Account(account, domain, domain, None, None, None, None, None, now[:10]))
        for m in range(n, n_pages, N_HOSTS):
            url = f"http://{domain}/news/{m}"
            records.append(
                FrontierUrl(content_key("frontier", account, url), account, url, "article", None, "benchmark", now, "due", None, 0)
            )
    with open_writer(folder / "bellwether.db", "benchmark") as store:
        store.save(records)


CONTESTANTS: dict[str, Callable[[dict[str, int], int, Path], int]] = {
    "scrapy": run_scrapy,
    "scrapy, bare": run_scrapy_bare,
    "aiohttp": run_aiohttp,
    "bellwether": run_bellwether,
}


def measure(name: str, ports: dict[str, int], n_pages: int) -> Figure:
    """One contestant in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if name == "bellwether":
            prepare_bellwether(folder, n_pages)
        arguments = [sys.executable, "-m", "benchmarks.crawl", "--contestant", name, "--pages", str(n_pages), "--folder", scratch]
        arguments += ["--ports", json.dumps(ports)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return Figure(**json.loads(done.stdout.splitlines()[-1]))


def run_contestant(name: str, ports: dict[str, int], n_pages: int, folder: Path) -> None:
    """Runs in the contestant's process; prints its figure as JSON."""
    n_came = CONTESTANTS[name](ports, n_pages, folder)
    if n_came != n_pages:
        raise SystemExit(f"{name}: {n_came} of {n_pages} pages came")
    (began, cpu), now = _first[0], (time.perf_counter(), time.process_time())
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figure = {"per_s": (n_pages - 1) / (now[0] - began), "per_cpu_s": (n_pages - 1) / (now[1] - cpu), "peak_mib": peak_mib}
    print(json.dumps(figure))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestant", choices=[*CONTESTANTS], help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        run_contestant(options.contestant, options.ports, options.pages, options.folder)
        return
    figures: dict[str, list[Figure]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as scratch, served_site(Path(scratch)) as ports:
        for _ in range(options.rounds):
            for name in CONTESTANTS:
                figures[name].append(measure(name, ports, options.pages))
    print(f"{options.pages} pages of 50 KB from {N_HOSTS} hosts, {options.rounds} rounds, {os.cpu_count()} cores; medians")
    print(f"{'':14}  pages/s  pages per CPU s  ratio to scrapy (CPU)  peak MiB")
    base = statistics.median(figure.per_cpu_s for figure in figures["scrapy"])
    for name, runs in figures.items():
        per_s, per_cpu_s, peak = (statistics.median(getattr(run, field) for run in runs) for field in ("per_s", "per_cpu_s", "peak_mib"))
        print(f"{name:14}  {per_s:7.0f}  {per_cpu_s:15.0f}  {per_cpu_s / base:21.2f}  {peak:8.0f}")


if __name__ == "__main__":
    main()
