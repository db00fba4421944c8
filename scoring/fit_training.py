"""From a book to a fit model and its record: what it learns from, and how it did on accounts that bought later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from scoring.book import Book
from scoring.columns import Columns, Flags, Floats, Whole
from scoring.drift import baseline_of
from scoring.features import DAYS_PER_YEAR, NEVER, first_purchase, fit_columns, lost_deal, spend
from scoring.fit import FitModel, quantile_table, train_fit
from scoring.logistic import fit_logistic, one_thread, sigmoid
from scoring.metrics import Predictions, auc, calibration_error, calibration_noise, reliability, with_intervals
from scoring.verdict import Verdict, judge

HORIZON_DAYS = 182  # a fit score is tested on who buys within half a year
N_ORIGINS = 4
MIN_BUYERS = 10  # later first purchases below which the test in time says nothing
N_FOLDS = 5


@dataclass(frozen=True)
class FitCandidate:
    """A trained model, what it learned from, and its figures out of sample."""

    model: FitModel
    n_positive: int
    n_other: int
    trained_from: date
    data_hash: str
    verdict: Verdict
    metrics: dict[str, Any]
    baseline: Mapping[str, Any]


@dataclass(frozen=True)
class _Examples:
    columns: Columns
    positives: Flags
    losers: Flags
    worth: Floats
    first: Whole


def train_candidate(product: str, bits: int, book: Book, origins: Sequence[Book], seed: int) -> FitCandidate | None:
    """A model of the whole book, tested at the origins: each an earlier book, its horizon long over. None when too few customers."""
    model = train_plain(product, bits, book, seed)
    if model is None:
        return None
    examples = _examples(book, bits, seed)
    current = current_columns(book, bits).rows(book.has_firmographics)
    predictions = _predict_later_buyers(product, bits, book, origins, seed)
    is_in_time = predictions is not None
    if predictions is None:
        predictions = _predict_in_folds(product, examples, seed)
    figures = with_intervals(predictions, seed)
    slope, shift, error, noise = _calibration(predictions, is_in_time)
    n_hits = int(predictions.labels.sum())
    verdict = judge(n_hits, len(predictions.labels) - n_hits, figures["auc"].low, error, noise, is_in_time, ())
    latest = predictions.rows(predictions.windows == predictions.windows.max())
    if is_in_time:
        model = replace(model, slope=slope, shift=shift)
    metrics: dict[str, Any] = {
        "test": f"first purchases within {HORIZON_DAYS} days after {N_ORIGINS} earlier dates"
        if is_in_time
        else f"{N_FOLDS} folds, not in time",
        "n_tested": len(predictions.labels),
        "n_bought": n_hits,
        "calibration_error": round(error, 4),
        "auc_latest_window": _rounded(auc(latest.labels, latest.scores)),
        "reasons": list(verdict.reasons),
    }
    for name, interval in figures.items():
        metrics[name] = [_rounded(interval.value), _rounded(interval.low), _rounded(interval.high)]
    known_first = examples.first[examples.positives]
    return FitCandidate(
        model,
        int(examples.positives.sum()),
        int((~examples.positives).sum()),
        date.fromordinal(int(known_first.min())),
        _data_hash(examples),
        verdict,
        metrics,
        baseline_of(current),
    )


def train_plain(product: str, bits: int, book: Book, seed: int) -> FitModel | None:
    """A model of the book without any test of it; None when too few customers."""
    examples = _examples(book, bits, seed)
    model = train_fit(product, examples.columns, examples.positives, examples.losers, examples.worth, seed)
    if model is None:
        return None
    with one_thread():
        return replace(model, table=quantile_table(model.log_odds(current_columns(book, bits).rows(book.has_firmographics))))


def current_columns(book: Book, bits: int) -> Columns:
    """The features as they are at the end of the book's date."""
    return fit_columns(book, bits, np.full(len(book), book.as_of.toordinal() + 1))


def later_buyers(book: Book, origin: Book, bits: int) -> tuple[Flags, Flags]:
    """Per account of the origin: whether it could still become a customer then, and whether it did within the horizon."""
    first = dict(zip(book.account_ids.tolist(), first_purchase(book, bits).tolist(), strict=True))
    when = np.array([first.get(account_id, NEVER) for account_id in origin.account_ids], dtype=np.int64)
    day = origin.as_of.toordinal()
    return when > day, (when > day) & (when <= day + HORIZON_DAYS)


def _examples(book: Book, bits: int, seed: int) -> _Examples:
    known = book.has_firmographics
    first = first_purchase(book, bits)
    is_customer = known & (first < NEVER)
    before = np.full(len(book), book.as_of.toordinal() + 1)
    if is_customer.any():
        before[is_customer] = first[is_customer]
        # The others are looked at on days drawn from the customers' first days: else their longer history would tell them apart.
        others = ~is_customer
        before[others] = np.random.default_rng(seed).choice(first[is_customer], int(others.sum()))
    columns = fit_columns(book, bits, before)
    worth = spend(book, bits, round(3 * DAYS_PER_YEAR))
    return _Examples(columns.rows(known), is_customer[known], lost_deal(book, bits)[known], worth[known], first[known])


def _predict_later_buyers(product: str, bits: int, book: Book, origins: Sequence[Book], seed: int) -> Predictions | None:
    parts: list[Predictions] = []
    for window, origin in enumerate(sorted(origins, key=lambda each: each.as_of)):
        examples = _examples(origin, bits, seed) if len(origin) else None
        model = train_fit(product, examples.columns, examples.positives, examples.losers, examples.worth, seed) if examples else None
        if model is None:
            continue
        could, did = later_buyers(book, origin, bits)
        tested = could & origin.has_firmographics
        if not tested.any():
            continue
        with one_thread():
            scores = model.log_odds(current_columns(origin, bits).rows(tested))
        groups = np.searchsorted(book.account_ids.astype(str), origin.account_ids.astype(str))[tested]
        parts.append(Predictions(did[tested], scores, np.zeros(len(scores)), np.full(len(scores), window), groups))
    if not parts or sum(int(part.labels.sum()) for part in parts) < MIN_BUYERS:
        return None
    return _with_chances(parts)


def _with_chances(parts: list[Predictions]) -> Predictions:
    """Each window's chances by a calibration on the windows before it; the first window's by the rate of its own (it is not judged for them)."""
    done: list[Predictions] = []
    for i, part in enumerate(parts):
        slope, shift = fit_slope_and_shift(parts[:i] or parts[:1])
        done.append(replace(part, chances=sigmoid(slope * part.scores + shift)))
    return Predictions.joined(done)


def fit_slope_and_shift(parts: Sequence[Predictions]) -> tuple[float, float]:
    """``sigmoid(slope · score + shift)`` as a probability; the slope is never negative, so order is kept.

    Source: Platt: Probabilistic outputs for support vector machines (1999).
    """
    scores = np.concatenate([part.scores for part in parts])
    labels = np.concatenate([part.labels for part in parts]).astype(float)
    with one_thread():
        coefficients, shift = fit_logistic(scores[:, None], labels, np.ones(len(labels)), np.array([[1.0]]))
    if coefficients[0] < 0:
        rate = float(np.clip(labels.mean(), 1e-6, 1 - 1e-6))
        return 0.0, round(float(np.log(rate / (1 - rate))), 9)
    return round(float(coefficients[0]), 9), round(shift, 9)


def _calibration(predictions: Predictions, is_in_time: bool) -> tuple[float, float, float, float]:
    """Slope and shift from all windows; error and noise of the windows after the first, each calibrated on those before it."""
    slope, shift = fit_slope_and_shift([predictions])
    windows = np.unique(predictions.windows)
    judged = predictions.rows(predictions.windows > windows[0]) if is_in_time and len(windows) > 1 else predictions
    bins = reliability(judged.labels, judged.chances)
    return slope, shift, calibration_error(bins), calibration_noise(bins)


def _predict_in_folds(product: str, examples: _Examples, seed: int) -> Predictions:
    """Who is a customer, predicted in folds of accounts: the best that can be done while nobody was seen buying later."""
    n = len(examples.positives)
    folds = np.empty(n, dtype=np.int64)
    dice = np.random.default_rng(seed)
    for value in (True, False):
        rows = dice.permutation(np.flatnonzero(examples.positives == value))
        folds[rows] = np.arange(len(rows)) % N_FOLDS
    scores = np.zeros(n)
    for fold in range(N_FOLDS):
        others, own = folds != fold, folds == fold
        model = train_fit(
            product, examples.columns.rows(others), examples.positives[others], examples.losers[others], examples.worth[others], seed
        )
        if model is not None:
            with one_thread():
                scores[own] = model.log_odds(examples.columns.rows(own))
    part = Predictions(examples.positives, scores, np.zeros(n), folds, np.arange(n))
    slope, shift = fit_slope_and_shift([part])
    return replace(part, chances=sigmoid(slope * scores + shift))


def _data_hash(examples: _Examples) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for name, column in examples.columns.numbers.items():
        digest.update(name.encode() + np.round(column, 9).tobytes())
    for name, texts in examples.columns.categories.items():
        digest.update(name.encode() + "\x1f".join(texts).encode("utf-8", "surrogatepass"))
    digest.update(examples.positives.tobytes() + examples.losers.tobytes() + np.round(examples.worth, 6).tobytes())
    return digest.hexdigest()


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
