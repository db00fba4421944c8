"""What so many accounts and pages will take: cores, disk, network and hours, from unit costs that were measured, and which limit comes first.

``python -m benchmarks.unit_costs`` measures the costs on a machine and writes ``unit_costs.json``; the arithmetic here has no figures of its own but
the premises, which an operator can change.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storage.errors import ConfigError

COSTS_FILE = Path(__file__).with_name("unit_costs.json")
NIGHTLY = ("ping", "feed", "revisit", "page", "document")
MONTHLY = ("learn", "score", "event", "report")


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What one unit of a stage takes. ``writing_cpu_s`` is the part that stays with the one writer when others do the work."""

    unit: str
    start_cpu_s: float
    cpu_s: float
    writing_cpu_s: float
    store_bytes: float
    archive_bytes: float
    network_bytes: float
    n_requests: float


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """Measured costs by stage, and what they were measured on."""

    measured_on: str
    events_per_page: float
    learned_from: int  # learning reads no more accounts than this
    stages: Mapping[str, UnitCost]


@dataclass(frozen=True, slots=True)
class Premises:
    """What no benchmark can know."""

    visits_per_month: int = 30  # of every company's home page and feeds
    months: int = 12  # how long pages and events are kept
    latency_s: float = 0.5  # until a site has answered
    n_concurrent: int = 32  # requests in flight of one crawling process
    night_hours: float = 8.0  # for crawl and extract
    month_end_hours: float = 24.0  # for learn, score and report
    disk_gb: float = 2_000.0
    line_mbit_s: float = 1_000.0


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage in a month: units, CPU hours, hours by the clock with the plan's cores, gigabytes (10^9) that it adds or moves."""

    stage: str
    unit: str
    n: int
    cpu_hours: float
    hours: float
    store_gb: float
    archive_gb: float
    network_gb: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that a size comes up against; ``share`` of 1 is where it breaks."""

    name: str
    share: float
    remedy: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to ``bellwether plan``: the first month, in which everything is new, the cores it needs, and the limits, nearest first."""

    n_accounts: int
    pages_per_month: int
    premises: Premises
    cores: int
    crawl_processes: int
    stages: tuple[StagePlan, ...]
    cpu_hours: float
    night_hours: float
    month_end_hours: float
    store_gb: float
    archive_gb: float
    network_gb: float
    store_gb_in_the_end: float
    archive_gb_in_the_end: float
    network_mbit_s: float
    limits: tuple[Limit, ...]


def load_costs(path: Path = COSTS_FILE) -> UnitCosts:
    """The measured unit costs.

    Raises:
        ConfigError: the file is missing or not as the benchmark writes it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        stages = {name: UnitCost(**cost) for name, cost in found.pop("stages").items()}
        return UnitCosts(stages=stages, **found)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"cannot read unit costs from {path}: {error}; measure them with `python -m benchmarks.unit_costs`") from error


def plan(
    costs: UnitCosts, n_accounts: int, pages_per_month: int, premises: Premises | None = None, cores: int = 0, first: bool = True
) -> Plan:
    """What a month of so many accounts and new pages takes.

    Args:
        cores: how many there are; 0 for as many as bring the nights and the month's end into their hours.
        first: the first month: everything is imported and looked at for the first time. Later ones have only visits and new pages.
    """
    given = premises or Premises()
    units = _units(costs, n_accounts, pages_per_month, given, first)
    cpu_s = {name: _runs(name, given) * costs.stages[name].start_cpu_s + n * costs.stages[name].cpu_s for name, n in units.items()}
    night_s, end_s = (sum(cpu_s.get(name, 0.0) for name in names) for names in (NIGHTLY, MONTHLY))
    n_nights = given.visits_per_month
    wanted = cores or max(1, math.ceil(night_s / n_nights / given.night_hours / 3600), math.ceil(end_s / given.month_end_hours / 3600))
    stages = tuple(_stage(name, n, costs.stages[name], cpu_s[name], wanted) for name, n in units.items())
    hours = {stage.stage: stage.hours for stage in stages}
    total = {name: sum(getattr(stage, name) for stage in stages) for name in ("cpu_hours", "store_gb", "archive_gb", "network_gb")}
    kept = {
        name: sum(getattr(stage, name) * (given.months if _grows(stage.stage) else 1) for stage in stages)
        for name in ("store_gb", "archive_gb")
    }
    nightly_gb = sum(stage.network_gb for stage in stages if stage.stage in NIGHTLY) / n_nights
    mbit_s = nightly_gb * 8_000 / (given.night_hours * 3600)
    requests = sum(units[name] * costs.stages[name].n_requests for name in units if name in NIGHTLY) / n_nights
    waiting_hours = requests * given.latency_s / given.n_concurrent / 3600
    writing_hours = sum(units[name] * costs.stages[name].writing_cpu_s for name in units if name in NIGHTLY) / n_nights / 3600
    scores_writing_hours = sum(units[name] * costs.stages[name].writing_cpu_s for name in units if name in MONTHLY) / 3600
    limits = (
        Limit("one core for the nights", night_s / n_nights / 3600 / given.night_hours, "more cores: `extract --jobs 0`, `--cluster` on crawl and extract"),
        Limit("one core for the month's end", end_s / 3600 / given.month_end_hours, "`score --cluster`"),
        Limit("requests in flight of one crawling process", waiting_hours / given.night_hours, "`crawl --cluster … --parts N`: a process per part"),
        Limit("the one writer at night", writing_hours / given.night_hours, "several stores, each with a part of the accounts, one lake"),
        Limit("the one writer at the month's end", scores_writing_hours / given.month_end_hours, "several stores, each with a part of the accounts, one lake"),
        Limit("one disk", (kept["store_gb"] + kept["archive_gb"]) / given.disk_gb, "`storage.archive_url` on object storage, `[retention]`"),
        Limit("the line", mbit_s / given.line_mbit_s, "several machines on several lines, fewer visits a month"),
    )  # fmt: skip
    return Plan(
        n_accounts=n_accounts,
        pages_per_month=pages_per_month,
        premises=given,
        cores=wanted,
        crawl_processes=max(1, math.ceil(waiting_hours / given.night_hours)),
        stages=stages,
        night_hours=sum(hours.get(name, 0.0) for name in NIGHTLY) / n_nights,
        month_end_hours=sum(hours.get(name, 0.0) for name in MONTHLY),
        store_gb_in_the_end=kept["store_gb"],
        archive_gb_in_the_end=kept["archive_gb"],
        network_mbit_s=mbit_s,
        limits=tuple(sorted(limits, key=lambda limit: -limit.share)),
        **total,
    )


def _units(costs: UnitCosts, n_accounts: int, pages: int, given: Premises, first: bool) -> dict[str, int]:
    units = {"import": n_accounts, "ping": n_accounts, "feed": n_accounts} if first else {}
    return units | {
        "revisit": n_accounts * (given.visits_per_month - first),
        "page": pages,
        "document": pages,
        "learn": min(n_accounts, costs.learned_from),
        "score": n_accounts,
        "event": round(pages * costs.events_per_page * (1 if first else given.months)),
        "report": n_accounts,
    }


def _runs(stage: str, given: Premises) -> int:
    """How often a stage is started in a month."""
    return {"page": given.visits_per_month, "document": given.visits_per_month, "revisit": given.visits_per_month - 1}.get(stage, 1)


def _grows(stage: str) -> bool:
    """Whether what a stage stores comes anew every month."""
    return stage in ("revisit", "page", "document", "score")


def _stage(name: str, n: int, cost: UnitCost, cpu_s: float, cores: int) -> StagePlan:
    serial_s = n * cost.writing_cpu_s if cores > 1 else 0.0
    return StagePlan(
        name, cost.unit, n, cpu_s / 3600, (cpu_s / cores + serial_s) / 3600,
        n * cost.store_bytes / 1e9, n * cost.archive_bytes / 1e9, n * cost.network_bytes / 1e9,
    )  # fmt: skip


def as_dict(found: Plan) -> dict[str, Any]:
    """The plan as a program reads it."""
    return asdict(found)
