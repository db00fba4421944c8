"""A forgotten company does not live on in report files that the hub made before."""

from __future__ import annotations

from pathlib import Path

from bellwether.jobs import hub_files, run_forget
from storage.store import create_store


def test_forgetting_removes_the_hubs_report_files(tmp_path: Path) -> None:
    db = tmp_path / "bellwether.db"
    create_store(db)
    hub_files(db).mkdir()
    (hub_files(db) / "1.csv").write_text("AccountName\nNorthwind\n", encoding="utf-8")
    assert run_forget(db, "northwind.example")["n_hub_files"] == 1
    assert list(hub_files(db).iterdir()) == []
    assert run_forget(db, "northwind.example")["n_hub_files"] == 0
