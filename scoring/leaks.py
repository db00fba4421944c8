"""Columns that tell the outcome too well to have been known before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.columns import Columns, Flags, Floats, Texts, Whole
from scoring.metrics import auc

ALONE = 0.90  # a column that ranks outcomes this well all by itself
FAR_ABOVE = 0.80  # or this well, when the next best column is at least GAP below
GAP = 0.06
N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class SuspectedLeak:
    """A column and how well it ranks the outcome alone; ``next_best_auc`` is what the best unsuspected column reaches."""

    column: str
    auc: float
    next_best_auc: float


def find_leaks(columns: Columns, labels: Flags, seed: int) -> list[SuspectedLeak]:
    """Suspected columns, worst first.

    A column is suspected when, alone, it ranks the outcome with an AUC of 0.90 or more, or of 0.80 or more while the next best column stays 0.06
    below; from each AUC twice its standard error is taken off first. That a value is there at all counts as a column of its own: a field that is only filled
    in for those who bought is a leak too.
    """
    found = {name: _best_auc(column, labels, seed) for name, column in columns.numbers.items()}
    found |= {name: _level_auc(column, labels, seed) for name, column in columns.categories.items()}
    by_auc = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    margin = 2 * standard_error(labels)
    suspected: list[str] = []
    for i, (name, value) in enumerate(by_auc):
        next_best = by_auc[i + 1][1] if i + 1 < len(by_auc) else 0.5
        sure = value - margin
        if sure >= ALONE:
            suspected.append(name)
        elif sure >= FAR_ABOVE and value - next_best >= GAP:
            suspected = [other for other, _ in by_auc[: i + 1]]
    best = max((value for name, value in found.items() if name not in suspected), default=0.5)
    return [SuspectedLeak(name, round(found[name], 4), round(best, 4)) for name in suspected]


def standard_error(labels: Flags) -> float:
    """Standard error of an AUC near 0.85 on so many outcomes.

    Source: Hanley, McNeil: The meaning and use of the area under a ROC curve (1982).
    """
    a, n_positive = 0.85, max(1, int(labels.sum()))
    n_negative = max(1, len(labels) - n_positive)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    return float(np.sqrt((a * (1 - a) + (n_positive - 1) * (q1 - a * a) + (n_negative - 1) * (q2 - a * a)) / (n_positive * n_negative)))


def _best_auc(column: Floats, labels: Flags, seed: int) -> float:
    """The better of: rank of the value, being known at all, and (where values repeat) the value as a level."""
    is_known = ~np.isnan(column)
    values = [_either_way(auc(labels, is_known.astype(float)))] if is_known.any() and not is_known.all() else []
    if is_known.any():
        middle = float(np.median(column[is_known]))
        values.append(_either_way(auc(labels, np.where(is_known, column, middle))))
    if 1 < len(np.unique(column[is_known])) <= 50:
        values.append(_level_auc(column.astype(str).astype(object), labels, seed))
    return max(values, default=0.5)


def _level_auc(column: Texts, labels: Flags, seed: int) -> float:
    """AUC of each level's rate of positives among the other folds, so that a level seen once says nothing of itself."""
    codes: Whole
    _, codes = np.unique(column.astype(str), return_inverse=True)
    folds = np.random.default_rng(seed).integers(N_FOLDS, size=len(labels))
    n_levels, prior = int(codes.max()) + 1 if len(codes) else 0, float(labels.mean())
    rates = np.empty(len(labels))
    for fold in range(N_FOLDS):
        others, own = folds != fold, folds == fold
        hits = np.bincount(codes[others], weights=labels[others].astype(float), minlength=n_levels)
        seen = np.bincount(codes[others], minlength=n_levels)
        rates[own] = ((hits + 2 * prior) / (seen + 2))[codes[own]]
    return max(0.5, auc(labels, rates))


def _either_way(value: float) -> float:
    return 0.5 if np.isnan(value) else max(value, 1 - value)
