"""The figures of ``evaluate events`` on texts whose outcome is plain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUND = {
    "account": "Padaria Ribeira",
    "domain": "ribeira.test",
    "published": "2026-03-02",
    "title": "Padaria Ribeira raises 4 million euros",
    "text": "Padaria Ribeira has raised 4 million euros in a Series A funding round led by Douro Capital.",
}


def test_false_events_are_counted_by_origin_and_outside_the_commonest_type_and_drawn(tmp_path: Path) -> None:
    rows = [
        ROUND | {"id": "right/1", "labels": ["funding_round"], "doubt": ["revenue_growth", "facility_expansion"]},
        ROUND | {"id": "wrong/1", "labels": ["product_launch"], "doubt": ["revenue_growth", "facility_expansion"]},
        ROUND | {"id": "wrong/2", "labels": [], "doubt": ["funding_round", "revenue_growth", "facility_expansion"]},
    ]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bellwether", "evaluate", "events", "gold.jsonl", "--plot", "curve.svg", "--json"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert {name: part["n_false"] for name, part in found["by_origin"].items()} == {"right": 0, "wrong": 1}
    assert found["by_origin"]["wrong"]["false_per_text"] == 0.5
    assert found["recall"] == 0.5
    assert (found["outside_product_launch"]["recall"], found["outside_product_launch"]["precision"]) == (1.0, 0.5)
    assert 0 <= found["calibration_error"] <= 1
    assert "<svg" in (tmp_path / "curve.svg").read_text(encoding="utf-8")
