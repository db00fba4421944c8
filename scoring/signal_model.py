"""Weights of event types for a product, learned from won and lost deals, with the catalogue's weights as the prior.

One unit of weight stands for 0.4 log-odds of winning. Few deals leave the weights where the catalogue puts them; many let the data speak. A type
never changes its sign: one that speaks for a purchase cannot come to speak against it, so scores stay monotone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.additive import make_design
from scoring.book import Book
from scoring.buying_signals import strengths
from scoring.columns import Columns, Flags, Floats, Whole
from scoring.features import fit_columns
from scoring.logistic import one_thread, sigmoid
from scoring.parameters import read_parameters, write_parameters
from storage.catalogue import Catalogue, Product

UNIT_LOG_ODDS = 0.4  # of one unit of weight; the prior
UNIT_SPREAD = 0.2
TYPE_SPREAD = 0.5  # log-odds by which a type's effect may differ from the catalogue's before the prior resists
ZERO_SPREAD = 0.15  # the same for types the catalogue gives no weight
MAX_WEIGHT = 6.0
MIN_OUTCOMES = 10  # of either kind; below it nothing is learned
CONTROL_PENALTY = 5.0
FORMAT = 1


@dataclass(frozen=True)
class SignalModel:
    """Weights by event type, each with its 95 % interval; ``unit`` is how many log-odds one unit of the catalogue turned out to be."""

    product: str
    weights: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    unit: float

    def to_json(self) -> str:
        """The parameters as JSON."""
        return write_parameters(
            FORMAT, product=self.product, weights=dict(self.weights), low=dict(self.low), high=dict(self.high), unit=self.unit
        )

    @classmethod
    def from_json(cls, text: str) -> SignalModel:
        """The model that ``to_json`` wrote.

        Raises:
            ValueError: another format.
        """
        return cls(**read_parameters(text, FORMAT))


@dataclass(frozen=True)
class DealTable:
    """Closed deals for one product, by the day they were opened: what was public about the account that day, and how the deal ended."""

    types: tuple[str, ...]
    strength: Floats  # deals × types: summed strengths before weights
    controls: Columns  # firmographics and purchases: so that a type common among likely buyers is not praised for it
    is_won: Flags
    created: Whole
    closed: Whole
    account: Whole

    def rows(self, index: Whole | Flags) -> DealTable:
        """The deals at an index, or where a mask holds."""
        return DealTable(
            self.types, self.strength[index], self.controls.rows(index), self.is_won[index], self.created[index], self.closed[index], self.account[index]
        )  # fmt: skip

    def prior_score(self, weights: Mapping[str, float]) -> Floats:
        """The weighted sum of each deal's strengths."""
        total: Floats = self.strength @ np.array([weights.get(name, 0.0) for name in self.types])
        return total


def load_deals(book: Book, catalogue: Catalogue, bits: int) -> DealTable:
    """The closed deals of accounts that were ever looked at: of the others, silence says nothing.

    An event counts for a deal when it was public (published, or seen by us) before the day the deal was opened. Publication rather than our own
    first sight, because deals of the years before the first crawl would otherwise teach nothing; by the book's date we had seen every one of them.
    """
    deals, events = book.deals, book.events
    has_events = np.zeros(len(book), dtype=bool)
    has_events[events.account] = True
    chosen = deals.is_closed & ((deals.products & np.int64(bits)) != 0) & (book.was_ever_looked_at | has_events)[deals.account]
    account, created = deals.account[chosen], deals.created[chosen]
    types = tuple(sorted(name for name, days in catalogue.half_lives_days.items() if days > 0))
    index = {name: i for i, name in enumerate(types)}
    strength = np.zeros((len(account), len(types)))
    # Events are sorted by account: each deal's events are one span.
    first, last = np.searchsorted(events.account, account, side="left"), np.searchsorted(events.account, account, side="right")
    n_each = last - first
    deal_of = np.repeat(np.arange(len(account)), n_each)
    event_of = np.arange(n_each.sum()) - np.repeat(np.cumsum(n_each) - n_each, n_each) + np.repeat(first, n_each)
    is_before = (events.public[event_of] < created[deal_of]) & (events.occurred[event_of] <= created[deal_of] + 366)
    deal_of, event_of = deal_of[is_before], event_of[is_before]
    known = events.rows(event_of)
    values, _ = strengths(known, catalogue.half_lives_days, created[deal_of])
    codes = np.array([index.get(name, -1) for name in known.types], dtype=np.int64)[known.type_at]
    counted = codes >= 0
    np.add.at(strength, (deal_of[counted], codes[counted]), values[counted])
    controls = _controls(book, bits, account, created)
    return DealTable(types, strength, controls, deals.is_won[chosen], created, deals.closed[chosen], account)


def _controls(book: Book, bits: int, account: Whole, created: Whole) -> Columns:
    """What was known of the accounts at the start of the year in which each deal was opened: one pass per year."""
    years = created // 365
    parts: dict[str, Floats] = {}
    rows = fit_columns(book, bits, np.full(len(book), book.as_of.toordinal())).rows(account)
    for year in np.unique(years):
        at = years == year
        numbers = fit_columns(book, bits, np.full(len(book), int(year) * 365)).numbers
        for name, column in numbers.items():
            parts.setdefault(name, np.empty(len(account)))[at] = column[account[at]]
    return Columns(parts or rows.numbers, {name: rows.categories[name] for name in ("industry", "country", "mail system")})


def learn_weights(deals: DealTable, product: Product) -> SignalModel | None:
    """The most probable weights; None when too few deals were won or lost.

    Minimises log-loss + ½ Σ ((effect - unit · catalogue weight) / spread)² + ½ ((unit - 0.4) / 0.2)² + controls' penalty over effects that keep the
    catalogue's sign, by L-BFGS-B; intervals come from the curvature there (Laplace's approximation).
    """
    from scipy.optimize import minimize

    n_won = int(deals.is_won.sum())
    if min(n_won, len(deals.is_won) - n_won) < MIN_OUTCOMES:
        return None
    prior = np.array([product.weights.get(name, 0.0) for name in deals.types])
    spread = np.where(prior != 0, TYPE_SPREAD, ZERO_SPREAD)
    design = make_design(deals.controls)
    controls = design.matrix(deals.controls)
    penalty = design.penalty(CONTROL_PENALTY, float(min(n_won, len(deals.is_won) - n_won)))
    matrix = np.column_stack([deals.strength, controls, np.ones(len(controls))])
    n_types, n_controls = len(prior), controls.shape[1]
    target = deals.is_won.astype(float)

    def loss(position: Floats) -> tuple[float, Floats]:
        unit, coefficients = position[0], position[1:]
        log_odds = matrix @ coefficients
        departure = (coefficients[:n_types] - unit * prior) / spread
        held = coefficients[n_types:-1]
        value = float((np.logaddexp(0.0, log_odds) - target * log_odds).sum())
        value += 0.5 * float(departure @ departure) + 0.5 * ((unit - UNIT_LOG_ODDS) / UNIT_SPREAD) ** 2 + 0.5 * float(held @ penalty @ held)
        gradient = matrix.T @ (sigmoid(log_odds) - target)
        gradient[:n_types] += departure / spread
        gradient[n_types:-1] += penalty @ held
        of_unit = (unit - UNIT_LOG_ODDS) / UNIT_SPREAD**2 - float((departure / spread) @ prior)
        return value, np.concatenate([[of_unit], gradient])

    start = np.concatenate([[UNIT_LOG_ODDS], UNIT_LOG_ODDS * prior, np.zeros(n_controls + 1)])
    bounds = [(0.0, None), *((0.0, None) if weight >= 0 else (None, 0.0) for weight in prior), *[(None, None)] * (n_controls + 1)]
    with one_thread():
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-7})
        effects, sizes = found.x[1 : 1 + n_types], _spreads(matrix, found.x, prior, spread, penalty)
    in_units = effects / UNIT_LOG_ODDS
    half = 1.96 * sizes / UNIT_LOG_ODDS
    low, high = in_units - half, in_units + half
    low, high = np.where(prior >= 0, np.maximum(low, 0.0), low), np.where(prior >= 0, high, np.minimum(high, 0.0))

    def named(values: Floats) -> dict[str, float]:
        return {name: round(float(np.clip(value, -MAX_WEIGHT, MAX_WEIGHT)), 6) for name, value in zip(deals.types, values, strict=True)}

    return SignalModel(product.product_id, named(in_units), named(low), named(high), round(float(found.x[0]), 6))


def _spreads(matrix: Floats, position: Floats, prior: Floats, spread: Floats, penalty: Floats) -> Floats:
    """Standard deviations of the effects, by the inverse of the curvature at the minimum."""
    n_types = len(prior)
    chance = sigmoid(matrix @ position[1:])
    hessian = np.zeros((len(position), len(position)))
    hessian[1:, 1:] = (matrix * (chance * (1 - chance))[:, None]).T @ matrix
    at = np.arange(1, 1 + n_types)
    hessian[at, at] += 1 / spread**2
    hessian[0, 0] = 1 / UNIT_SPREAD**2 + float((prior / spread) @ (prior / spread))
    hessian[0, at] = hessian[at, 0] = -prior / spread**2
    hessian[1 + n_types : -1, 1 + n_types : -1] += penalty
    hessian[-1, -1] += 1e-9
    spreads: Floats = np.sqrt(np.maximum(np.diag(np.linalg.inv(hessian))[1 : 1 + n_types], 0.0))
    return spreads
