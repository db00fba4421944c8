"""Fit: how like the operator's customers of a product an account is.

A logistic regression over standardised numbers and one-hot categories. Its log-odds are a plain sum, so every score can be taken apart exactly.
Log-odds become 0–100 through a saved table of quantiles of the book the model was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.features import AccountFeatures
from storage.ids import content_key
from storage.records import ModelVersion

MIN_POSITIVES = 20
MIN_CATEGORY_COUNT = 5
# Share of the training book below → score: the upper fifteenth of a hundred is High, two in five at least Medium.
QUANTILE_ANCHORS = ((0.0, 0.0), (0.30, 30.0), (0.60, 55.0), (0.85, 75.0), (1.0, 100.0))
FORMAT = 1


@dataclass(frozen=True)
class FitModel:
    """A fitted model as plain numbers; ``from_json(to_json(m)) == m``."""

    product: str
    intercept: float
    means: Mapping[str, float]
    scales: Mapping[str, float]
    slopes: Mapping[str, float]
    levels: Mapping[str, Mapping[str, float]]  # category → level → log-odds; "other" for rare and unseen levels
    table: Sequence[Sequence[float]]  # rising (log-odds, score) pairs

    def log_odds(self, features: AccountFeatures) -> dict[str, float]:
        """The parts of an account's log-odds by feature, without the intercept. An unknown number counts as the average: 0."""
        parts: dict[str, float] = {}
        for name, slope in self.slopes.items():
            value = features.numbers.get(name)
            parts[name] = 0.0 if value is None else slope * (value - self.means[name]) / self.scales[name]
        for name, levels in self.levels.items():
            parts[name] = levels.get(features.categories[name], levels["other"])
        return parts

    def score(self, log_odds: float) -> float:
        """0–100 for log-odds (without intercept), by the table."""
        xs, ys = zip(*self.table, strict=True)
        return float(np.interp(log_odds, xs, ys))

    def explain(self, features: AccountFeatures) -> tuple[float, float, dict[str, float]]:
        """``(score, base, points by feature)``: base and points add up to the score.

        The base is the score of an account that is average throughout; the way from there to the score is shared in proportion to the parts of the
        log-odds, which for a sum seen through one curve is the Aumann-Shapley value.

        Source: Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks (2017), section 3.
        """
        parts = self.log_odds(features)
        total = sum(parts.values())
        score, base = self.score(total), self.score(0.0)
        rate = (score - base) / total if abs(total) > 1e-9 else 0.0
        return score, base, {name: part * rate for name, part in parts.items()}

    def to_json(self) -> str:
        """The parameters as JSON, the same text for the same model."""
        return json.dumps(asdict(self) | {"format": FORMAT}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> FitModel:
        """The model that ``to_json`` wrote."""
        fields: dict[str, Any] = json.loads(text)
        if fields.pop("format") != FORMAT:
            raise ValueError("the model was saved in another format; refit it with `bellwether learn`")
        return cls(**fields)


def train_fit(
    product: str, features: Sequence[AccountFeatures], positives: frozenset[str], losers: frozenset[str], as_of: str, seed: int
) -> tuple[FitModel, ModelVersion] | None:
    """A model of who buys the product, and its registry record; None when there are too few positives to learn from.

    Args:
        positives: accounts that bought the product.
        losers: accounts whose deals for it were lost; they count threefold among the others, which are merely unlabelled.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    known = [row for row in features if row.has_firmographics]
    labels = np.array([row.account_id in positives for row in known], dtype=bool)
    if labels.sum() < MIN_POSITIVES or (~labels).sum() < MIN_POSITIVES:
        return None
    encoding = _encoding(known)
    matrix = _matrix(known, encoding)
    weights = np.array([3.0 if row.account_id in losers and row.account_id not in positives else 1.0 for row in known])
    regression = LogisticRegression(C=0.2, class_weight="balanced", max_iter=2000, solver="lbfgs", random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    held_out = cross_val_predict(regression, matrix, labels, cv=folds, method="decision_function", params={"sample_weight": weights})
    regression.fit(matrix, labels, sample_weight=weights)
    model = _as_model(product, encoding, regression.coef_[0], float(regression.intercept_[0]), known)
    data_hash = content_key(
        as_of, [(row.account_id, bool(label)) for row, label in zip(known, labels, strict=True)], matrix.round(9).tolist()
    )
    metrics = {"auc_5_fold": round(float(roc_auc_score(labels, held_out)), 4), "base_rate": round(float(labels.mean()), 4)}
    record = ModelVersion(
        content_key("fit", product, as_of, data_hash, FORMAT),
        "fit",
        product,
        as_of,
        int(labels.sum()),
        int((~labels).sum()),
        data_hash,
        json.dumps(metrics, sort_keys=True),
        model.to_json(),
    )
    return model, record


@dataclass(frozen=True, slots=True)
class _Encoding:
    means: dict[str, float]
    scales: dict[str, float]
    levels: dict[str, list[str]]


def _encoding(rows: Sequence[AccountFeatures]) -> _Encoding:
    means, scales = {}, {}
    for name in rows[0].numbers:
        values = np.array([row.numbers[name] for row in rows if row.numbers[name] is not None], dtype=float)
        if len(values) and values.std() > 1e-9:
            means[name], scales[name] = float(values.mean()), float(values.std())
    levels = {}
    for name in rows[0].categories:
        seen, counts = np.unique([row.categories[name] for row in rows], return_counts=True)
        levels[name] = [str(level) for level, n in zip(seen, counts, strict=True) if n >= MIN_CATEGORY_COUNT]
    return _Encoding(means, scales, levels)


def _matrix(rows: Sequence[AccountFeatures], encoding: _Encoding) -> NDArray[np.float64]:
    columns = [
        [0.0 if (value := row.numbers[name]) is None else (value - encoding.means[name]) / encoding.scales[name] for row in rows]
        for name in encoding.means
    ]
    columns += [[float(row.categories[name] == level) for row in rows] for name, levels in encoding.levels.items() for level in levels]
    return np.array(columns, dtype=float).T


def _as_model(
    product: str, encoding: _Encoding, coefficients: NDArray[np.float64], intercept: float, rows: Sequence[AccountFeatures]
) -> FitModel:
    remaining = iter(coefficients.tolist())
    slopes = {name: next(remaining) for name in encoding.means}
    levels: dict[str, dict[str, float]] = {}
    for name, names in encoding.levels.items():
        raw = {level: next(remaining) for level in names}
        counts = {level: sum(row.categories[name] == level for row in rows) for level in names}
        # Centred, so that 0 is the average account for categories as it is for standardised numbers.
        mean = sum(raw[level] * counts[level] for level in names) / len(rows)
        levels[name] = {level: value - mean for level, value in raw.items()} | {"other": -mean}
        intercept += mean
    unscaled = FitModel(product, intercept, encoding.means, encoding.scales, slopes, levels, [(0.0, 0.0), (1.0, 100.0)])
    totals = np.array([sum(unscaled.log_odds(row).values()) for row in rows])
    return FitModel(product, intercept, encoding.means, encoding.scales, slopes, levels, _quantile_table(totals))


def _quantile_table(totals: NDArray[np.float64]) -> list[list[float]]:
    table: list[list[float]] = []
    for share, score in QUANTILE_ANCHORS:
        x = float(np.quantile(totals, share))
        if table and x <= table[-1][0]:
            x = float(np.nextafter(table[-1][0], np.inf))
        table.append([x, score])
    return table
