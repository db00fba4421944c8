"""A glass-box model: log-odds as a sum of one curve per number and one value per level of a category.

Each part of the sum can be read off and shown, so every score can be taken apart exactly. A number's curve is a chain of straight lines between
knots at its quantiles; an unknown number has a value of its own, and so has a level that is rare or was never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.columns import Columns, Flags, Floats, Texts
from scoring.logistic import fit_logistic, sigmoid

MAX_KNOTS = 9
MAX_LEVELS = 60
MIN_LEVEL_ROWS = 5
OTHER = "(other)"
STRENGTHS = (1.0, 5.0, 25.0)  # of the penalty; the latest slice chooses
DIGITS = 12


@dataclass(frozen=True)
class NumberCurve:
    """Log-odds at knots, straight lines between, level beyond; ``missing`` for unknown."""

    name: str
    knots: tuple[float, ...]
    values: tuple[float, ...]
    missing: float

    def parts(self, column: Floats) -> Floats:
        """The log-odds of each value."""
        return np.where(np.isnan(column), self.missing, np.interp(np.nan_to_num(column), self.knots, self.values))


@dataclass(frozen=True)
class LevelValues:
    """Log-odds by level; ``other`` for levels that are rare or were never seen."""

    name: str
    levels: Mapping[str, float]
    other: float

    def parts(self, column: Texts) -> Floats:
        """The log-odds of each level."""
        return np.fromiter((self.levels.get(level, self.other) for level in column), dtype=float, count=len(column))


@dataclass(frozen=True)
class AdditiveModel:
    """The sum; ``intercept`` makes every curve 0 on average over the training rows."""

    intercept: float
    numbers: tuple[NumberCurve, ...]
    categories: tuple[LevelValues, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parts, in the order of ``parts``."""
        return (*(term.name for term in self.numbers), *(term.name for term in self.categories))

    def parts(self, columns: Columns) -> Floats:
        """Rows × names: the parts of the log-odds, without the intercept.

        Raises:
            ValueError: a column the model was trained on is missing.
        """
        missing = [name for name in self.names if name not in columns.numbers and name not in columns.categories]
        if missing:
            raise ValueError(f"the model needs the column {missing[0]!r}, which the table lacks; was it renamed?")
        parts = [term.parts(columns.numbers[term.name]) for term in self.numbers]
        parts += [term.parts(columns.categories[term.name]) for term in self.categories]
        return np.column_stack(parts) if parts else np.zeros((len(columns), 0))

    def log_odds(self, columns: Columns) -> Floats:
        """The sum of the parts, without the intercept."""
        total: Floats = self.parts(columns).sum(axis=1)
        return total

    def as_object(self) -> dict[str, Any]:
        """The model as plain values for JSON."""
        return {
            "intercept": self.intercept,
            "numbers": [{"name": t.name, "knots": list(t.knots), "values": list(t.values), "missing": t.missing} for t in self.numbers],
            "categories": [{"name": t.name, "levels": dict(t.levels), "other": t.other} for t in self.categories],
        }

    @classmethod
    def from_object(cls, fields: Mapping[str, Any]) -> AdditiveModel:
        """The model that ``as_object`` gave."""
        return cls(
            float(fields["intercept"]),
            tuple(NumberCurve(t["name"], tuple(t["knots"]), tuple(t["values"]), t["missing"]) for t in fields["numbers"]),
            tuple(LevelValues(t["name"], dict(t["levels"]), t["other"]) for t in fields["categories"]),
        )


@dataclass(frozen=True)
class Design:
    """How columns become the matrix of a regression: knots and levels, taken from the training rows alone."""

    knots: Mapping[str, Floats]
    has_missing: Mapping[str, bool]
    levels: Mapping[str, Sequence[str]]

    def matrix(self, columns: Columns) -> Floats:
        """Rows × coefficients."""
        blocks: list[Floats] = []
        for name, knots in self.knots.items():
            column = columns.numbers[name]
            blocks.append(_hats(column, knots))
            if self.has_missing[name]:
                blocks.append(np.isnan(column).astype(float)[:, None])
        for name, levels in self.levels.items():
            index = {level: i for i, level in enumerate(levels)}
            codes = np.fromiter((index.get(level, index[OTHER]) for level in columns.categories[name]), dtype=np.int64, count=len(columns))
            blocks.append((codes[:, None] == np.arange(len(levels))).astype(float))
        return np.column_stack(blocks) if blocks else np.zeros((len(columns), 0))

    def penalty(self, strength: float, n_effective: float) -> Floats:
        """The penalty matrix: neighbouring knots pull at each other, and everything weakly at 0; more so where ``n_effective`` is small."""
        sizes: list[Floats] = []
        for name, knots in self.knots.items():
            steps = np.diff(np.eye(len(knots)), axis=0)
            sizes.append(strength * 2.0 * steps.T @ steps + strength * 0.2 * np.eye(len(knots)))
            if self.has_missing[name]:
                sizes.append(np.array([[strength]]))
        sizes += [strength * np.eye(len(levels)) for levels in self.levels.values()]
        total = sum(len(block) for block in sizes)
        penalty, at = np.zeros((total, total)), 0
        for block in sizes:
            penalty[at : at + len(block), at : at + len(block)] = block
            at += len(block)
        return penalty * max(1.0, 400.0 / max(1.0, n_effective))

    def model(self, coefficients: Floats, intercept: float, columns: Columns) -> AdditiveModel:
        """The additive model of fitted coefficients, centred over the rows given."""
        at, numbers, categories = 0, [], []
        for name, knots in self.knots.items():
            values = coefficients[at : at + len(knots)]
            at += len(knots)
            missing = 0.0
            if self.has_missing[name]:
                missing, at = float(coefficients[at]), at + 1
            curve = NumberCurve(name, tuple(knots.tolist()), tuple(values.tolist()), missing)
            mean = float(curve.parts(columns.numbers[name]).mean())
            intercept += mean
            # Where the training rows knew every value, an unknown one counts as the average row: 0.
            centred_missing = missing - mean if self.has_missing[name] else 0.0
            numbers.append(NumberCurve(name, curve.knots, _rounded(values - mean), round(centred_missing, DIGITS)))
        for name, levels in self.levels.items():
            values = coefficients[at : at + len(levels)]
            at += len(levels)
            table = LevelValues(name, dict(zip(levels, values.tolist(), strict=True)), float(values[list(levels).index(OTHER)]))
            mean = float(table.parts(columns.categories[name]).mean())
            intercept += mean
            centred = {level: round(value - mean, DIGITS) for level, value in table.levels.items() if level != OTHER}
            categories.append(LevelValues(name, centred, round(table.other - mean, DIGITS)))
        return AdditiveModel(round(intercept, DIGITS), tuple(numbers), tuple(categories))


def make_design(columns: Columns) -> Design:
    """Knots and levels for the columns; constant columns drop out."""
    knots, has_missing, levels = {}, {}, {}
    for name, column in columns.numbers.items():
        known = column[~np.isnan(column)]
        values = np.unique(known)
        if len(values) > MAX_KNOTS:
            values = np.unique(np.quantile(known, np.linspace(0, 1, MAX_KNOTS), method="nearest"))
        is_gappy = len(known) < len(column)
        if len(values) > 1 or (len(values) == 1 and is_gappy):
            knots[name], has_missing[name] = values, is_gappy
    for name, texts in columns.categories.items():
        names, counts = np.unique(texts.astype(str), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MAX_LEVELS]
        frequent = sorted(str(names[i]) for i in order if counts[i] >= MIN_LEVEL_ROWS)
        if len(names) > 1 and frequent:
            levels[name] = [*frequent, OTHER]
    return Design(knots, has_missing, levels)


def train_additive(columns: Columns, labels: Flags, weights: Floats | None = None, is_latest: Flags | None = None) -> AdditiveModel:
    """The model of the rows; the penalty's strength is the one that predicts the latest rows best when trained on the others.

    Args:
        weights: of the rows; 1 by default.
        is_latest: which rows are the latest; without it the strength is the middle one.
    """
    row_weights = np.ones(len(columns)) if weights is None else weights
    design = make_design(columns)
    matrix, target = design.matrix(columns), labels.astype(float)
    n_effective = float(min(row_weights[labels].sum(), row_weights[~labels].sum()))
    strength = STRENGTHS[1] if is_latest is None else _best_strength(design, matrix, target, row_weights, is_latest, n_effective)
    coefficients, intercept = fit_logistic(matrix, target, row_weights, design.penalty(strength, n_effective))
    return design.model(coefficients, intercept, columns)


def _best_strength(design: Design, matrix: Floats, target: Floats, weights: Floats, is_latest: Flags, n_effective: float) -> float:
    past, late = ~is_latest, is_latest
    if not 0 < target[past].sum() < past.sum() or not 0 < target[late].sum() < late.sum():
        return STRENGTHS[1]
    losses = []
    for strength in STRENGTHS:
        coefficients, intercept = fit_logistic(matrix[past], target[past], weights[past], design.penalty(strength, n_effective))
        chance = np.clip(sigmoid(matrix[late] @ coefficients + intercept), 1e-12, 1 - 1e-12)
        losses.append(float(-(weights[late] * (target[late] * np.log(chance) + (1 - target[late]) * np.log(1 - chance))).sum()))
    return STRENGTHS[int(np.argmin(losses))]


def _hats(column: Floats, knots: Floats) -> Floats:
    """Rows × knots: how near each value lies to each knot; the two nearest share 1. All 0 where unknown."""
    if len(knots) == 1:
        return (~np.isnan(column)).astype(float)[:, None]
    inside = np.clip(np.nan_to_num(column, nan=knots[0]), knots[0], knots[-1])
    right = np.clip(np.searchsorted(knots, inside, side="right"), 1, len(knots) - 1)
    share = (inside - knots[right - 1]) / (knots[right] - knots[right - 1])
    hats = np.zeros((len(column), len(knots)))
    rows = np.arange(len(column))
    hats[rows, right - 1] = 1 - share
    hats[rows, right] += share
    hats[np.isnan(column)] = 0.0
    return hats


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(value, DIGITS) for value in values.tolist())
