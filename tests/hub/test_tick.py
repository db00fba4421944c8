"""The timer's command makes what a schedule asks for, once a month, from its day on, also when it is killed in the middle."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.hub.conftest import PASSWORD, build_book

ROOT = Path(__file__).parents[2]
N_KILLS = 12 if os.environ.get("BELLWETHER_DRILL") == "long" else 2
TODAY = date.today()  # a file's own time is the clock's, so the month is this one
DUE = TODAY.replace(day=25)
SAVE = """
from bellwether.cli_hub import set_up
set_up(None, None)
from django.contrib.auth.models import User
from hub.models import SavedReport
SavedReport.objects.create(user=User.objects.get(username="sam"), name="every month", report="security", columns=["AccountName", "AzureCluster"],
    partner_global_id="P1", file_format="xlsx", day_of_month=25, created_at="")
"""


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A folder with a store and a hub in which somebody wants a report on the 25th of each month."""
    build_book(tmp_path / "bellwether.db")
    _run(tmp_path, "-m", "bellwether", "hub-user", "add", "sam", given=PASSWORD + "\n")
    _run(tmp_path, "-m", "bellwether", "hub-user", "grant", "sam", "--partner", "P1")
    _run(tmp_path, "-c", SAVE)
    return tmp_path


def _start(folder: Path, *command: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BELLWETHER_DB": str(folder / "bellwether.db")}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _run(folder: Path, *command: str, given: str = "") -> str:
    out, err = (job := _start(folder, *command)).communicate(given)
    assert job.returncode == 0, err
    return out


def _tick(day: date) -> tuple[str, ...]:
    return ("-m", "bellwether", "hub-tick", "--as-of", day.isoformat())


def test_a_report_of_the_25th_is_made_by_the_first_tick_from_that_day_on(hub: Path) -> None:
    said = [_run(hub, *_tick(DUE.replace(day=day))).strip() for day in (24, 25, 26)]
    assert said == ["", "every month: ready, 30 rows", ""]
    (file,) = (hub / "hub-files").iterdir()
    assert file.suffix == ".xlsx"
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_what_a_killed_tick_left_is_made_by_the_next_days(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    killed, moments = tmp_path_factory.mktemp("killed") / "hub", random.Random(25)
    shutil.copytree(hub, killed)
    began = time.monotonic()
    _run(hub, *_tick(DUE))
    took_s = time.monotonic() - began
    (expected,) = (hub / "hub-files").iterdir()
    for n in range(N_KILLS):
        job = _start(killed, *_tick(DUE if n == 0 else max(DUE, TODAY) + timedelta(n)))
        time.sleep(took_s * moments.uniform(0.5, 1.0))
        job.kill()
        job.communicate()
    _run(killed, *_tick(DUE))  # asks for the report if the first was killed before it could; the later days may lie in the next month
    _run(killed, *_tick(max(DUE, TODAY) + timedelta(N_KILLS)))
    (made,) = (killed / "hub-files").iterdir()
    assert made.read_bytes() == expected.read_bytes()
    with closing(sqlite3.connect(killed / "hub.db")) as connection:
        rows = connection.execute("SELECT state, n_rows, sha256 FROM hub_reportfile").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert rows == [("ready", 30, hashlib.sha256(made.read_bytes()).hexdigest())]
