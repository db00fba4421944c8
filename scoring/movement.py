"""What moved since the run before: who left its segment, and by how many points each cause – event, firmographic, model – moved a score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from scoring.book import Book
from scoring.buying_signals import score_signals
from scoring.columns import Floats
from scoring.fit_training import current_columns
from scoring.placing import Placing
from scoring.product_models import ProductModels, load_models_of_run
from storage.catalogue import Catalogue, Product
from storage.errors import ModelError
from storage.store import Row, Store

DIGITS = 6


@dataclass(frozen=True, slots=True)
class UnderThen:
    """An account's present features and events, scored as the run before would have: what lies between the two runs' scores and these is not the model's.

    Points add up to the score, with the base of fit; scores are None where none could be given.
    """

    fit: float | None
    fit_points: Mapping[str, float]  # by feature
    signals: float | None
    event_points: Mapping[str, float]  # by event id


@dataclass(frozen=True)
class Previous:
    """The run before, and the models it used."""

    run_id: str
    models: Mapping[str, ProductModels]
    half_lives_days: Mapping[str, float]

    def movements(
        self, store: Store, book: Book, product: Product, bits: int, fit: Floats, signals: Floats, segments: list[str | None],
        clusters: list[str], placing: Placing, first: str, last: str,
    ) -> Iterator[tuple[str, str, str | None, str, str | None, str, str]]:  # fmt: skip
        """Rows of cluster_movements without the run: account, product, from, to, cause.

        The way from then to now is walked in three steps – events (new ones and the ageing of old ones), firmographics and purchases, model – and
        the cause names the steps at which the segment changed.
        """
        name = product.product_id
        rows = {row["account_id"]: row for row in store.query(_PREVIOUS_SQL, (self.run_id, name, first, last))}
        used = self.models[name]
        then_signals = score_signals(book.events, len(book), used.weights, self.half_lives_days, book.as_of).scores
        then_fit = np.full(len(book), np.nan)
        if used.fit is not None:
            then_fit = used.fit.score(used.fit.log_odds(current_columns(book, used.bits(bits, len(self.models)))))
        then_fit = np.where(np.isnan(fit), np.nan, np.round(then_fit, DIGITS))
        then_signals = np.where(np.isnan(signals), np.nan, np.round(then_signals, DIGITS))
        for i, account_id in enumerate(book.account_ids.tolist()):
            row = rows.get(account_id)
            if row is None or (row["segment"], row["cluster"]) == (segments[i], clusters[i]):
                continue
            cause = _cause(row, placing, (fit[i], signals[i]), (then_fit[i], then_signals[i]))
            yield account_id, name, row["segment"], row["cluster"], segments[i], clusters[i], cause

    def score(self, book: Book, product: Product, bits: int) -> UnderThen:
        """The one account of a book under the models of then."""
        used = self.models[product.product_id]
        events = score_signals(book.events, 1, used.weights, self.half_lives_days, book.as_of)
        points = dict(zip(book.events.event_id.tolist(), events.points.tolist(), strict=True))
        if used.fit is None:
            return UnderThen(None, {}, float(events.scores[0]), points)
        scores, _, parts = used.fit.explain(current_columns(book, used.bits(bits, len(self.models))))
        by_feature = dict(zip(used.fit.additive.names, parts[0].tolist(), strict=True))
        return UnderThen(float(scores[0]), by_feature, float(events.scores[0]), points)


def load_previous(store: Store, catalogue: Catalogue, as_of: date) -> Previous | None:
    """The last run before the date; None when there is none."""
    run = next(
        store.query("SELECT * FROM scoring_runs WHERE as_of < ? ORDER BY as_of DESC, rowid DESC LIMIT 1", (as_of.isoformat(),)), None
    )
    if run is None:
        return None
    models = {product.product_id: _models_then(store, product, run["run_id"]) for product in catalogue.products}
    return Previous(run["run_id"], models, catalogue.half_lives_days)


def _models_then(store: Store, product: Product, run_id: str) -> ProductModels:
    try:
        return load_models_of_run(store, product, run_id)
    except ModelError:  # saved in an older format: what moved is then put down to the model
        return ProductModels(None, None, None, product.weights, None, None)


_PREVIOUS_SQL = """
    SELECT c.account_id, c.segment, c.cluster, f.score AS fit, s.score AS signals
    FROM cluster_assignments c JOIN fit_scores f USING (run_id, account_id, product) JOIN signal_scores s USING (run_id, account_id, product)
    WHERE c.run_id = ? AND c.product = ? AND c.account_id >= ? AND c.account_id < ?
"""


def _cause(row: Row, placing: Placing, now: tuple[float, float], under_old_models: tuple[float, float]) -> str:
    old_fit, old_signals = (float("nan") if row[name] is None else float(row[name]) for name in ("fit", "signals"))
    if np.isnan(old_fit) != np.isnan(now[0]) or np.isnan(old_signals) != np.isnan(now[1]):
        return "coverage"

    def cell(fit: float, signals: float) -> tuple[str | None, str]:
        segments, clusters = placing.places(placing.bands(np.array([fit])), placing.bands(np.array([signals])))
        return segments[0], clusters[0]

    way = [
        ("", (row["segment"], row["cluster"])),
        ("event", cell(old_fit, under_old_models[1])),
        ("firmographic", cell(old_fit if np.isnan(under_old_models[0]) else under_old_models[0], under_old_models[1])),
        ("model", cell(*now)),
    ]
    steps = [name for (_, before), (name, after) in pairwise(way) if before != after]
    return " and ".join(steps) or "model"
