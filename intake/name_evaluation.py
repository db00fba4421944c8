"""How good is the matching of company names? Precision, recall and F1 on labelled pairs, beside difflib."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intake.names import MATCH, name_similarity
from storage.errors import InputError

N_BOOTSTRAP = 1000
YES = ("true", "1", "yes")


@dataclass(frozen=True, slots=True)
class NameScore:
    """One system on all pairs, with the 95 % interval of its F1."""

    name: str
    precision: float
    recall: float
    f1: float
    f1_low: float
    f1_high: float


@dataclass(frozen=True, slots=True)
class NameEvaluation:
    """The engine first, then difflib at the engine's threshold, on names in lower case."""

    n_pairs: int
    n_matches: int
    systems: list[NameScore]

    def as_object(self) -> dict[str, Any]:
        """The engine's figures on top, the baseline beneath."""
        engine, *others = [asdict(system) for system in self.systems]
        engine.pop("name")
        return engine | {"n_pairs": self.n_pairs, "n_matches": self.n_matches, "baselines": {other["name"]: other for other in others}}


def evaluate_names(path: Path, seed: int) -> NameEvaluation:
    """Figures on a CSV file with the columns ``name1``, ``name2`` and ``is_match``.

    Raises:
        InputError: the file cannot be read, lacks a column, or holds no pair.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not rows or not {"name1", "name2", "is_match"} <= set(rows[0]):
        raise InputError(f"{path} must have the columns name1, name2 and is_match and at least one row")
    truth = np.array([row["is_match"].strip().lower() in YES for row in rows])
    picks = np.random.default_rng(seed).integers(0, len(rows), (N_BOOTSTRAP, len(rows)))
    ours = np.array([name_similarity(row["name1"], row["name2"]) >= MATCH for row in rows])
    plain = np.array([SequenceMatcher(None, row["name1"].lower(), row["name2"].lower()).ratio() >= MATCH for row in rows])
    return NameEvaluation(len(rows), int(truth.sum()), [_score("bellwether", ours, truth, picks), _score("difflib", plain, truth, picks)])


def _score(name: str, found: NDArray[np.bool_], truth: NDArray[np.bool_], picks: NDArray[np.int64]) -> NameScore:
    low, high = np.percentile([_figures(found[pick], truth[pick])[2] for pick in picks], [2.5, 97.5])
    return NameScore(name, *_figures(found, truth), float(low), float(high))


def _figures(found: Sequence[bool] | NDArray[np.bool_], truth: Sequence[bool] | NDArray[np.bool_]) -> tuple[float, float, float]:
    right = int((np.asarray(found) & np.asarray(truth)).sum())
    n_found, n_true = int(np.sum(found)), int(np.sum(truth))
    return (
        right / n_found if n_found else 0.0,
        right / n_true if n_true else 0.0,
        2 * right / (n_found + n_true) if n_found + n_true else 0.0,
    )
