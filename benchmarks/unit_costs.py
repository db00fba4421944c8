"""Unit costs of every stage on this machine, for ``bellwether plan``: ``python -m benchmarks.unit_costs`` (about four minutes of CPU time).

- ``(nothing)``: measures, writes ``bellwether/unit_costs.json`` and the tables of ``docs/scale.md`` that come from it;
- ``--short``: the same on smaller sizes;
- ``--check N``: a month of N companies with five new posts each, every stage by its own command, beside what the plan says of it;
- ``--docs``: only writes the tables anew.

A cost is the slope between two sizes of the same run, so that what a command takes to start counts apart. Sites are served by
``benchmarks.simulated_web``; scoring is measured on the books of ``benchmarks.scoring_scale``, whose accounts have as many events as wanted.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bellwether.cluster import CRAWLED, EXTRACTED, SCORED
from bellwether.plan import COSTS_FILE, NIGHTLY, Plan, Premises, UnitCost, UnitCosts, load_costs, plan
from benchmarks import scoring_scale
from benchmarks.simulated_month import Meter, Spent, import_files, run_month
from benchmarks.simulated_web import N_POSTS, TODAY
from storage.partitions import load_part, merge_tables, write_part, write_results
from storage.store import open_reader, open_writer

SIZES_MEASURED = ((30, 240), (2_000, 10_000))  # companies with sites; accounts to learn from and score
SHORT = ((10, 60), (500, 3_000))
FEW_EVENTS, MANY_EVENTS = 2, 20
LEARNED_FROM = 50_000
DOCS = Path(__file__).parents[1] / "docs" / "scale.md"
SIZES = ((10_000, 50_000), (1_000_000, 5_000_000), (79_000_000, 395_000_000))
UNITS = {
    "import": "account with 6 transactions and 2 deals",
    "ping": "account, first time",
    "feed": "account, first time",
    "revisit": "account",
    "page": "page",
    "document": "document",
    "learn": "account",
    "score": "account, 6 products",
    "event": "event",
    "report": "account",
}


def measure(is_short: bool = False) -> UnitCosts:
    """All costs, measured now."""
    (few, many), books = SHORT if is_short else SIZES_MEASURED
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small, large = (run_month(folder / f"{n}", n, N_POSTS, with_revisit=True) for n in (few, many))
        costs = {name: _cost(name, small[name], large[name]) for name in ("ping", "feed", "revisit", "page", "document")}
        with open_reader(folder / f"{many}" / "bellwether.db") as store:
            events_per_page = store.value("SELECT count(*) FROM signal_events") / (many * N_POSTS)
        costs["import"] = _import_cost(folder, *books)
        for name, cpu_s in _writing_costs(folder / f"{many}", many).items():
            costs[name] = replace(costs[name], writing_cpu_s=round(cpu_s, 7))
        costs |= _scoring_costs(folder, *books)
    order = {name: costs[name] for name in UNITS}
    return UnitCosts(
        f"{platform.machine()}, {_processor()}, Python {platform.python_version()}", round(events_per_page, 4), LEARNED_FROM, order
    )


def _cost(name: str, small: Spent, large: Spent) -> UnitCost:
    """The slope from the small to the large run, and what is left for the start."""
    n = large.n - small.n

    def slope(field: str, digits: int) -> float:
        return round(max(0.0, (getattr(large, field) - getattr(small, field)) / n), digits)

    cpu_s = slope("cpu_s", 7)
    return UnitCost(
        unit=UNITS[name],
        start_cpu_s=round(max(0.0, small.cpu_s - small.n * cpu_s), 2),
        cpu_s=cpu_s,
        writing_cpu_s=0.0,
        store_bytes=slope("store_bytes", 1),
        archive_bytes=slope("archive_bytes", 1),
        network_bytes=slope("network_bytes", 1),
        n_requests=slope("n_requests", 2),
    )


def _import_cost(folder: Path, few: int, many: int) -> UnitCost:
    small, large = (import_files(folder / f"files-{n}", n) for n in (few, many))
    return _cost("import", small, large)


def _scoring_costs(folder: Path, few: int, many: int) -> dict[str, UnitCost]:
    runs = {
        (n, n_events): _score_book(folder / f"book-{n}-{n_events}", n, n_events)
        for n, n_events in ((few, MANY_EVENTS), (many, MANY_EVENTS), (many, FEW_EVENTS))
    }
    small, large, quiet = runs.values()
    found = {name: _cost(name, small[name], large[name]) for name in ("learn", "score", "report")}
    per_event = max(0.0, (large["score"].cpu_s - quiet["score"].cpu_s) / (many * (MANY_EVENTS - FEW_EVENTS)))
    bytes_per_event = max(0.0, (large["score"].store_bytes - quiet["score"].store_bytes) / (many * (MANY_EVENTS - FEW_EVENTS)))
    score = found["score"]
    found["score"] = replace(
        score,
        cpu_s=round(score.cpu_s - MANY_EVENTS * per_event, 7),
        store_bytes=round(score.store_bytes - MANY_EVENTS * bytes_per_event, 1),
        writing_cpu_s=round(_writing(folder / f"book-{many}-{FEW_EVENTS}", SCORED, TODAY.isoformat()) / many, 7),
    )
    found["event"] = UnitCost(UNITS["event"], 0.0, round(per_event, 8), 0.0, round(bytes_per_event, 1), 0.0, 0.0, 0.0)
    return found


def _score_book(folder: Path, n_accounts: int, n_events: int) -> dict[str, Spent]:
    folder.mkdir()
    scoring_scale.write_book(folder / "bellwether.db", n_accounts, n_events)
    meter = Meter(folder, None)
    return {
        "learn": meter.run(n_accounts, "learn", "--as-of", str(TODAY)),
        "score": meter.run(n_accounts, "score", "--as-of", str(TODAY)),
        "report": meter.run(n_accounts, "report", "security", "--out", "security.csv"),
    }


def _writing_costs(folder: Path, n_accounts: int) -> dict[str, float]:
    """CPU seconds of the one writer for a page and for a document that others crawled and extracted: its part cut out, and its rows merged."""
    return {
        "page": _writing(folder, CRAWLED) / (n_accounts * N_POSTS),
        "document": _writing(folder, EXTRACTED) / (n_accounts * N_POSTS),
    }


def _writing(folder: Path, tables: tuple[str, ...], as_of: str = "") -> float:
    with open_writer(folder / "bellwether.db", "benchmark") as store:
        ids = [row["account_id"] for row in store.query("SELECT account_id FROM accounts")]
        run_id = store.value("SELECT run_id FROM scoring_runs WHERE as_of = ?", (as_of,)) if as_of else ""
        cutting = _cpu_s(lambda: write_part(store, ids, str(folder / "part")))
        condition, parameters = ("run_id = ?", (run_id,)) if run_id else ("1 = 1", ())
        write_results(store, tables, str(folder / "made"), condition, parameters)
    load_part(str(folder / "part"), folder / "merged.db")
    with open_writer(folder / "merged.db", "benchmark") as merged:
        merged.execute_outside("PRAGMA foreign_keys = OFF")
        for table in reversed(tables):
            merged.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
        merging = _cpu_s(lambda: merge_tables(merged, tables, str(folder / "made")))
    (folder / "merged.db").unlink()
    return cutting + merging


def _cpu_s(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor() or "unknown")


# ---- the plan beside a run that was measured ---------------------------------------------------------------------------------


def check(n_accounts: int, folder: Path) -> str:
    """A month of companies with sites, measured, beside the plan's: a table in Markdown."""
    spent = run_month(folder, n_accounts, N_POSTS)
    planned = plan(load_costs(), n_accounts, n_accounts * N_POSTS, Premises(visits_per_month=1, months=1), cores=1)
    stages = {stage.stage: stage for stage in planned.stages}
    lines = ["| stage | units | planned, CPU s | measured, CPU s | planned / measured | by the clock, s |", "|---|---|---|---|---|---|"]
    pairs = []
    for name, found in spent.items():
        cpu_s = stages[name].cpu_hours * 3600 + (stages["event"].cpu_hours * 3600 if name == "score" else 0.0)
        pairs.append((cpu_s, found))
        lines.append(f"| {name} | {found.n:,} | {cpu_s:,.1f} | {found.cpu_s:,.1f} | {cpu_s / found.cpu_s:.2f} | {found.wall_s:,.0f} |")
    cpu_s, measured = sum(cpu for cpu, _ in pairs), sum(found.cpu_s for _, found in pairs)
    lines.append(
        f"| **all** | | {cpu_s:,.1f} | {measured:,.1f} | **{cpu_s / measured:.2f}** | {sum(found.wall_s for _, found in pairs):,.0f} |"
    )
    sums = {
        "store, MB": (planned.store_gb * 1e3, sum(found.store_bytes for _, found in pairs) / 1e6),
        "archive, MB": (planned.archive_gb * 1e3, sum(found.archive_bytes for _, found in pairs) / 1e6),
        "network, MB": (planned.network_gb * 1e3, sum(found.network_bytes for _, found in pairs) / 1e6),
    }
    lines += [f"| {name} | | {ours:,.1f} | {found:,.1f} | {ours / found:.2f} | |" for name, (ours, found) in sums.items()]
    return "\n".join(lines)


# ---- docs ------------------------------------------------------------------------------------------------------------------


def docs_tables(costs: UnitCosts) -> str:
    """What the documentation shows: the unit costs, and the plans of three sizes."""
    lines = [
        "| stage | a unit | CPU ms | of these the writer's | store, bytes | archive, bytes | network, bytes | requests | start, CPU s |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for name, cost in costs.stages.items():
        lines.append(
            f"| {name} | {cost.unit} | {cost.cpu_s * 1e3:.3g} | {cost.writing_cpu_s * 1e3:.3g} | {cost.store_bytes:,.0f} | {cost.archive_bytes:,.0f} "
            f"| {cost.network_bytes:,.0f} | {cost.n_requests:.3g} | {cost.start_cpu_s:.3g} |"
        )
    plans = [plan(costs, n_accounts, pages) for n_accounts, pages in SIZES]
    lines += ["", "| a month of | " + " | ".join(f"{each.n_accounts:,} accounts, {each.pages_per_month:,} pages" for each in plans) + " |"]
    lines.append("|---|" + "---|" * len(plans))
    lines += [f"| {name} | " + " | ".join(tell(each) for each in plans) + " |" for name, tell in _ROWS.items()]
    return "\n".join(lines)


def _nearest(each: Plan, place: int) -> str:
    limit = each.limits[place]
    return f"{limit.name}: {limit.share:.3g} of it → {limit.remedy}"


_ROWS: dict[str, Callable[[Plan], str]] = {
    "cores": lambda each: f"{each.cores:,}",
    "crawling processes": lambda each: f"{each.crawl_processes:,}",
    "CPU hours, first month": lambda each: f"{each.cpu_hours:,.1f}",
    "of these " + ", ".join(NIGHTLY): lambda each: ", ".join(f"{s.cpu_hours:,.1f}" for s in each.stages if s.stage in NIGHTLY),
    "hours a night": lambda each: f"{each.night_hours:,.2f}",
    "hours at the month's end": lambda each: f"{each.month_end_hours:,.2f}",
    "store, GB: first month, after twelve": lambda each: f"{each.store_gb:,.1f}, {each.store_gb_in_the_end:,.1f}",
    "archive, GB: first month, after twelve": lambda each: f"{each.archive_gb:,.1f}, {each.archive_gb_in_the_end:,.1f}",
    "network, GB a month; Mbit/s at night": lambda each: f"{each.network_gb:,.1f}; {each.network_mbit_s:,.1f}",
    "breaks first": lambda each: _nearest(each, 0),
    "then": lambda each: _nearest(each, 1),
    "then ": lambda each: _nearest(each, 2),
}


def write_between(path: Path, mark: str, text: str) -> None:
    """Puts a text between the two comments of that mark in a file."""
    head, _, rest = path.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    _, _, tail = rest.partition(f"<!-- end of {mark} -->")
    path.write_text(f"{head}<!-- {mark} -->\n{text}\n<!-- end of {mark} -->{tail}", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=int, metavar="N", help="measure a month of N companies beside the plan")
    parser.add_argument("--docs", action="store_true", help="only write the tables of docs/scale.md anew")
    parser.add_argument("--short", action="store_true", help="measure smaller sizes: a minute of CPU time, and less exact")
    arguments = parser.parse_args()
    if arguments.check:
        with tempfile.TemporaryDirectory() as folder:
            print(check(arguments.check, Path(folder)))
        return
    if not arguments.docs:
        COSTS_FILE.write_text(json.dumps(asdict(measure(arguments.short)), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_between(DOCS, "unit costs and plans", docs_tables(load_costs()))


if __name__ == "__main__":
    main()
