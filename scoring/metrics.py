"""How good scores are: ranking, probability, and the width of what we know about both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from scoring.columns import Flags, Floats, Whole

N_RESAMPLES = 200
N_BINS = 10
MIN_BIN_ROWS = 50
MIN_OUTCOMES = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Ranked:
    """Rows in the order of their scores, with ties as one step; figures of them under any weights, without sorting again."""

    def __init__(self, labels: Flags, scores: Floats) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.diff(ordered, prepend=np.inf)) if len(ordered) else np.zeros(0, dtype=np.int64)
        self._labels = labels[self._order].astype(float)

    def _steps(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weight of positives and of all rows at each step."""
        ordered = weights[self._order]
        return np.add.reduceat(ordered * self._labels, self._starts), np.add.reduceat(ordered, self._starts)

    def auc(self, weights: Floats) -> float:
        """The chance that a positive stands above a negative, ties counting half; NaN without either."""
        if not len(self._starts):
            return float("nan")
        positive, total = self._steps(weights)
        negative = total - positive
        if not positive.sum() or not negative.sum():
            return float("nan")
        below = negative.sum() - np.cumsum(negative)
        return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))

    def average_precision(self, weights: Floats) -> float:
        """Mean precision at the positives; NaN without any."""
        if not len(self._starts):
            return float("nan")
        positive, total = self._steps(weights)
        if not positive.sum():
            return float("nan")
        seen = np.cumsum(total)
        precision = np.divide(np.cumsum(positive), seen, out=np.zeros_like(seen), where=seen > 0)
        return float((positive * precision).sum() / positive.sum())

    def lift_at(self, weights: Floats, share: float = 0.1) -> float:
        """Rate of positives in the highest share over the rate among all, the step at its edge in part; NaN without positives."""
        if not len(self._starts):
            return float("nan")
        positive, total = self._steps(weights)
        if not positive.sum():
            return float("nan")
        seen, wanted = np.cumsum(total), share * total.sum()
        edge = int(np.searchsorted(seen, wanted))
        before = seen[edge] - total[edge]
        hits = positive[:edge].sum() + positive[edge] * (wanted - before) / total[edge]
        return float(hits / (share * positive.sum()))


def auc(labels: Flags, scores: Floats) -> float:
    """The chance that a positive scores above a negative, ties counting half; NaN without either.

    >>> auc(np.array([False, True, True]), np.array([0.1, 0.4, 0.1]))
    0.75
    """
    return Ranked(labels, scores).auc(np.ones(len(labels)))


def average_precision(labels: Flags, scores: Floats) -> float:
    """Mean precision at the positives, tied scores taken together; NaN without positives.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])).__round__(3)
    0.833
    """
    return Ranked(labels, scores).average_precision(np.ones(len(labels)))


def lift_at(labels: Flags, scores: Floats, share: float = 0.1) -> float:
    """Rate of positives among the highest-scored share, over the rate among all; rows tied at the edge count in part.

    >>> lift_at(np.array([True] + [False] * 9), np.linspace(1, 0, 10))
    10.0
    """
    return Ranked(labels, scores).lift_at(np.ones(len(labels)), share)


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
    if not len(labels):
        return []
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

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """All parts as one; of none, no rows."""
        whole = np.zeros(0, dtype=np.int64)
        nothing = cls(np.zeros(0, dtype=bool), np.zeros(0), np.zeros(0), whole, whole)
        return cls(*(np.concatenate([getattr(part, field.name) for part in (nothing, *parts)]) for field in fields(cls)))

    def rows(self, index: Whole | Flags) -> Predictions:
        """The rows at an index, or where a mask holds."""
        return Predictions(self.labels[index], self.scores[index], self.chances[index], self.windows[index], self.groups[index])


class _Windows:
    """Predictions window by window: a model is used inside one month at a time, so rows of different windows are not ranked against each other."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions
        self._rows = [np.flatnonzero(predictions.windows == window) for window in np.unique(predictions.windows)]
        self._ranked = [Ranked(predictions.labels[rows], predictions.scores[rows]) for rows in self._rows]
        self._squares = (predictions.chances - predictions.labels) ** 2

    def figure(self, name: str, weights: Floats) -> float:
        """A figure under weights of the rows; of ranking figures the mean over windows."""
        labels = self._predictions.labels
        if name == "brier":
            return float((weights * self._squares).sum() / weights.sum()) if len(labels) else float("nan")
        if name == "base_rate":
            return float((weights * labels).sum() / weights.sum()) if len(labels) else float("nan")
        values, sizes = [], []
        for rows, ranked in zip(self._rows, self._ranked, strict=True):
            own = weights[rows]
            positive = float((own * labels[rows]).sum())
            value = getattr(ranked, RANKING[name])(own)
            if not np.isnan(value):
                values.append(value)
                sizes.append(positive * float(own.sum() - positive) if name == "auc" else positive)
        return float(np.average(values, weights=sizes)) if values else float("nan")


RANKING = {"auc": "auc", "ap": "average_precision", "lift_at_10": "lift_at"}
FIGURES = ("auc", "ap", "brier", "lift_at_10", "base_rate")


def figure_within_windows(predictions: Predictions, name: str) -> float:
    """One of ``FIGURES``, without an interval."""
    return _Windows(predictions).figure(name, np.ones(len(predictions.labels)))


def with_intervals(predictions: Predictions, seed: int, names: Sequence[str] = FIGURES) -> dict[str, Interval]:
    """Each figure named, with its bootstrap interval; groups are drawn whole, because their rows are not independent.

    Below five outcomes of either kind the ends are NaN: draws of so few are all alike, and the interval would look sure.
    """
    dice = np.random.default_rng(seed)
    _, group = np.unique(predictions.groups, return_inverse=True)
    n_groups = int(group.max()) + 1 if len(group) else 0
    windows = _Windows(predictions)
    draws: dict[str, list[float]] = {name: [] for name in names}
    n_rarer = min(int(predictions.labels.sum()), int((~predictions.labels).sum()))
    for _ in range(N_RESAMPLES if n_rarer >= MIN_OUTCOMES else 0):
        times_drawn = np.bincount(dice.integers(n_groups, size=n_groups), minlength=n_groups)
        weights = times_drawn[group].astype(float)
        for name in names:
            draws[name].append(windows.figure(name, weights))
    return {name: Interval(windows.figure(name, np.ones(len(group))), *_edges(draws[name])) for name in names}


def _edges(draws: Sequence[float]) -> tuple[float, float]:
    known = np.array([draw for draw in draws if not np.isnan(draw)])
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def psi_noise(expected: Floats, actual: Floats) -> float:
    """What ``psi`` shows on average when two samples of such counts come from one distribution.

    Source: Yurdakul: Statistical Properties of Population Stability Index (2018).

    >>> psi_noise(np.array([50.0, 50.0]), np.array([50.0, 50.0]))
    0.02
    """
    n_bins = int(((expected > 0) | (actual > 0)).sum())
    return float(max(0, n_bins - 1) * (1 / expected.sum() + 1 / actual.sum()))


def psi(expected: Floats, actual: Floats) -> float:
    """Population stability index of two sets of counts over the same bins: below 0.1 steady, above 0.25 shifted.

    Half a row is added to each bin, so that one that happens to be empty does not decide alone.

    >>> psi(np.array([50.0, 50.0]), np.array([50.0, 50.0]))
    0.0
    """
    before, after = ((counts + 0.5) / (counts + 0.5).sum() for counts in (expected, actual))
    return float(((after - before) * np.log(after / before)).sum())
