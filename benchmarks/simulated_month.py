"""A month of Bellwether on simulated companies, every stage by its own command: what each cost of CPU, disk and network.

Used by ``benchmarks.unit_costs``, which makes unit costs of small months and holds a larger one against what ``bellwether plan`` says of it.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.scoring_scale import COUNTRIES, INDUSTRIES, PRODUCTS
from benchmarks.simulated_web import TODAY, domain, read_counted, served_web
from storage.store import open_reader

ROOT = Path(__file__).parents[1]
N_TRANSACTIONS, N_DEALS = 6, 2


@dataclass(frozen=True)
class Spent:
    """What a stage took: units done, CPU seconds of all its processes, seconds by the clock, bytes, and requests over the network."""

    n: int
    cpu_s: float
    wall_s: float
    store_bytes: int
    archive_bytes: int
    network_bytes: int
    n_requests: int


def run_month(folder: Path, n_accounts: int, n_posts: int, n_jobs: int = 2, with_revisit: bool = False) -> dict[str, Spent]:
    """Stage → what it took, for new companies with so many new posts each; and of a second visit, a day later, when nothing is new."""
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder, n_accounts)
    spent: dict[str, Spent] = {}
    with served_web(folder, n_posts) as ports:
        meter = Meter(folder, ports)
        meter.run(0, "init")
        write_config(folder, ports, TODAY)
        spent["import"] = _import(meter, n_accounts)
        spent["ping"] = meter.run(n_accounts, "crawl", "domains")
        spent["feed"] = meter.run(n_accounts, "crawl", "feeds")
        spent["page"] = meter.run(n_accounts * n_posts, "crawl", "articles")
        spent["document"] = meter.run(n_accounts * n_posts, "extract", "--jobs", str(n_jobs))
        spent["learn"] = meter.run(n_accounts, "learn", "--as-of", str(TODAY))
        spent["score"] = meter.run(n_accounts, "score", "--as-of", str(TODAY))
        spent["report"] = meter.run(n_accounts, "report", "security", "--out", "security.csv")
        if with_revisit:
            write_config(folder, ports, TODAY + timedelta(days=1))
            spent["revisit"] = _total(n_accounts, [meter.run(n_accounts, "crawl", kind) for kind in ("domains", "feeds")])
    _require_whole(folder, n_accounts, n_posts)
    return spent


def import_files(folder: Path, n_accounts: int) -> Spent:
    """What the import of so many accounts with their transactions and deals took, in a new store."""
    folder.mkdir(parents=True)
    write_files(folder, n_accounts)
    meter = Meter(folder, None)
    meter.run(0, "init")
    return _import(meter, n_accounts)


def _import(meter: Meter, n_accounts: int) -> Spent:
    kinds = ("accounts", "transactions", "opportunities")
    return _total(n_accounts, [meter.run(n_accounts, "import", kind, f"{kind}.csv", "--observed-on", "2023-11-01") for kind in kinds])


def _require_whole(folder: Path, n_accounts: int, n_posts: int) -> None:
    """A stage that did less than it should have would look cheap."""
    with open_reader(folder / "bellwether.db") as store:
        expected = {
            "accounts WHERE account_id IN (SELECT account_id FROM domain_pings)": n_accounts,
            "pages WHERE kind = 'article'": n_accounts * n_posts,
            "documents d JOIN pages USING (page_id) WHERE pages.kind = 'article'": n_accounts * n_posts,
            "cluster_assignments": n_accounts * 6,
        }
        for what, n in expected.items():
            if (found := store.value(f"SELECT count(*) FROM {what}")) != n:  # noqa: S608 - constants
                raise SystemExit(f"the simulated month is not whole: {found} of {n} {what}")


def write_files(folder: Path, n_accounts: int) -> None:
    """The operator's book: accounts, six transactions and two deals each."""
    dice = np.random.default_rng(1)
    days = [str(TODAY - timedelta(days=i)) for i in range(1096)]
    size, industry = np.exp(dice.normal(4.3, 1.0, n_accounts)), dice.integers(len(INDUSTRIES), size=n_accounts)
    _write(
        folder / "accounts.csv",
        "account_name,domain,employees,annual_revenue_usd,industry,country",
        (
            (f"Company {n}", domain(n), int(size[n]) + 1, int(size[n] * 147_000), INDUSTRIES[industry[n]], COUNTRIES[n % 6])
            for n in range(n_accounts)
        ),
    )
    liking = (np.repeat(industry, N_TRANSACTIONS) + dice.integers(3, size=n_accounts * N_TRANSACTIONS)) % len(PRODUCTS)
    when = dice.integers(1, 1095, len(liking))
    _write(
        folder / "transactions.csv",
        "domain,product,amount_usd,transacted_on",
        (
            (domain(i // N_TRANSACTIONS), PRODUCTS[liking[i]], round(float(size[i // N_TRANSACTIONS]) * 20, 2), days[when[i]])
            for i in range(len(liking))
        ),
    )
    which, when, won = dice.integers(6, size=2 * n_accounts), dice.integers(100, 1000, 2 * n_accounts), dice.random(2 * n_accounts) < 0.4
    _write(
        folder / "opportunities.csv",
        "domain,product,created_on,closed_on,outcome,amount_usd",
        (
            (domain(i // N_DEALS), PRODUCTS[which[i]], days[when[i]], days[when[i] - 60], "won" if won[i] else "lost", 100)
            for i in range(len(which))
        ),
    )


def _write(path: Path, head: str, rows: object) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(head + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]


def write_config(folder: Path, ports: dict[str, int], today: date) -> None:
    """A bellwether.toml that finds the simulated web, on a day, and no other network."""
    (folder / "bellwether.toml").write_text(
        f'[crawl]\nnameservers = ["127.0.0.1:{ports["dns"]}"]\nallow_nets = ["127.0.0.0/8"]\ndelay_s = 0\ntimeout_s = 300\n'
        f'frozen_clock = "{today}T06:00:00Z"\n[crawl.loopback_ports]\n80 = {ports["http"]}\n443 = {ports["https"]}\n',
        encoding="utf-8",
    )


def _total(n: int, parts: list[Spent]) -> Spent:
    names = ("cpu_s", "wall_s", "store_bytes", "archive_bytes", "network_bytes", "n_requests")
    return Spent(n, *(sum(getattr(part, name) for part in parts) for name in names))


class Meter:
    """Runs commands in a folder and tells what each took; over the network only where there are ports."""

    def __init__(self, folder: Path, ports: dict[str, int] | None) -> None:
        self.folder, self.ports = folder, ports

    def run(self, n: int, *arguments: str) -> Spent:
        counted, sizes, before, began = self._counted(), self._sizes(), resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "bellwether", *arguments],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"`bellwether {' '.join(arguments)}` ended with {done.returncode}: {done.stderr[-2000:]}")
        wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        grown = [now - then for now, then in zip(self._sizes(), sizes, strict=True)]
        now = self._counted()
        print(f"  {' '.join(arguments)}: {n} in {cpu_s:.1f} CPU s, {wall_s:.1f} s by the clock", file=sys.stderr, flush=True)
        return Spent(n, cpu_s, wall_s, *grown, now["n_bytes"] - counted["n_bytes"], now["n_requests"] - counted["n_requests"])

    def _counted(self) -> dict[str, int]:
        return read_counted(self.ports) if self.ports else {"n_bytes": 0, "n_requests": 0}

    def _sizes(self) -> tuple[int, int]:
        files = list((self.folder / "archive").glob("*"))
        store = self.folder / "bellwether.db"
        return store.stat().st_size if store.exists() else 0, sum(path.stat().st_size for path in files)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    found = run_month(folder, int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({name: dataclasses.asdict(spent) for name, spent in found.items()}, indent=1))
