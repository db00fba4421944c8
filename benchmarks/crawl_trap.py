"""What one hostile domain costs ninety-nine honest ones: ``python -m benchmarks.crawl_trap [--rounds 3] [--articles 20]``.

The same honest sites are crawled with and without the hostile one beside them, in turn, with the pauses and timeouts that a crawl has by default. The
hostile one lists without end, drips, resets, redirects in circles, sends bombs, endless bodies and headers (``tests.crawler.sites``). Told is when the
last honest page had been sent, from the start of the crawl on, by the server's log; and what the hostile site got.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.ids import content_key
from storage.records import Account
from storage.store import create_store, open_writer
from tests.crawler.loopback import Answer, Names, Web
from tests.crawler.sites import HOSTILE, company, hostile, ways

HONEST = [f"honest{n}.test" for n in range(99)]
MOST = 1.2


@dataclass(frozen=True)
class Crawled:
    """A whole crawl: when the last honest page had been sent and when the crawl ended, both from its start on; the processor's time; requests."""

    honest_s: float
    all_s: float
    cpu_s: float
    n_honest: int
    n_hostile: int


def crawl(domains: list[str], n_articles: int) -> Crawled:
    """Crawls the domains once."""

    def answer(host: str, path: str, headers: Mapping[str, str]) -> Answer:
        return hostile(host, path, headers) if host.endswith(HOSTILE) else company(host, path, headers, n_articles)

    web, names, closed = Web(answer), Names(lambda name, kind: ["127.0.0.1"] if kind == "A" else []), Web(answer)
    port, nowhere = web.listen(), closed.listen()
    closed.close()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        create_store(folder / "bellwether.db")
        with open_writer(folder / "bellwether.db", "benchmark") as store:
            store.save([Account(content_key("account", d), d, d, None, None, None, None, None, "2026-01-01") for d in domains])
        (folder / "bellwether.toml").write_text(
            f'[crawl]\nnameservers = ["127.0.0.1:{names.port}"]\nallow_nets = ["127.0.0.1/32"]\nmax_failed_share = 1\n'
            f"[crawl.loopback_ports]\n80 = {port}\n443 = {nowhere}\n",
            encoding="utf-8",
        )
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([sys.executable, "-m", "bellwether", "crawl"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        ended, after = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    names.close()
    web.close()
    honest = [asked for asked in web.log if not asked.host.endswith(HOSTILE)]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Crawled(max(asked.until for asked in honest) - began, ended - began, cpu_s, len(honest), len(web.log) - len(honest))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--articles", type=int, default=20, help="of each honest site")
    arguments = parser.parse_args()
    ways()  # made before anyone waits for them
    ratios = []
    for number in range(1, arguments.rounds + 1):
        calm, beside = crawl(HONEST, arguments.articles), crawl([*HONEST, HOSTILE], arguments.articles)
        if beside.n_honest != calm.n_honest:
            raise SystemExit(f"the honest sites got {beside.n_honest} requests beside the hostile one, {calm.n_honest} without it")
        ratios.append(beside.honest_s / calm.honest_s)
        print(
            f"round {number}: honest sites {calm.honest_s:.1f} s alone, {beside.honest_s:.1f} s beside the hostile one ({ratios[-1]:.2f});"
            f" whole crawls {calm.all_s:.1f} and {beside.all_s:.1f} s, {calm.cpu_s:.1f} and {beside.cpu_s:.1f} CPU s;"
            f" the hostile one got {beside.n_hostile} requests",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"median {median:.2f} (asked: at most {MOST})")
    if median > MOST:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
