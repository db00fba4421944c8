"""`evaluate fit`: honest on any table, before anything is imported."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.columns import Columns
from scoring.outcome_table import OutcomeTable, load_outcome_table
from scoring.table_evaluation import evaluate_table
from storage.errors import InputError

ROOT = Path(__file__).parents[2]


def _table(seed: int, n_rows: int = 900, gain: float = 0.0, leak: str = "", in_time: bool = True) -> OutcomeTable:
    dice = np.random.default_rng(seed)
    numbers = {f"x{i}": dice.normal(size=n_rows) for i in range(6)}
    labels = dice.random(n_rows) < 1 / (1 + np.exp(1.7 - gain * numbers["x1"]))
    numbers["x0"][dice.random(n_rows) < 0.1] = np.nan
    categories = {"region": dice.choice(list("abcdef"), n_rows).astype(object)}
    if leak == "filled in after":
        numbers["contract_value"] = np.where(labels ^ (dice.random(n_rows) < 0.02), dice.normal(50, 9, n_rows), np.nan)
    if leak == "number after":
        numbers["contract_value"] = np.where(labels, 3.0, 0.0) + dice.normal(0, 1, n_rows)
    if leak == "level after":
        categories["contract_value"] = np.where(
            labels, dice.choice(["signed", "paid"], n_rows), dice.choice(["none", "paid"], n_rows)
        ).astype(object)
    return OutcomeTable(Columns(numbers, categories), labels, np.arange(n_rows) if in_time else None, None, (), 0)


@pytest.mark.parametrize("in_time", [True, False])
def test_an_outcome_without_connection_is_not_ready(in_time: bool) -> None:
    verdicts = [evaluate_table(_table(seed, 400, in_time=in_time), seed).verdict.verdict for seed in range(20)]
    assert verdicts.count("not_ready") >= 19


def test_a_real_connection_is_found() -> None:
    evaluation = evaluate_table(_table(1, 3000, gain=1.2), 1)
    assert evaluation.verdict.verdict in ("ready", "ok")
    assert evaluation.figures["auc"].low > 0.65
    assert not evaluation.leaks


@pytest.mark.parametrize("leak", ["filled in after", "number after", "level after"])
def test_a_column_written_after_the_outcome_is_named(leak: str) -> None:
    evaluation = evaluate_table(_table(3, 1500, gain=0.8, leak=leak), 1)
    assert [x.column for x in evaluation.leaks] == ["contract_value"]
    assert evaluation.verdict.verdict == "not_ready"


def test_the_same_table_gives_the_same_figures_however_its_columns_stand() -> None:
    table = _table(5, gain=1.0)
    turned = OutcomeTable(
        Columns(dict(reversed(table.columns.numbers.items())), table.columns.categories), table.labels, table.times, None, (), 0
    )
    first, again, other = (evaluate_table(t, 1).as_object() for t in (table, table, turned))
    assert first == again
    assert abs(first["auc"] - other["auc"]) < 1e-6


@pytest.mark.parametrize("in_time", [True, False])
def test_a_table_with_hardly_any_outcome_is_not_ready(in_time: bool) -> None:
    table = _table(1, 120, in_time=in_time)
    few = OutcomeTable(table.columns, np.arange(120) % 40 == 0, table.times, None, (), 0)
    found = evaluate_table(few, 1).as_object()
    assert (found["verdict"], found["auc"], found["n_tested"]) == ("not_ready", None, 0)


def test_without_time_the_best_verdict_is_ok() -> None:
    evaluation = evaluate_table(_table(1, 3000, gain=1.2, in_time=False), 1)
    assert evaluation.verdict.verdict == "ok"
    assert "not tested in time" in evaluation.verdict.reasons[-1]


def test_folds_that_flatter_are_told_by_the_order_of_the_file() -> None:
    """Whether a region buys changes from one tenth of the file to the next: folds learn it from neighbours, the future does not show it."""
    dice = np.random.default_rng(2)
    n_rows = 3000
    region, period = dice.integers(6, size=n_rows), np.arange(n_rows) // 300
    taste = dice.normal(0, 2.0, (10, 6))[period, region]
    labels = dice.random(n_rows) < 1 / (1 + np.exp(1.0 - taste))
    numbers = {"index": period + dice.normal(0, 0.2, n_rows), **{f"in{r}": (region == r) * (period + 1.0) for r in range(6)}}
    evaluation = evaluate_table(OutcomeTable(Columns(numbers, {}), labels, None, None, (), 0), 1)
    assert evaluation.auc_in_file_order is not None
    assert evaluation.auc_in_file_order.value < evaluation.figures["auc"].value - 0.05
    assert evaluation.verdict.verdict == "not_ready"
    assert "when the file's order is taken for time" in evaluation.verdict.reasons[0]


def test_probabilities_wrong_in_every_window_are_not_right_on_average() -> None:
    """The base rate swings: too high in one window, too low in the next."""
    table = _table(4, 3000, gain=1.5)
    swing = np.random.default_rng(1).random(3000) < np.where(np.arange(3000) // 300 % 2, 0.6, 0.0)
    found = evaluate_table(OutcomeTable(table.columns, table.labels | swing, table.times, None, (), 0), 1)
    assert found.calibration_error > 0.15
    assert found.verdict.verdict == "not_ready"


@pytest.mark.parametrize(("separator", "packed"), [(",", False), (";", True), ("\t", False)])
def test_tables_are_read_whatever_separates_and_packs_them(tmp_path: Path, separator: str, packed: bool) -> None:
    path = tmp_path / ("table.csv.gz" if packed else "table.csv")
    lines = [separator.join(["size", "sector", "won", "closed on", "name"])]
    lines += [
        separator.join([str(i), "ab"[i % 2], "yes" if i % 3 else "no", f"2026-01-{i % 28 + 1:02d}", f"company {i}"]) for i in range(90)
    ]
    text = "\n".join([*lines, "a row too short"]).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    table = load_outcome_table(path, "won", time="closed on")
    assert (set(table.columns.numbers), set(table.columns.categories)) == ({"size"}, {"sector"})
    assert table.ignored == ("name",)
    assert (table.n_skipped, int(table.labels.sum())) == (1, 60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "bought"}, "has no column 'bought'; it has a, won, t"),
        ({"target": "won", "time": "t"}, "t = 'may' is neither a number nor a date"),
        ({"target": "won", "drop": ["b"]}, "has no column 'b'"),
        ({"target": "a"}, "a must be yes/no"),
    ],
)
def test_what_the_table_lacks_is_said_by_name(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["a", "won", "t"], *([i, "01"[i % 2], "may"] for i in range(60))])
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        load_outcome_table(path, **arguments)  # type: ignore[arg-type]


@pytest.mark.real
def test_bank_marketing_in_time_is_not_flattered(real_data: Path) -> None:
    """Moro, Cortez, Rita (2014) publish 0.80 on a random split; by time the last tenth gives 0.58-0.65."""
    found = _evaluate_bank_marketing(real_data, "--time", "@order")
    assert 0.56 < found["auc"] < 0.65
    assert found["calibration_error"] <= 0.05 or found["verdict"] == "not_ready"
    assert 0.58 < found["windows"][-1]["auc"] < 0.68


@pytest.mark.real
def test_bank_marketing_in_folds_is_no_headline(real_data: Path) -> None:
    found = _evaluate_bank_marketing(real_data)
    assert found["auc"] > 0.75
    assert found["verdict"] == "not_ready"
    assert found["auc_in_file_order"] < 0.65


def _evaluate_bank_marketing(real_data: Path, *options: str) -> dict[str, Any]:
    path = real_data / "tabular" / "bank-additional-full.csv.gz"
    done = subprocess.run(
        [sys.executable, "-m", "bellwether", "evaluate", "fit", str(path), "--target", "y", "--drop", "duration", "--json", *options],
        capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found
