"""The plan is arithmetic on measured unit costs, and the documentation shows what the command says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bellwether.plan import Premises, load_costs, plan
from benchmarks.simulated_month import run_month
from benchmarks.unit_costs import DOCS, docs_tables
from storage.errors import ConfigError


def test_the_tables_of_the_documentation_are_those_of_the_shipped_costs() -> None:
    assert docs_tables(load_costs()) in DOCS.read_text(encoding="utf-8"), "run `python -m benchmarks.unit_costs --docs`"


def test_the_command_says_what_the_arithmetic_says() -> None:
    command = [sys.executable, "-m", "bellwether", "plan", "--accounts", "1000000", "--pages-per-month", "5000000"]
    said = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    expected = plan(load_costs(), 1_000_000, 5_000_000)
    assert (said["cores"], said["cpu_hours"], said["limits"][0]["name"]) == (expected.cores, expected.cpu_hours, expected.limits[0].name)
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert expected.limits[0].remedy in shown


def test_twice_the_accounts_and_pages_take_twice_the_work_disk_and_line() -> None:
    one, two = plan(load_costs(), 1_000_000, 5_000_000), plan(load_costs(), 2_000_000, 10_000_000)
    for name in ("cpu_hours", "store_gb", "archive_gb", "network_gb", "network_mbit_s"):
        assert getattr(two, name) == pytest.approx(2 * getattr(one, name), rel=0.05), name


def test_the_cores_it_asks_for_bring_the_work_into_its_hours_but_for_the_writers_part() -> None:
    costs = load_costs()
    costs = replace(costs, stages={name: replace(cost, writing_cpu_s=0.0) for name, cost in costs.stages.items()})
    for n_accounts in (1_000, 100_000, 10_000_000):
        found = plan(costs, n_accounts, 5 * n_accounts)
        assert found.night_hours <= found.premises.night_hours
        assert found.month_end_hours <= found.premises.month_end_hours
        if found.cores > 1:
            fewer = plan(costs, n_accounts, 5 * n_accounts, cores=found.cores - 1)
            assert fewer.night_hours > fewer.premises.night_hours or fewer.month_end_hours > fewer.premises.month_end_hours


def test_a_limit_is_told_by_the_share_that_is_used_of_it() -> None:
    slow, quick = (plan(load_costs(), 100_000, 500_000, Premises(latency_s=latency_s)) for latency_s in (2.0, 0.2))
    shares = [{limit.name: limit.share for limit in found.limits}["requests in flight of one crawling process"] for found in (slow, quick)]
    assert shares[0] == pytest.approx(10 * shares[1])
    assert list(slow.limits) == sorted(slow.limits, key=lambda limit: -limit.share)


def test_costs_that_cannot_be_read_name_the_command_that_measures_them(tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"benchmarks\.unit_costs"):
        load_costs(tmp_path / "costs.json")


def test_a_small_month_runs_through_every_stage_that_the_plan_knows(tmp_path: Path) -> None:
    spent = run_month(tmp_path, 4, 2, n_jobs=1, with_revisit=True)
    assert set(spent) | {"event"} == set(load_costs().stages)
    assert all(each.cpu_s > 0 for each in spent.values())
    assert spent["page"].network_bytes > 8 * 1000
    assert spent["page"].archive_bytes > 0
