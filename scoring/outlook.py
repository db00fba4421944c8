"""What would move an account to another cell: the smallest change that lifts it, and the day on which it sinks if nothing happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from scoring.additive import LevelValues, NumberCurve
from scoring.book import Events, load_book
from scoring.buying_signals import score_signals
from scoring.columns import TECHNOLOGY, Columns
from scoring.fit import FitModel
from scoring.fit_training import current_columns
from scoring.movement import UnderThen, load_previous
from scoring.placing import NO_BAND, Placing
from scoring.product_models import load_models_of_run
from storage.catalogue import Catalogue, Product
from storage.store import Store

ASSUMED_CONFIDENCE = 0.8  # of an event that has not happened yet
MAX_EVENTS = 3
LOOKAHEAD_DAYS = 400
STEPS = 200
# Features that can change while the account stays the same company; a country or an industry cannot.
CHANGEABLE_NUMBERS = (
    "employees (log)",
    "annual revenue (log)",
    "other products owned",
    "spend on other products, 3 years (log)",
    "bought end-of-support products",
    "share of other deals won",
)
CHANGEABLE_CATEGORIES = ("mail system", TECHNOLOGY)


@dataclass(frozen=True, slots=True)
class EventChange:
    """``n_events`` fresh events of a type would lift the signal score into the next band."""

    event_type: str
    n_events: int
    segment: str | None
    cluster: str


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """The feature at ``value`` instead of what it is would lift the fit score into the next band; all else as it is."""

    feature: str
    value: float | str
    segment: str | None
    cluster: str


@dataclass(frozen=True, slots=True)
class Sinking:
    """Without a new event, ageing lets the account sink on this day."""

    on: str
    segment: str | None
    cluster: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """One product of one account; None where no such change is in reach, and where there is no run before."""

    by_event: EventChange | None
    by_feature: FeatureChange | None
    sinks: Sinking | None
    under_then: UnderThen | None


def load_outlook(store: Store, catalogue: Catalogue, run_id: str, account_id: str) -> dict[str, Outlook]:
    """The outlook of an account per product, under the models of a run and the book of its date."""
    as_of = date.fromisoformat(store.value("SELECT as_of FROM scoring_runs WHERE run_id = ?", (run_id,)))
    book = load_book(store, catalogue, as_of, account_id, account_id + "\x00")
    if not len(book):
        return {}
    scores = {
        row["product"]: (row["fit"], row["signals"])
        for row in store.query(
            "SELECT f.product, f.score AS fit, s.score AS signals FROM fit_scores f JOIN signal_scores s USING (run_id, account_id, product)"
            " WHERE run_id = ? AND account_id = ?",
            (run_id, account_id),
        )
    }
    placing = Placing(catalogue)
    previous = load_previous(store, catalogue, as_of)
    found = {}
    for i, product in enumerate(catalogue.products):
        if product.product_id not in scores:
            continue
        fit, signals = (np.nan if score is None else float(score) for score in scores[product.product_id])
        models = load_models_of_run(store, product, run_id)
        columns = current_columns(book, models.bits(1 << i, len(catalogue.products)))
        place = _Place(catalogue, placing, fit, signals)
        found[product.product_id] = Outlook(
            None if np.isnan(signals) else _by_event(book.events, product, models.weights, catalogue, place, as_of),
            None if models.fit is None or np.isnan(fit) else _by_feature(models.fit, columns, catalogue, place),
            None if np.isnan(signals) else _sinking(book.events, models.weights, catalogue, place, as_of),
            previous.score(book, product, 1 << i) if previous else None,
        )
    return found


class _Place:
    """Where an account stands, and where it would stand."""

    def __init__(self, catalogue: Catalogue, placing: Placing, fit: float, signals: float) -> None:
        self._placing, self.fit, self.signals = placing, fit, signals
        bands = catalogue.bands
        self._bounds = (bands.low, bands.medium, bands.high)
        self.now = self.at(fit, signals)

    def at(self, fit: float, signals: float) -> tuple[str | None, str]:
        """Segment and cluster of a pair of scores."""
        segments, clusters = self._placing.places(self._placing.bands(np.array([fit])), self._placing.bands(np.array([signals])))
        return segments[0], clusters[0]

    def band(self, score: float) -> int:
        """Number of the band."""
        return int(self._placing.bands(np.array([score]))[0])

    def next_bound(self, score: float) -> float | None:
        """The lower bound of the next band up; None in the highest."""
        return next((bound for bound in self._bounds if bound > score), None)


def _by_event(
    events: Events, product: Product, weights: Mapping[str, float], catalogue: Catalogue, place: _Place, as_of: date
) -> EventChange | None:
    """The fewest events, then the least of types, that reach another cell."""
    types = sorted(
        (name for name, weight in weights.items() if weight > 0 and catalogue.half_lives_days.get(name)), key=lambda n: (weights[n], n)
    )
    for n_events in range(1, MAX_EVENTS + 1):
        for name in types:
            score = float(score_signals(_with_fresh(events, name, n_events, as_of), 1, weights, catalogue.half_lives_days, as_of).scores[0])
            if place.band(score) > place.band(place.signals) and place.at(place.fit, score) != place.now:
                return EventChange(name, n_events, *place.at(place.fit, score))
    return None


def _with_fresh(events: Events, event_type: str, n: int, as_of: date) -> Events:
    day = np.full(n, as_of.toordinal(), dtype=np.int64)
    return Events(
        np.concatenate([events.account, np.zeros(n, dtype=np.int64)]),
        np.concatenate([events.event_id, np.array([f"~{i}" for i in range(n)], dtype=object)]),
        [*events.types, event_type],
        np.concatenate([events.type_at, np.full(n, len(events.types), dtype=np.int64)]),
        np.concatenate([events.occurred, day]),
        np.concatenate([events.public, day]),
        np.concatenate([events.confidence, np.full(n, ASSUMED_CONFIDENCE)]),
        np.concatenate([events.n_sources, np.ones(n, dtype=np.int64)]),
    )


def _by_feature(model: FitModel, columns: Columns, catalogue: Catalogue, place: _Place) -> FeatureChange | None:
    """The one feature whose smallest move, in shares of its range over the training book, reaches the next band of fit."""
    bound = place.next_bound(place.fit)
    if bound is None:
        return None
    total = float(model.log_odds(columns)[0])
    needed = float(np.interp(bound, [score for _, score in model.table], [x for x, _ in model.table])) - total + 1e-9
    best: tuple[float, str, float | str] | None = None
    for curve in model.additive.numbers:
        move = _move_of_number(curve, float(columns.numbers[curve.name][0]), needed) if curve.name in CHANGEABLE_NUMBERS else None
        if move is not None and (best is None or move[0] < best[0]):
            best = (move[0], curve.name, move[1])
    for table in model.additive.categories:
        level = (
            _move_of_level(table, str(columns.with_categories([table.name]).categories[table.name][0]), needed)
            if table.name.startswith(CHANGEABLE_CATEGORIES)
            else None
        )
        if level is not None and (best is None or best[0] > 0.5):
            best = (0.5, table.name, level)  # another system counts as half of a number's range
    if best is None:
        return None
    return FeatureChange(best[1], best[2], *place.at(bound, place.signals))


def _move_of_number(curve: NumberCurve, value: float, needed: float) -> tuple[float, float] | None:
    """How far (share of the knots' range) and to which value; None when no value reaches it or it is unknown now."""
    if np.isnan(value) or len(curve.knots) < 2:
        return None
    here = float(curve.parts(np.array([value]))[0])
    grid = np.linspace(curve.knots[0], curve.knots[-1], STEPS + 1)
    if not curve.name.endswith("(log)"):
        grid = np.unique(np.round(grid, 2))
    reached = grid[curve.parts(grid) - here >= needed]
    if not len(reached):
        return None
    nearest = float(reached[np.argmin(np.abs(reached - value))])
    return abs(nearest - value) / (curve.knots[-1] - curve.knots[0]), nearest


def _move_of_level(table: LevelValues, level: str, needed: float) -> str | None:
    """The level that reaches it with least to spare."""
    here = table.levels.get(level, table.other)
    reached = [(value, name) for name, value in table.levels.items() if value - here >= needed and name != "unknown"]
    return min(reached)[1] if reached else None


def _sinking(events: Events, weights: Mapping[str, float], catalogue: Catalogue, place: _Place, as_of: date) -> Sinking | None:
    if place.band(place.signals) in (0, NO_BAND):
        return None

    def there(days: int) -> tuple[float, tuple[str | None, str]]:
        score = float(score_signals(events, 1, weights, catalogue.half_lives_days, as_of + timedelta(days=days)).scores[0])
        return score, place.at(place.fit, score)

    for days in range(1, LOOKAHEAD_DAYS):
        score, cell = there(days)
        if place.band(score) < place.band(place.signals) and cell != place.now:
            return Sinking((as_of + timedelta(days=days)).isoformat(), *cell)
    return None
