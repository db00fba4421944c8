"""The jobs behind the commands about models: evaluate fit, learn, models, validate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bellwether.config import load_config
from bellwether.progress import progress_bar

if TYPE_CHECKING:
    from scoring.table_evaluation import TableEvaluation


def run_evaluate_fit(file: Path, target: str, time: str, group: str, drop: Sequence[str], positive: str) -> TableEvaluation:
    """``bellwether evaluate fit``."""
    from scoring.outcome_table import load_outcome_table
    from scoring.table_evaluation import evaluate_table

    table = load_outcome_table(file, target, time or None, group or None, drop, positive or None)
    with progress_bar("evaluate fit") as bar:
        return evaluate_table(table, load_config().seed, bar)
