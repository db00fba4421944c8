"""The fit model beside scikit-learn's on a table in time order, on the same windows.

``python -m benchmarks.scoring_table TABLE.csv --target COL [--time COL] [--drop COL]…``
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scoring.columns import Columns, Flags, Floats
from scoring.metrics import Predictions, auc, calibration_error, figure_within_windows, reliability
from scoring.outcome_table import FILE_ORDER, load_outcome_table
from scoring.table_evaluation import Learner, learn_and_score, predict_out_of_sample

N_RESAMPLES = 200


def boosted_trees(past: Columns, labels: Flags, later: Columns, seed: int, is_in_time: bool) -> tuple[Floats, Floats]:
    """scikit-learn's HistGradientBoostingClassifier with its defaults."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    return _predict(
        HistGradientBoostingClassifier(random_state=seed),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        past,
        labels,
        later,
    )


def logistic_regression(past: Columns, labels: Flags, later: Columns, seed: int, is_in_time: bool) -> tuple[Floats, Floats]:
    """scikit-learn's LogisticRegression on standardised numbers and one-hot categories."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    return _predict(LogisticRegression(max_iter=1000), OneHotEncoder(handle_unknown="ignore", sparse_output=False), past, labels, later)


def _predict(model: Any, encoder: Any, past: Columns, labels: Flags, later: Columns) -> tuple[Floats, Floats]:
    names, kinds = list(past.numbers), list(past.categories)
    means = {name: np.nanmean(past.numbers[name]) for name in names}
    scales = {name: np.nanstd(past.numbers[name]) or 1.0 for name in names}
    encoder.fit(np.column_stack([past.categories[name].astype(str) for name in kinds]))

    def matrix(columns: Columns) -> Floats:
        numbers = [np.nan_to_num((columns.numbers[name] - means[name]) / scales[name]) for name in names]
        return np.column_stack([*numbers, encoder.transform(np.column_stack([columns.categories[name].astype(str) for name in kinds]))])

    chances: Floats = model.fit(matrix(past), labels).predict_proba(matrix(later))[:, 1]
    return chances, chances


LEARNERS: dict[str, Learner] = {"bellwether": learn_and_score, "logistic regression": logistic_regression, "boosted trees": boosted_trees}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--time", default=FILE_ORDER)
    parser.add_argument("--drop", action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    table = load_outcome_table(arguments.table, arguments.target, arguments.time, drop=arguments.drop)
    found: dict[str, Predictions] = {}
    print(f"{'model':20} {'auc':>6} {'by window':48} {'ece':>6} {'seconds':>8}")
    for name, learner in LEARNERS.items():
        started = time.perf_counter()
        found[name], _ = predict_out_of_sample(table, learner, arguments.seed)
        by_window = [auc(rows.labels, rows.scores) for rows in _windows(found[name])]
        ece = calibration_error(reliability(found[name].labels, found[name].chances))
        text = " ".join(f"{value:.3f}" for value in by_window)
        print(f"{name:20} {figure_within_windows(found[name], 'auc'):6.4f} {text:48} {ece:6.3f} {time.perf_counter() - started:8.1f}")
    for name in list(LEARNERS)[1:]:
        low, high = _difference(found["bellwether"], found[name], arguments.seed)
        print(f"auc of bellwether minus {name}: 95 % from {low:+.4f} to {high:+.4f}")


def _windows(predictions: Predictions) -> list[Predictions]:
    return [predictions.rows(predictions.windows == window) for window in np.unique(predictions.windows)]


def _difference(ours: Predictions, theirs: Predictions, seed: int) -> tuple[float, float]:
    """Interval of the difference over the same resampled rows."""
    dice = np.random.default_rng(seed)
    both = replace(ours, chances=theirs.scores)
    draws = []
    for _ in range(N_RESAMPLES):
        sample = both.rows(dice.integers(len(both.labels), size=len(both.labels)))
        draws.append(figure_within_windows(sample, "auc") - figure_within_windows(replace(sample, scores=sample.chances), "auc"))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
