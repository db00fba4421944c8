"""The fit model measured on any table, in time where the table has one: would it be worth importing?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scoring.additive import train_additive
from scoring.columns import Columns, Flags, Floats, Whole
from scoring.leaks import SuspectedLeak, find_leaks
from scoring.logistic import one_thread, shift_to_rate, sigmoid
from scoring.metrics import Interval, Predictions, auc, calibration_error, calibration_noise, reliability, with_intervals
from scoring.outcome_table import FILE_ORDER, OutcomeTable
from scoring.verdict import NOT_READY, Verdict, judge

N_BLOCKS = 10
FIRST_TESTED_BLOCK = 4  # the first four tenths are only learned from
N_FOLDS, N_REPEATS = 5, 3
LATE_SHARE = 0.2  # of the rows learned from: they choose the penalty and set the level
HALF_LIFE_SHARE = 0.3  # a row counts half as much as one that is later by this share of the rows
MAX_TRAINING_ROWS = 60_000
MIN_TO_LEARN = 10  # of either outcome
FLATTERED = 0.03  # auc by which folds may stand above the file's order

# Learns from rows of a table (in order of time, if the last argument says so) and returns score and probability of others.
Learner = Callable[[Columns, Flags, Columns, int, bool], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """One test window: how many rows were learned from, how many tested, and how well they were ranked."""

    window: int
    n_learned: int
    n_tested: int
    base_rate: float
    auc: float
    calibration_error: float


@dataclass(frozen=True)
class TableEvaluation:
    """All figures are out of sample. ``design`` says how: ``rolling windows in time`` or ``repeated stratified folds``.

    ``calibration_error`` is the mean over the windows.
    """

    design: str
    n_rows: int
    n_columns: int
    n_tested: int
    figures: dict[str, Interval]
    calibration_error: float
    verdict: Verdict
    leaks: list[SuspectedLeak]
    windows: list[WindowFigures]
    ignored: tuple[str, ...]
    n_skipped: int
    auc_in_file_order: Interval | None  # without a column of time: what the same model reaches when the file's order is taken for time

    def as_object(self) -> dict[str, Any]:
        """One flat object for programs; ``…_low`` and ``…_high`` are the ends of 95 % bootstrap intervals."""
        flat: dict[str, Any] = {}
        for name, interval in self.figures.items():
            flat |= {name: _plain(interval.value), f"{name}_low": _plain(interval.low), f"{name}_high": _plain(interval.high)}
        return flat | {
            "calibration_error": _plain(self.calibration_error),
            "auc_in_file_order": _plain(self.auc_in_file_order.value) if self.auc_in_file_order else None,
            "verdict": self.verdict.verdict,
            "verdict_reasons": list(self.verdict.reasons),
            "suspected_leaks": [leak.column for leak in self.leaks],
            "leak_details": [{"column": x.column, "auc": x.auc, "next_best_auc": x.next_best_auc} for x in self.leaks],
            "design": self.design,
            "n_rows": self.n_rows,
            "n_columns": self.n_columns,
            "n_tested": self.n_tested,
            "n_skipped": self.n_skipped,
            "ignored_columns": list(self.ignored),
            "windows": [
                {
                    "window": w.window, "n_learned": w.n_learned, "n_tested": w.n_tested, "base_rate": _plain(w.base_rate),
                    "auc": _plain(w.auc), "calibration_error": _plain(w.calibration_error),
                }
                for w in self.windows
            ],
        }  # fmt: skip


def evaluate_table(table: OutcomeTable, seed: int, on_progress: Callable[[int, int], None] = lambda done, total: None) -> TableEvaluation:
    """The figures, the verdict and the suspected leaks."""
    with one_thread():
        leaks = find_leaks(table.columns, table.labels, seed)
        predictions, n_learned = predict_out_of_sample(table, learn_and_score, seed, on_progress)
    figures = with_intervals(predictions, seed)
    is_in_time = table.times is not None
    error, noise = _calibration(predictions, is_in_time)
    n_positive = int(predictions.labels.sum())
    in_file_order = None if is_in_time else _auc_in_file_order(table, seed)
    verdict = judge(
        n_positive,
        len(predictions.labels) - n_positive,
        figures["auc"].low,
        error,
        noise,
        is_in_time,
        tuple(leak.column for leak in leaks),
    )
    if in_file_order is not None and in_file_order.high < figures["auc"].low - FLATTERED:
        verdict = Verdict(
            NOT_READY,
            (
                f"when the file's order is taken for time, the auc is {in_file_order.value:.3f} [{in_file_order.low:.3f} to {in_file_order.high:.3f}] "
                f"instead of {figures['auc'].value:.3f}: folds flatter it; name what orders the rows with --time COL, or --time {FILE_ORDER}",
                *verdict.reasons,
            ),
        )
    return TableEvaluation(
        "rolling windows in time" if is_in_time else "repeated stratified folds",
        len(table.labels),
        len(table.columns.numbers) + len(table.columns.categories),
        len(predictions.labels),
        figures,
        error,
        verdict,
        leaks,
        _window_figures(predictions, n_learned) if is_in_time else [],
        table.ignored,
        table.n_skipped,
        in_file_order,
    )


def _auc_in_file_order(table: OutcomeTable, seed: int) -> Interval:
    """Tables of deals or calls are mostly written in the order in which things happened: then folds learn from what came after."""
    with one_thread():
        predictions, _ = predict_out_of_sample(replace(table, times=np.arange(len(table.labels))), learn_and_score, seed)
    return with_intervals(predictions, seed, ("auc",))["auc"]


def _calibration(predictions: Predictions, is_in_time: bool) -> tuple[float, float]:
    """Calibration error and what chance alone would show; in time, of each window by itself: a model that says too much now and too little then is off."""
    parts = [predictions.rows(predictions.windows == window) for window in np.unique(predictions.windows)] if is_in_time else [predictions]
    found = [reliability(part.labels, part.chances) for part in parts]
    sizes = [len(part.labels) for part in parts]
    if not any(sizes):
        return 0.0, 0.0
    error, noise = (float(np.average([figure(bins) for bins in found], weights=sizes)) for figure in (calibration_error, calibration_noise))
    return error, noise


def predict_out_of_sample(
    table: OutcomeTable, learner: Learner, seed: int, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Predictions, dict[int, int]]:
    """Predictions of rows by models that never saw them (nor, with groups, any row of their group), and rows learned from per window."""
    splits = list(_rolling(table) if table.times is not None else _folds(table, seed))
    groups = table.groups if table.groups is not None else np.arange(len(table.labels))
    parts: list[Predictions] = []
    n_learned: dict[int, int] = {}
    for done, (window, past, later) in enumerate(splits):
        on_progress(done, len(splits))
        n_positive = int(table.labels[past].sum())
        if min(n_positive, len(past) - n_positive) < MIN_TO_LEARN:
            continue
        scores, chances = learner(table.columns.rows(past), table.labels[past], table.columns.rows(later), seed, table.times is not None)
        n_learned[window] = len(past)
        parts.append(Predictions(table.labels[later], scores, chances, np.full(len(later), window), groups[later]))
    on_progress(len(splits), len(splits))
    return Predictions.joined(parts), n_learned


def learn_and_score(past: Columns, labels: Flags, later: Columns, seed: int, is_in_time: bool) -> tuple[Floats, Floats]:
    """Log-odds and probabilities of later rows.

    In time, rows count the more the later they are, and the latest fifth sets the level of the probabilities: base rates drift faster than what
    distinguishes buyers. (Fitting a slope there as well made probabilities worse on drifting data: benchmarks/README.md.)
    """
    kept = _sample(len(labels), seed)
    past, labels = past.rows(kept), labels[kept]
    n_rows = len(labels)
    is_late = np.arange(n_rows) >= (1 - LATE_SHARE) * n_rows
    weights = 2 ** (-(n_rows - 1 - np.arange(n_rows)) / (HALF_LIFE_SHARE * n_rows)) if is_in_time else np.ones(n_rows)
    model = train_additive(past, labels, weights, is_late)
    scores = model.log_odds(later) + model.intercept
    if not is_in_time:
        return scores, sigmoid(scores)
    level = shift_to_rate(model.log_odds(past.rows(is_late)) + model.intercept, labels[is_late].astype(float))
    return scores, sigmoid(scores + level)


def _sample(n_rows: int, seed: int) -> Whole:
    if n_rows <= MAX_TRAINING_ROWS:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, MAX_TRAINING_ROWS, replace=False))


def _rolling(table: OutcomeTable) -> Iterator[tuple[int, Whole, Whole]]:
    """Tenths of the rows by time; each from the fifth on is predicted from all before it. Rows of one time stay together."""
    assert table.times is not None
    order = np.argsort(table.times, kind="stable")
    ordered = table.times[order]
    edges = [0]
    for block in range(1, N_BLOCKS):
        at = block * len(order) // N_BLOCKS
        edges.append(max(edges[-1], int(np.searchsorted(ordered, ordered[at], side="left"))))
    edges.append(len(order))
    for block in range(FIRST_TESTED_BLOCK, N_BLOCKS):
        past, later = order[: edges[block]], order[edges[block] : edges[block + 1]]
        if table.groups is not None:
            past = past[~np.isin(table.groups[past], table.groups[later])]
        if len(past) and len(later):
            yield block, past, later


def _folds(table: OutcomeTable, seed: int) -> Iterator[tuple[int, Whole, Whole]]:
    """Three times five folds with equal shares of positives; with groups, each group lies in one fold."""
    dice = np.random.default_rng(seed)
    for repeat in range(N_REPEATS):
        folds = _group_folds(table, dice) if table.groups is not None else _row_folds(table.labels, dice)
        for fold in range(N_FOLDS):
            others = np.flatnonzero(folds != fold)
            yield repeat * N_FOLDS + fold, dice.permutation(others), np.flatnonzero(folds == fold)


def _row_folds(labels: Flags, dice: np.random.Generator) -> Whole:
    folds = np.empty(len(labels), dtype=np.int64)
    for value in (True, False):
        rows = dice.permutation(np.flatnonzero(labels == value))
        folds[rows] = np.arange(len(rows)) % N_FOLDS
    return folds


def _group_folds(table: OutcomeTable, dice: np.random.Generator) -> Whole:
    """Groups dealt out from the one with most positives down, each to the fold that has fewest."""
    assert table.groups is not None
    n_groups = int(table.groups.max()) + 1
    positives = np.bincount(table.groups, weights=table.labels.astype(float), minlength=n_groups)
    sizes = np.bincount(table.groups, minlength=n_groups)
    of_group = np.empty(n_groups, dtype=np.int64)
    loads = np.zeros((N_FOLDS, 2))
    for group in sorted(dice.permutation(n_groups).tolist(), key=lambda g: -positives[g]):
        fold = int(np.lexsort((loads[:, 1], loads[:, 0]))[0])
        of_group[group] = fold
        loads[fold] += (positives[group], sizes[group])
    folds: Whole = of_group[table.groups]
    return folds


def _window_figures(predictions: Predictions, n_learned: dict[int, int]) -> list[WindowFigures]:
    found = []
    for window in np.unique(predictions.windows):
        rows = predictions.rows(predictions.windows == window)
        error = calibration_error(reliability(rows.labels, rows.chances))
        found.append(
            WindowFigures(
                int(window), n_learned[int(window)], len(rows.labels), float(rows.labels.mean()), auc(rows.labels, rows.scores), error
            )
        )
    return found


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
