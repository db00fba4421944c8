"""The systemd units are what systemd takes, and ask for commands that there are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from bellwether.cli import app

DEPLOY = Path(__file__).parents[2] / "deploy"
PROGRAM = "/opt/bellwether/.venv/bin/bellwether"
ANALYZE = shutil.which("systemd-analyze")
UNITS = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in (".service", ".timer"))


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze on this machine (Debian: apt-get install systemd)")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8").replace(PROGRAM, str(shutil.which("true")))
        (tmp_path / name).write_text(re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run([str(ANALYZE), "verify", *(str(tmp_path / name) for name in UNITS)], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "bellwether" in line]
    assert (done.returncode, ours) == (0, [])


def test_every_command_of_a_unit_is_one_of_ours() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    lines = re.findall(r"^ExecStart\w*=(.*)$", "\n".join((DEPLOY / name).read_text(encoding="utf-8") for name in UNITS), re.MULTILINE)
    asked = [part.split("&&")[0].rstrip("\"' ") for line in lines for part in line.split(PROGRAM)[1:]]
    assert len(asked) >= 5
    for text in asked:
        name, *options = shlex.split(text)
        assert name.strip("\"'") in commands, text
        known = {option for parameter in commands[name.strip("\"'")].params for option in parameter.opts}
        assert {option.split("=")[0] for option in options if option.startswith("--")} <= known, text


@pytest.mark.parametrize(("timer", "when"), [("bellwether-monthly.timer", "-24 "), ("bellwether-tick.timer", "*-*-* ")])
def test_scores_are_made_before_the_25th_and_reports_looked_for_every_day(timer: str, when: str) -> None:
    assert when in re.findall(r"^OnCalendar=(.*)$", (DEPLOY / timer).read_text(encoding="utf-8"), re.MULTILINE)[0]
