"""One run of the whole road on the sample world, shared by the tests of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.demo import served_world, write_config
from storage.store import Store, open_reader

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SampleRun:
    """The folder that ``make demo`` leaves behind, and what it said on the terminal."""

    folder: Path
    terminal: str = ""

    @property
    def db(self) -> Path:
        """Its store."""
        return self.folder / "bellwether.db"

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ``bellwether ARGUMENTS`` in the folder."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "bellwether", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def crawl_again(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same crawl against the same world, which now listens on other ports."""
        with served_world(self.folder) as ports:
            write_config(self.folder, ports)
            return self.command("crawl", *arguments)


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> SampleRun:
    folder = tmp_path_factory.mktemp("sample") / "demo"
    done = subprocess.run([sys.executable, "-m", "examples.demo", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return SampleRun(folder, done.stdout)


@pytest.fixture
def sample_store(sample_run: SampleRun) -> Iterator[Store]:
    with open_reader(sample_run.db) as store:
        yield store


@pytest.fixture(scope="session")
def truth() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROOT / "examples" / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
