"""Fit: how like the operator's customers of a product an account is.

Customers are known, non-customers are not: an account that has not bought yet may be the likeliest to. So the model is an average of many, each
learned from the customers and a fresh draw of the others (bagging for positive and unlabelled data). Each is an additive model over the same curves,
so their average is one too, and every score can be taken apart exactly.

Source: Mordelet, Vert: A bagging SVM to learn from positive and unlabeled examples (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.additive import DIGITS, AdditiveModel, make_design
from scoring.columns import TECHNOLOGY, Columns, Flags, Floats
from scoring.logistic import fit_logistic, one_thread, sigmoid
from scoring.parameters import read_parameters, write_parameters

MIN_POSITIVES = 20
N_BAGS = 8
DRAWN_PER_POSITIVE = 2  # of the others, for each customer, in each bag
MAX_BAG_POSITIVES = 3000  # a larger book draws its customers too
LOSER_WEIGHT = 4.0  # an account that lost a deal is less unlabelled than the others
PENALTY = 5.0
# Share of the training book below → score: the upper fifteen of a hundred are High, two in five at least Medium.
QUANTILE_ANCHORS = ((0.0, 0.0), (0.30, 30.0), (0.60, 55.0), (0.85, 75.0), (1.0, 100.0))
FORMAT = 2


@dataclass(frozen=True)
class FitModel:
    """A fitted model as plain numbers; ``from_json(to_json(m)) == m``."""

    product: str
    additive: AdditiveModel
    table: Sequence[Sequence[float]]  # rising (log-odds, score) pairs
    slope: float  # sigmoid(slope · log-odds + shift): the chance that a non-customer buys within the horizon
    shift: float | None  # None: never calibrated, because nobody was seen buying later

    def log_odds(self, columns: Columns) -> Floats:
        """The log-odds of each account, without the intercept."""
        return self.additive.log_odds(self._complete(columns))

    def _complete(self, columns: Columns) -> Columns:
        """A kind of technology that was seen when the model was trained may be seen nowhere in these rows."""
        return columns.with_categories(term.name for term in self.additive.categories if term.name.startswith(TECHNOLOGY))

    def score(self, log_odds: Floats) -> Floats:
        """0–100, by the table."""
        xs, ys = zip(*self.table, strict=True)
        scores: Floats = np.interp(log_odds, xs, ys)
        return scores

    def chance(self, log_odds: Floats) -> Floats | None:
        """The calibrated chance of a first purchase within the horizon; None when it was never calibrated."""
        return None if self.shift is None else sigmoid(self.slope * log_odds + self.shift)

    def explain(self, columns: Columns) -> tuple[Floats, float, Floats]:
        """``(scores, base, points)``: base plus the points of a row (rows × ``additive.names``) is its score.

        The base is the score of an account that is average throughout; the way from there to the score is shared in proportion to the parts of the
        log-odds, which for a sum seen through one curve is the Aumann-Shapley value.

        Source: Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks (2017), section 3.
        """
        parts = self.additive.parts(self._complete(columns))
        totals = parts.sum(axis=1)
        scores, base = self.score(totals), float(self.score(np.zeros(1))[0])
        is_moved = np.abs(totals) > 1e-9
        rates = np.divide(scores - base, totals, out=np.zeros_like(totals), where=is_moved)
        return np.where(is_moved, scores, base), base, parts * rates[:, None]

    def to_json(self) -> str:
        """The parameters as JSON."""
        table = [list(pair) for pair in self.table]
        return write_parameters(
            FORMAT, product=self.product, additive=self.additive.as_object(), table=table, slope=self.slope, shift=self.shift
        )

    @classmethod
    def from_json(cls, text: str) -> FitModel:
        """The model that ``to_json`` wrote.

        Raises:
            ValueError: another format.
        """
        fields = read_parameters(text, FORMAT)
        fields |= {"additive": AdditiveModel.from_object(fields["additive"]), "table": [tuple(pair) for pair in fields["table"]]}
        return cls(**fields)


def train_fit(product: str, columns: Columns, positives: Flags, losers: Flags, worth: Floats, seed: int) -> FitModel | None:
    """A model of who buys the product; None when there are too few customers (or others) to learn from.

    Args:
        columns: features of accounts with firmographics.
        positives: which of them are customers.
        losers: which of them lost a deal for it.
        worth: what each spent on it: the best customer counts three times as much as the least.
    """
    n_positive, n_other = int(positives.sum()), int((~positives).sum())
    if min(n_positive, n_other) < MIN_POSITIVES:
        return None
    weights = np.where(losers & ~positives, LOSER_WEIGHT, 1.0)
    ranks = np.argsort(np.argsort(worth[positives], kind="stable"), kind="stable")
    weights[positives] = 0.5 + (ranks + 0.5) / n_positive
    design = make_design(columns)
    matrix = design.matrix(columns)
    penalty = design.penalty(PENALTY, float(n_positive))
    dice = np.random.default_rng(seed)
    own, others = np.flatnonzero(positives), np.flatnonzero(~positives)
    total, intercept = np.zeros(matrix.shape[1]), 0.0
    with one_thread():
        for _ in range(N_BAGS):
            bag = own if n_positive <= MAX_BAG_POSITIVES else dice.choice(own, MAX_BAG_POSITIVES, replace=False)
            drawn = dice.choice(others, DRAWN_PER_POSITIVE * len(bag), replace=True)
            rows = np.concatenate([bag, drawn])
            row_weights = weights[rows]
            row_weights[: len(bag)] *= row_weights[len(bag) :].sum() / row_weights[: len(bag)].sum()
            coefficients, shift = fit_logistic(matrix[rows], positives[rows].astype(float), row_weights, penalty)
            total, intercept = total + coefficients / N_BAGS, intercept + shift / N_BAGS
        additive = design.model(total, intercept, columns)
        table = quantile_table(additive.log_odds(columns))
    return FitModel(product, additive, table, 1.0, None)


def quantile_table(log_odds: Floats) -> list[tuple[float, float]]:
    """Rising pairs of log-odds and score: the anchors' shares of the book."""
    table: list[tuple[float, float]] = []
    for share, score in QUANTILE_ANCHORS:
        x = round(float(np.quantile(log_odds, share)), DIGITS)
        if table and x <= table[-1][0]:
            x = float(np.nextafter(table[-1][0], np.inf))
        table.append((x, score))
    return table
