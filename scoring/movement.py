"""Who left its segment since the run before, and what moved it: an event, a firmographic, or the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from scoring.book import Book
from scoring.buying_signals import score_signals
from scoring.columns import Floats
from scoring.fit import FitModel
from scoring.fit_training import current_columns
from scoring.placing import Placing
from scoring.registry import ALL_PRODUCTS, SIGNALS, load_fit_model, load_in_use, load_signal_model
from storage.catalogue import Catalogue, Product
from storage.errors import ModelError
from storage.store import Row, Store

DIGITS = 6


@dataclass(frozen=True)
class Previous:
    """The run before, and the models it used."""

    run_id: str
    fit: Mapping[str, FitModel]
    weights: Mapping[str, Mapping[str, float]]
    half_lives_days: Mapping[str, float]
    all_bits: int

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
        then_signals = score_signals(book.events, len(book), self.weights[name], self.half_lives_days, book.as_of).scores
        model = self.fit.get(name)
        then_bits = self.all_bits if model and model.product == ALL_PRODUCTS else bits
        then_fit = model.score(model.log_odds(current_columns(book, then_bits))) if model else fit
        then_fit = np.where(np.isnan(fit), np.nan, np.round(then_fit, DIGITS))
        then_signals = np.where(np.isnan(signals), np.nan, np.round(then_signals, DIGITS))
        for i, account_id in enumerate(book.account_ids.tolist()):
            row = rows.get(account_id)
            if row is None or (row["segment"], row["cluster"]) == (segments[i], clusters[i]):
                continue
            cause = _cause(row, placing, (fit[i], signals[i]), (then_fit[i], then_signals[i]))
            yield account_id, name, row["segment"], row["cluster"], segments[i], clusters[i], cause


def load_previous(store: Store, catalogue: Catalogue, as_of: date) -> Previous | None:
    """The last run before the date; None when there is none."""
    run = next(
        store.query("SELECT * FROM scoring_runs WHERE as_of < ? ORDER BY as_of DESC, rowid DESC LIMIT 1", (as_of.isoformat(),)), None
    )
    if run is None:
        return None
    fit: dict[str, FitModel] = {}
    for row in store.query(
        "SELECT DISTINCT f.product AS scored, m.* FROM fit_scores f JOIN model_versions m USING (model_id) WHERE f.run_id = ?",
        (run["run_id"],),
    ):
        try:
            fit[row["scored"]] = load_fit_model(row)
        except ModelError:
            continue  # a model of an older format: the movement is then put down to the model as a whole
    weights = {}
    for product in catalogue.products:
        used = load_in_use(store, SIGNALS, product.product_id, date.fromisoformat(run["as_of"]))
        weights[product.product_id] = load_signal_model(used.model).weights if used and used.model else product.weights
    return Previous(run["run_id"], fit, weights, catalogue.half_lives_days, (1 << len(catalogue.products)) - 1)


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
        ("firmographic", cell(*under_old_models)),
        ("model", cell(*now)),
    ]
    steps = [name for (_, before), (name, after) in pairwise(way) if before != after]
    return " and ".join(steps) or "model"
