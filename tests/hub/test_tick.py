"""The timer's command makes what a schedule asks for, once a month, from its day on."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from tests.hub.conftest import PASSWORD, build_book

ROOT = Path(__file__).parents[2]
SAVE = """
from bellwether.cli_hub import set_up
set_up(None, None)
from django.contrib.auth.models import User
from hub.models import SavedReport
SavedReport.objects.create(user=User.objects.get(username="sam"), name="every month", report="security", columns=["AccountName", "AzureCluster"],
    partner_global_id="P1", file_format="xlsx", day_of_month=25, created_at="")
"""


def test_a_report_of_the_25th_is_made_by_the_first_tick_from_that_day_on(tmp_path: Path) -> None:
    build_book(tmp_path / "bellwether.db")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BELLWETHER_DB": str(tmp_path / "bellwether.db")}

    def run(*command: str, given: str = "") -> str:
        done = subprocess.run([sys.executable, *command], input=given, text=True, capture_output=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "bellwether", "hub-user", "add", "sam", given=PASSWORD + "\n")
    run("-m", "bellwether", "hub-user", "grant", "sam", "--partner", "P1")
    run("-c", SAVE)
    said = [
        run("-m", "bellwether", "hub-tick", "--as-of", date.today().replace(day=day).isoformat()).strip() for day in (24, 25, 26)
    ]  # the file's own time is the clock's, so the month is this one
    assert said == ["", "every month: ready, 30 rows", ""]
    (file,) = (tmp_path / "hub-files").iterdir()
    assert file.suffix == ".xlsx"
    assert oct(file.stat().st_mode)[-3:] == "600"
