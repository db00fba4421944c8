"""From deals to a signal model and its record: what was learned, and how it ranked later deals beside the catalogue's weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from scoring.columns import Floats
from scoring.fit_training import fit_slope_and_shift
from scoring.logistic import sigmoid
from scoring.metrics import FIGURES, Predictions, calibration_error, calibration_noise, figure_within_windows, reliability, with_intervals
from scoring.signal_model import MIN_OUTCOMES, DealTable, SignalModel, learn_weights
from scoring.verdict import Verdict, judge
from storage.catalogue import Product

N_WINDOWS = 4
TESTED_SHARE = 0.6  # of the deals, the latest


@dataclass(frozen=True)
class SignalCandidate:
    """Learned weights, what they were learned from, and their figures on later deals."""

    model: SignalModel
    n_won: int
    n_lost: int
    trained_from: date
    data_hash: str
    verdict: Verdict
    metrics: dict[str, Any]
    tested: DealTable  # the later deals it was tested on
    tested_scores: Floats  # by weights learned before each was opened


def learn_candidate(deals: DealTable, product: Product, seed: int, figures: Sequence[str] = FIGURES) -> SignalCandidate | None:
    """Weights from all deals, tested on windows in time by the figures named; None when too few deals were won or lost."""
    model = learn_weights(deals, product)
    if model is None:
        return None
    n_won = int(deals.is_won.sum())
    predictions, tested = _predict_later_deals(deals, product)
    metrics: dict[str, Any] = {"test": "deals opened later than every deal learned from was closed", "unit_log_odds": model.unit}
    if len(predictions.labels):
        found = with_intervals(predictions, seed, figures)
        bins = reliability(predictions.labels, predictions.chances)
        error = calibration_error(bins)
        n_hits = int(predictions.labels.sum())
        verdict = judge(n_hits, len(predictions.labels) - n_hits, found["auc"].low, error, calibration_noise(bins), True, ())
        prior_auc = figure_within_windows(replace(predictions, scores=tested.prior_score(product.weights)), "auc")
        metrics |= {name: [_rounded(x.value), _rounded(x.low), _rounded(x.high)] for name, x in found.items()}
        metrics |= {
            "auc_of_catalogue_weights": _rounded(prior_auc), "calibration_error": round(error, 4), "n_tested": len(predictions.labels),
        }  # fmt: skip
    else:
        verdict = judge(0, 0, float("nan"), 0.0, 0.0, True, ())
    metrics["reasons"] = list(verdict.reasons)
    return SignalCandidate(
        model, n_won, len(deals.is_won) - n_won, date.fromordinal(int(deals.created.min())), _data_hash(deals), verdict, metrics, tested,
        predictions.scores,
    )  # fmt: skip


def _predict_later_deals(deals: DealTable, product: Product) -> tuple[Predictions, DealTable]:
    """Scores of later deals by weights learned from deals that were closed before the first of them was opened; and these deals."""
    order = np.lexsort((deals.account, deals.created))
    first_tested = int((1 - TESTED_SHARE) * len(order))
    parts: list[Predictions] = []
    tested = [np.zeros(0, dtype=np.int64)]
    for window, rows in enumerate(np.array_split(order[first_tested:], N_WINDOWS)):
        if not len(rows):
            continue
        past = deals.rows(deals.closed < deals.created[rows].min())
        n_won = int(past.is_won.sum())
        if min(n_won, len(past.is_won) - n_won) < MIN_OUTCOMES:
            continue
        model = learn_weights(past, product)
        if model is None:
            continue
        later = deals.rows(rows)
        past_scores, scores = past.prior_score(model.weights), later.prior_score(model.weights)
        nothing = np.zeros(len(past.is_won), dtype=np.int64)
        slope, shift = fit_slope_and_shift([Predictions(past.is_won, past_scores, past_scores, nothing, nothing)])
        parts.append(Predictions(later.is_won, scores, sigmoid(slope * scores + shift), np.full(len(scores), window), later.account))
        tested.append(rows)
    return Predictions.joined(parts), deals.rows(np.concatenate(tested))


def _data_hash(deals: DealTable) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for array in (np.round(deals.strength, 9), deals.is_won, deals.created, deals.closed, deals.account):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
