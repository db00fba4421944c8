"""How good scores are: ranking, probability, and the width of what we know about both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.columns import Flags, Floats, Whole

N_RESAMPLES = 200
N_BINS = 10
MIN_BIN_ROWS = 50


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def auc(labels: Flags, scores: Floats) -> float:
    """The chance that a positive scores above a negative, ties counting half; NaN without either.

    >>> auc(np.array([False, True, True]), np.array([0.1, 0.4, 0.1]))
    0.75
    """
    n_positive = int(labels.sum())
    n_negative = len(labels) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    _, start, counts = np.unique(ordered, return_index=True, return_counts=True)
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(start + (counts + 1) / 2, counts)
    return float((ranks[labels].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def average_precision(labels: Flags, scores: Floats) -> float:
    """Mean precision at the positives, tied scores taken together; NaN without positives.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])).__round__(3)
    0.833
    """
    if not labels.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = hits[last_of_tie]
    gained = np.diff(np.concatenate([[0], found]))
    return float((gained * found / (last_of_tie + 1)).sum() / labels.sum())


def lift_at(labels: Flags, scores: Floats, share: float = 0.1) -> float:
    """Rate of positives among the highest-scored share, over the rate among all; rows tied at the edge count in part.

    >>> lift_at(np.array([True] + [False] * 9), np.linspace(1, 0, 10))
    10.0
    """
    if not labels.any():
        return float("nan")
    return float(_hits_in_top(labels, scores, share) / (share * labels.sum()))


def _hits_in_top(labels: Flags, scores: Floats, share: float) -> float:
    n_top = share * len(labels)
    order = np.argsort(-scores, kind="stable")
    edge = scores[order[min(len(order) - 1, max(0, int(np.ceil(n_top)) - 1))]]
    above, at_edge = scores > edge, scores == edge
    left = n_top - above.sum()
    return float(labels[above].sum() + labels[at_edge].sum() * left / at_edge.sum())


def brier(labels: Flags, chances: Floats) -> float:
    """Mean squared distance of probabilities from what happened."""
    return float(((chances - labels) ** 2).mean())


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows of like probability: what was said and what happened."""

    n_rows: int
    mean_chance: float
    rate: float


def reliability(labels: Flags, chances: Floats) -> list[ReliabilityBin]:
    """Up to ten bins of equal numbers of rows, at least 50 rows each, from low to high probability."""
    n_bins = max(1, min(N_BINS, len(labels) // MIN_BIN_ROWS))
    order = np.argsort(chances, kind="stable")
    return [ReliabilityBin(len(rows), float(chances[rows].mean()), float(labels[rows].mean())) for rows in np.array_split(order, n_bins)]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Mean distance between said and happened over the bins, weighted by rows (expected calibration error)."""
    total = sum(row.n_rows for row in bins)
    return sum(row.n_rows * abs(row.mean_chance - row.rate) for row in bins) / max(1, total)


def calibration_noise(bins: Sequence[ReliabilityBin]) -> float:
    """What ``calibration_error`` would be on average if every probability were right: mean |N(0, σ)| of each bin."""
    total = sum(row.n_rows for row in bins)
    spread = [row.n_rows * np.sqrt(2 / np.pi * max(row.mean_chance * (1 - row.mean_chance), 1e-9) / row.n_rows) for row in bins]
    return float(sum(spread) / max(1, total))


def wilson(n_hits: float, n_rows: float) -> Interval:
    """A rate and its 95 % interval.

    Source: Wilson: Probable inference, the law of succession, and statistical inference (1927).

    >>> wilson(5, 10)
    Interval(value=0.5, low=0.2366, high=0.7634)
    """
    if not n_rows:
        return Interval(float("nan"), 0.0, 1.0)
    z, rate = 1.96, n_hits / n_rows
    centre = (rate + z * z / (2 * n_rows)) / (1 + z * z / n_rows)
    half = z * np.sqrt(rate * (1 - rate) / n_rows + z * z / (4 * n_rows * n_rows)) / (1 + z * z / n_rows)
    return Interval(rate, round(max(0.0, float(centre - half)), 4), round(min(1.0, float(centre + half)), 4))


@dataclass(frozen=True)
class Predictions:
    """Out-of-sample scores: each row's truth, score (for ranking) and probability, its window, and the group it belongs to."""

    labels: Flags
    scores: Floats
    chances: Floats
    windows: Whole
    groups: Whole

    def rows(self, index: Whole | Flags) -> Predictions:
        """The rows at an index, or where a mask holds."""
        return Predictions(self.labels[index], self.scores[index], self.chances[index], self.windows[index], self.groups[index])


def within_windows(predictions: Predictions, figure: Callable[[Flags, Floats], float], weight: Callable[[Flags], float]) -> float:
    """The mean of a figure over windows: a model is used inside one month at a time, so rows of different windows are not ranked."""
    values, weights = [], []
    for window in np.unique(predictions.windows):
        rows = predictions.windows == window
        value = figure(predictions.labels[rows], predictions.scores[rows])
        if not np.isnan(value):
            values.append(value)
            weights.append(weight(predictions.labels[rows]))
    return float(np.average(values, weights=weights)) if values else float("nan")


FIGURES: Mapping[str, Callable[[Predictions], float]] = {
    "auc": lambda p: within_windows(p, auc, lambda labels: float(labels.sum()) * float((~labels).sum())),
    "ap": lambda p: within_windows(p, average_precision, lambda labels: float(labels.sum())),
    "brier": lambda p: brier(p.labels, p.chances),
    "lift_at_10": lambda p: within_windows(p, lift_at, lambda labels: float(labels.sum())),
    "base_rate": lambda p: float(p.labels.mean()),
}


def with_intervals(predictions: Predictions, seed: int, names: Sequence[str] = tuple(FIGURES)) -> dict[str, Interval]:
    """Each figure named, with its bootstrap interval; groups are drawn whole, because their rows are not independent."""
    dice = np.random.default_rng(seed)
    order = np.argsort(predictions.groups, kind="stable")
    _, starts = np.unique(predictions.groups[order], return_index=True)
    members = np.split(order, starts[1:])
    figures = {name: FIGURES[name] for name in names}
    draws: dict[str, list[float]] = {name: [] for name in figures}
    is_single = len(members) == len(order)
    for _ in range(N_RESAMPLES):
        chosen = dice.integers(len(members), size=len(members))
        rows = order[chosen] if is_single else np.concatenate([members[i] for i in chosen])
        sample = predictions.rows(rows)
        for name, figure in figures.items():
            draws[name].append(figure(sample))
    return {name: Interval(figure(predictions), *_edges(draws[name])) for name, figure in figures.items()}


def _edges(draws: Sequence[float]) -> tuple[float, float]:
    known = np.array([draw for draw in draws if not np.isnan(draw)])
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def psi(expected: Floats, actual: Floats) -> float:
    """Population stability index of two sets of shares over the same bins: below 0.1 steady, above 0.25 shifted.

    >>> psi(np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    0.0
    """
    before, after = np.clip(expected, 1e-4, None), np.clip(actual, 1e-4, None)
    return float(((after - before) * np.log(after / before)).sum())
