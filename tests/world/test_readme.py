"""The terminal session in the README is what the demo says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.world.conftest import SampleRun

README = Path(__file__).parents[2] / "README.md"


def _shape(line: str) -> str:
    """A line with its numbers blotted out: the last digit of a score may differ between machines, its words may not."""
    return re.sub(r"[\d.,]+", "#", " ".join(line.split()))


def test_every_line_of_the_readme_session_is_said_by_the_demo(sample_run: SampleRun) -> None:
    session = README.read_text(encoding="utf-8").split("## What it looks like")[1].split("```")[1].strip().splitlines()
    said = {_shape(line) for line in sample_run.terminal.splitlines()}
    assert len(session) > 20
    missing = [line for line in session if line.strip() not in ("", "…") and not any(_matches(_shape(line), real) for real in said)]
    assert missing == []


def _matches(shown: str, real: str) -> bool:
    """Whether a line of the README, in which … leaves something out, is that line of the terminal."""
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("…")), real) is not None
