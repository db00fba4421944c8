"""`validate`: clusters of past dates against what happened afterwards.

At each of eight dates, a quarter apart, the book is scored as it could have been scored on that day: features, events and models of that day only.
Then the deals that were opened, and the first purchases that were made, in the quarter after it are counted by cluster and cell. A deal counts once,
under the date before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from scoring.book import Book, load_book
from scoring.buying_signals import score_signals
from scoring.columns import Flags, Floats, Texts, Whole
from scoring.features import first_purchase
from scoring.fit_training import current_columns, train_plain
from scoring.learning import training_span
from scoring.logistic import fit_logistic, one_thread, sigmoid
from scoring.metrics import ReliabilityBin, auc, calibration_error, calibration_noise, reliability, wilson
from scoring.placing import BAND_NAMES, Placing
from scoring.potential import size_segments
from scoring.product_models import ProductModels, load_models
from scoring.registry import ALL_PRODUCTS, FIT, SIGNALS, load_in_use, load_signal_model
from scoring.signal_model import load_deals
from scoring.signal_training import learn_candidate
from scoring.verdict import NOT_READY
from storage.catalogue import NOT_SCORED, Catalogue, Product
from storage.ids import content_key
from storage.records import ModelCard
from storage.store import Store

N_DATES = 8
QUARTER_DAYS = 91
CLUSTERS = ("Act now", "Evaluate", "Nurture", "Educate", NOT_SCORED)
MIN_DEALS_TO_CALIBRATE = 30
MIN_DEALS_TO_RANK = 10  # a cluster with fewer does not decide whether the order holds
N_GAINS = 20
FORMAT = 1


@dataclass(frozen=True)
class _Outcomes:
    """Accounts at past dates, scored as of them, and what followed. Rows are pairs of date and account; deals point to rows."""

    window: Whole
    fit: Floats
    signals: Floats
    size: Texts
    could_buy: Flags
    bought: Flags
    deal_row: Whole
    deal_won: Flags

    @classmethod
    def joined(cls, parts: Sequence[_Outcomes]) -> _Outcomes:
        """All parts as one."""
        starts = np.cumsum([0, *(len(part.window) for part in parts)])
        rows = [part.deal_row + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            np.concatenate([part.window for part in parts]),
            np.concatenate([part.fit for part in parts]),
            np.concatenate([part.signals for part in parts]),
            np.concatenate([part.size for part in parts]),
            np.concatenate([part.could_buy for part in parts]),
            np.concatenate([part.bought for part in parts]),
            np.concatenate(rows),
            np.concatenate([part.deal_won for part in parts]),
        )


def validate_clusters(
    store: Store, catalogue: Catalogue, as_of: date, seed: int, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> ModelCard:
    """The card as of a date; the same date, book and catalogue give the same card."""
    dates = [as_of - timedelta(days=QUARTER_DAYS * k) for k in range(N_DATES + 1, 1, -1)]
    last = training_span(store, as_of)
    is_replay = _is_replay(store, dates)
    now = load_book(store, catalogue, as_of, last=last)
    parts: dict[str, list[_Outcomes]] = {product.product_id: [] for product in catalogue.products}
    for i, day in enumerate(dates):
        on_progress(i, len(dates))
        book = load_book(store, catalogue, day, last=last, replayed_from=as_of if is_replay else None)
        if not len(book):
            continue
        with one_thread():
            for n, product in enumerate(catalogue.products):
                parts[product.product_id].append(_score_then(store, catalogue, product, 1 << n, book, now, i, seed))
    on_progress(len(dates), len(dates))
    content: dict[str, Any] = {
        "format": FORMAT,
        "as_of": as_of.isoformat(),
        "dates": [day.isoformat() for day in dates],
        "horizon_days": QUARTER_DAYS,
        "events_known_by": "publication" if is_replay else "first sight",
        "matrix": catalogue.matrix.name,
        "catalogue_hash": catalogue.content_hash,
        "seed": seed,
        "products": [_product_card(store, catalogue, product, parts[product.product_id], as_of) for product in catalogue.products],
        "all_products": _figures([part for found in parts.values() for part in found], catalogue),
    }
    text = json.dumps(content, sort_keys=True)
    return ModelCard(content_key("model card", as_of, text), as_of.isoformat(), text)


def _is_replay(store: Store, dates: Sequence[date]) -> bool:
    """Whether most of the dates lie before the first page was ever fetched: then events count from their publication."""
    first = store.value("SELECT min(observed_at) FROM signal_events")
    return first is not None and str(first)[:10] > dates[len(dates) // 2].isoformat()


def _score_then(
    store: Store, catalogue: Catalogue, product: Product, bits: int, book: Book, now: Book, window: int, seed: int
) -> _Outcomes:
    day = book.as_of.toordinal()
    models = _models_then(store, catalogue, product, bits, book, now.as_of, seed)
    fit = np.full(len(book), np.nan)
    if models.fit is not None:
        columns = current_columns(book, models.bits(bits, len(catalogue.products)))
        fit = np.where(book.has_firmographics, models.fit.score(models.fit.log_odds(columns)), np.nan)
    scores = score_signals(book.events, len(book), models.weights, catalogue.half_lives_days, book.as_of).scores
    has_events = np.zeros(len(book), dtype=bool)
    has_events[book.events.account] = True
    signals = np.where(book.is_looked_at | has_events, scores, np.nan)
    keys = now.account_ids.astype(str)
    place = np.searchsorted(keys, book.account_ids.astype(str))
    first = first_purchase(now, bits)[place]
    row_of = np.full(len(now), -1)
    row_of[place] = np.arange(len(book))
    deals = now.deals
    counted = deals.is_closed & ((deals.products & np.int64(bits)) != 0) & (deals.created > day) & (deals.created <= day + QUARTER_DAYS)
    counted &= row_of[deals.account] >= 0
    return _Outcomes(
        np.full(len(book), window),
        fit,
        signals,
        size_segments(book, catalogue.segments),
        first > day,
        (first > day) & (first <= day + QUARTER_DAYS),
        row_of[deals.account[counted]],
        deals.is_won[counted],
    )


def _models_then(store: Store, catalogue: Catalogue, product: Product, bits: int, book: Book, as_of: date, seed: int) -> ProductModels:
    """The models that were in use on that day; where none had been released yet, those that would have been learned on it.

    Whether such a fit model is the product's own or that of all products is as it is on the card's date: the track record is of what is in use.
    """
    used = load_models(store, product, book.as_of)
    if load_in_use(store, FIT, product.product_id, book.as_of) is None:
        present = load_models(store, product, as_of)
        is_pooled = present.fit is not None and present.fit.product == ALL_PRODUCTS
        name = ALL_PRODUCTS if is_pooled else product.product_id
        used = replace(used, fit=train_plain(name, present.bits(bits, len(catalogue.products)), book, seed))
    if load_in_use(store, SIGNALS, product.product_id, book.as_of) is None:
        deals = load_deals(book, catalogue, bits)
        candidate = learn_candidate(deals, product, seed, ("auc",)) if len(deals.is_won) else None
        if candidate is not None and candidate.verdict.verdict != NOT_READY:
            used = replace(used, weights=candidate.model.weights)
    return used


def _product_card(store: Store, catalogue: Catalogue, product: Product, parts: list[_Outcomes], as_of: date) -> dict[str, Any]:
    models = []
    weights: list[dict[str, Any]] = []
    for kind in (FIT, SIGNALS):
        used = load_in_use(store, kind, product.product_id, as_of)
        if used is None:
            continue
        entry: dict[str, Any] = {
            "kind": kind,
            "decision": used.release["reason"],
            "released_on": used.release["released_on"],
            "model_id": None,
        }
        stand_in = load_in_use(store, FIT, ALL_PRODUCTS, as_of) if kind == FIT and used.model is None else None
        if stand_in is not None and stand_in.model is not None:
            used = stand_in
        if used.model is not None:
            entry["of"] = used.model["product"]
            metrics = {name: value for name, value in json.loads(used.model["metrics"]).items() if name != "baseline"}
            names = ("model_id", "trained_as_of", "trained_from", "n_positive", "n_other", "data_hash", "seed", "verdict")
            entry |= {name: used.model[name] for name in names} | {"metrics": metrics}
        models.append(entry)
        if kind == SIGNALS and used.model is not None:
            learned = load_signal_model(used.model)
            weights = [
                {
                    "type": name,
                    "catalogue": product.weights.get(name, 0.0),
                    "learned": value,
                    "low": learned.low[name],
                    "high": learned.high[name],
                }
                for name, value in sorted(learned.weights.items())
            ]
    return {"product": product.product_id, "title": product.title, "models": models, "weights": weights} | _figures(parts, catalogue)


def _figures(parts: Sequence[_Outcomes], catalogue: Catalogue) -> dict[str, Any]:
    """Everything that is counted, for one product or for all."""
    if not parts:
        return {"n_deals": 0, "n_won": 0, "n_bought": 0, "matrices": {}, "cells": [], "gains": {}, "reliability": [], "segments": []}
    rows = _Outcomes.joined(parts)
    won = rows.deal_won
    chances, judged = _chances(rows)
    bins = reliability(won[judged], chances[judged]) if judged.any() else []
    return {
        "n_deals": len(won),
        "n_won": int(won.sum()),
        "n_could_buy": int(rows.could_buy.sum()),
        "n_bought": int(rows.bought.sum()),
        "matrices": {matrix.name: _matrix_figures(rows, Placing(catalogue, matrix)) for matrix in catalogue.matrices},
        "cells": _cells(rows, Placing(catalogue)),
        "gains": _gains(rows),
        "auc": {
            "deals won by fit": _auc(won, rows.fit[rows.deal_row]),
            "deals won by signals": _auc(won, rows.signals[rows.deal_row]),
            "first purchases by fit": _auc(rows.bought[rows.could_buy], rows.fit[rows.could_buy]),
            "first purchases by signals": _auc(rows.bought[rows.could_buy], rows.signals[rows.could_buy]),
        },
        "reliability": [_bin(b) for b in bins],
        "calibration_error": round(calibration_error(bins), 4) if bins else None,
        "calibration_noise": round(calibration_noise(bins), 4) if bins else None,  # what right chances would show on so few deals
        "segments": _segment_figures(rows, Placing(catalogue)),
    }


def _bin(each: ReliabilityBin) -> dict[str, Any]:
    happened = wilson(each.rate * each.n_rows, each.n_rows)
    return {
        "n": each.n_rows, "said": round(each.mean_chance, 4), "happened": round(each.rate, 4), "low": happened.low, "high": happened.high,
    }  # fmt: skip


def _matrix_figures(rows: _Outcomes, placing: Placing) -> dict[str, Any]:
    _, clusters = placing.places(placing.bands(rows.fit), placing.bands(rows.signals))
    names = np.array(clusters, dtype=object)
    overall = float(rows.deal_won.mean()) if len(rows.deal_won) else float("nan")
    found = [_group(name, rows, names == name, overall) for name in CLUSTERS]
    rates = [row["win_rate"] for row in found if row["n_deals"] >= MIN_DEALS_TO_RANK and row["cluster"] != NOT_SCORED]
    return {"clusters": found, "is_in_order": all(a >= b for a, b in pairwise(rates))}


def _group(name: str, rows: _Outcomes, member: Flags, overall: float) -> dict[str, Any]:
    of_deal = member[rows.deal_row]
    n_deals, n_won = int(of_deal.sum()), int((rows.deal_won & of_deal).sum())
    rate = wilson(n_won, n_deals)
    could = member & rows.could_buy
    bought = wilson(int(rows.bought[could].sum()), int(could.sum()))
    return {
        "cluster": name, "n_accounts": int(member.sum()), "n_deals": n_deals, "n_won": n_won,
        "win_rate": _plain(rate.value), "win_rate_low": rate.low, "win_rate_high": rate.high,
        "lift": _plain(rate.value / overall) if overall else None,
        "lift_low": _plain(rate.low / overall) if overall and n_deals else None,
        "lift_high": _plain(rate.high / overall) if overall and n_deals else None,
        "n_could_buy": int(could.sum()), "n_bought": int(rows.bought[could].sum()),
        "purchase_rate": _plain(bought.value), "purchase_rate_low": bought.low, "purchase_rate_high": bought.high,
    }  # fmt: skip


def _cells(rows: _Outcomes, placing: Placing) -> list[dict[str, Any]]:
    fit, signals = placing.bands(rows.fit), placing.bands(rows.signals)
    cells = []
    for f in range(len(BAND_NAMES) - 2, -1, -1):
        for s in (*range(len(BAND_NAMES) - 2, -1, -1), len(BAND_NAMES) - 1):
            member = (fit == f) & (signals == s)
            of_deal = member[rows.deal_row]
            n_deals, n_won = int(of_deal.sum()), int((rows.deal_won & of_deal).sum())
            rate = wilson(n_won, n_deals)
            cells.append(
                {
                    "fit": BAND_NAMES[f], "signals": BAND_NAMES[s] or NOT_SCORED, "n_accounts": int(member.sum()), "n_deals": n_deals,
                    "n_won": n_won, "win_rate": _plain(rate.value), "low": rate.low, "high": rate.high,
                }
            )  # fmt: skip
    return cells


def _segment_figures(rows: _Outcomes, placing: Placing) -> list[dict[str, Any]]:
    """Win rate of Act now and Evaluate against the rest, by size of the account."""
    _, clusters = placing.places(placing.bands(rows.fit), placing.bands(rows.signals))
    is_hot = np.isin(np.array(clusters, dtype=object), ("Act now", "Evaluate"))
    found = []
    for size in ("Small", "Medium", "Upper Medium", "Corporate", "unknown"):
        of_deal = (rows.size == size)[rows.deal_row]
        if not of_deal.any():
            continue
        hot, rest = of_deal & is_hot[rows.deal_row], of_deal & ~is_hot[rows.deal_row]
        hot_rate, rest_rate = (wilson(int((rows.deal_won & group).sum()), int(group.sum())) for group in (hot, rest))
        found.append(
            {
                "segment": size, "n_deals": int(of_deal.sum()), "n_hot": int(hot.sum()), "win_rate_hot": _plain(hot_rate.value),
                "win_rate_hot_low": hot_rate.low, "win_rate_hot_high": hot_rate.high, "win_rate_rest": _plain(rest_rate.value),
                "win_rate_rest_low": rest_rate.low, "win_rate_rest_high": rest_rate.high,
            }
        )  # fmt: skip
    return found


def _gains(rows: _Outcomes) -> dict[str, list[list[float]]]:
    """Share of wins found in the first share of the deals, deals ranked by fit, by signals, and by both."""
    fit, signals = (np.nan_to_num(scores[rows.deal_row], nan=-1.0) for scores in (rows.fit, rows.signals))
    if not rows.deal_won.any():
        return {}
    ranked = {"fit": fit, "buying signals": signals, "both": fit + np.maximum(signals, 0.0)}
    curves = {}
    for name, scores in ranked.items():
        curves[name] = [
            [0.0, 0.0],
            *([round(k / N_GAINS, 3), _share_in_top(rows.deal_won, scores, k / N_GAINS)] for k in range(1, N_GAINS + 1)),
        ]
    return curves


def _share_in_top(labels: Flags, scores: Floats, share: float) -> float:
    order = np.argsort(-scores, kind="stable")
    edge = scores[order[min(len(order) - 1, max(0, int(np.ceil(share * len(order))) - 1))]]
    above, at_edge = scores > edge, scores == edge
    part = (share * len(order) - above.sum()) / at_edge.sum()
    return round(float((labels[above].sum() + labels[at_edge].sum() * part) / labels.sum()), 4)


def _chances(rows: _Outcomes) -> tuple[Floats, Flags]:
    """Each deal's chance to be won by a regression on fit and signals over the deals of earlier dates; and which deals have one."""
    window = rows.window[rows.deal_row]
    matrix = np.column_stack(
        [np.nan_to_num(scores[rows.deal_row], nan=middle) / 25 for scores, middle in ((rows.fit, 50.0), (rows.signals, 0.0))]
    )
    chances, judged = np.zeros(len(window)), np.zeros(len(window), dtype=bool)
    for each in np.unique(window):
        past, own = window < each, window == each
        if past.sum() < MIN_DEALS_TO_CALIBRATE or not 0 < rows.deal_won[past].sum() < past.sum():
            continue
        coefficients, intercept = fit_logistic(matrix[past], rows.deal_won[past].astype(float), np.ones(int(past.sum())), np.eye(2))
        chances[own] = sigmoid(matrix[own] @ np.maximum(coefficients, 0.0) + intercept)
        judged |= own
    return chances, judged


def _auc(labels: Flags, scores: Floats) -> float | None:
    known = ~np.isnan(scores)
    return _plain(auc(labels[known], scores[known]))


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
