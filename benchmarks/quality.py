"""Measures quality on the real corpora and holds it against ``floors.json``: ``python -m benchmarks.quality`` (``make eval``).

The folder of the corpora is named by ``BELLWETHER_DATA``. A figure below its floor ends the run with exit status 1; raise a floor when a
figure has risen for good, and never lower one without saying why in the changelog.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from signals.real_texts import write_texts

FLOORS = Path(__file__).with_name("floors.json")


def iter_figures(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What ``bellwether evaluate`` says of each corpus: (name in floors.json, its JSON object)."""
    events = evaluate("events", data / "gold" / "events_dev.jsonl")
    # Of texts that a model was trained on, or its threshold chosen on, only what was said without the texts of the same account or site is a measure.
    yield "events", events["cross_fitted"] if events["n_trained_on"] or events["n_calibrated_on"] else events
    if corpora := labelled_corpora(data):
        with tempfile.TemporaryDirectory() as folder:
            yield "events_kept_apart", evaluate("events", write_texts(corpora, Path(folder))[1])
    extraction = evaluate("extraction", data / "real-web" / "pages.warc.gz", data / "real-web" / "gold.jsonl.gz")
    yield "extraction", extraction["cross_fitted"] if extraction["n_trained_on"] else extraction


def labelled_corpora(data: Path) -> list[Path]:
    """The corpora whose texts ``signals/real_labels.jsonl`` labels, as far as they are there."""
    return [path for path in (data / "press" / "press_releases.jsonl.gz", data / "real-web" / "gold.jsonl.gz") if path.is_file()]


def evaluate(*arguments: str | Path) -> dict[str, Any]:
    """``bellwether evaluate ARGUMENTS --json``."""
    command = [sys.executable, "-m", "bellwether", "evaluate", *map(str, arguments), "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def figure_at(figures: dict[str, Any], path: str) -> float:
    """The figure under a dotted path.

    >>> figure_at({"by_page_type": {"forum": {"word_f1": 0.7}}}, "by_page_type.forum.word_f1")
    0.7
    """
    value: Any = figures
    for name in path.split("."):
        value = value[name]
    return float(value)


def main() -> None:
    """The command line."""
    data = Path(os.environ.get("BELLWETHER_DATA", ""))
    if not (data / "gold").is_dir():
        raise SystemExit("BELLWETHER_DATA names no folder with the corpora (gold/, real-web/); quality is measured on real texts only")
    floors: dict[str, dict[str, float]] = json.loads(FLOORS.read_text(encoding="utf-8"))
    n_below = 0
    for name, figures in iter_figures(data):
        for path, floor in floors[name].items():
            found = figure_at(figures, path)
            n_below += found < floor
            print(f"{name:10} {path:40} {found:.3f}  floor {floor:.3f}  {'below' if found < floor else 'ok'}", flush=True)
    raise SystemExit(1 if n_below else 0)


if __name__ == "__main__":
    main()
