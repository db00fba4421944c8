"""Buying signals: monotone, adding up, fading with time; weights that stay near the catalogue until deals say otherwise."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.book import Events
from scoring.buying_signals import score_signals
from scoring.columns import Columns
from scoring.signal_model import DealTable, SignalModel, learn_weights
from tests.scoring.books import CATALOGUE

AS_OF = date(2026, 11, 1)
PRODUCT = CATALOGUE.product("Azure")
POSITIVE = sorted(name for name, weight in PRODUCT.weights.items() if weight > 0)
event = st.tuples(st.sampled_from(sorted(PRODUCT.weights)), st.integers(-60, 900), st.floats(0.05, 1), st.integers(1, 9))
positive_event = st.tuples(st.sampled_from(POSITIVE), st.integers(-60, 900), st.floats(0.05, 1), st.integers(1, 9))


def _events(rows: list[tuple[str, int, float, int]]) -> Events:
    n = len(rows)
    days = np.array([AS_OF.toordinal() - row[1] for row in rows], dtype=np.int64)
    return Events(
        np.zeros(n, dtype=np.int64), np.array([f"e{i}" for i in range(n)], dtype=object), [row[0] for row in rows], np.arange(n),
        days, days, np.array([row[2] for row in rows]), np.array([row[3] for row in rows], dtype=np.int64),
    )  # fmt: skip


def _score(rows: list[tuple[str, int, float, int]], weights: dict[str, float] | None = None) -> float:
    return float(score_signals(_events(rows), 1, weights or PRODUCT.weights, CATALOGUE.half_lives_days, AS_OF).scores[0])


@given(st.lists(event, max_size=8), positive_event)
def test_one_more_positive_event_never_lowers_a_score(rows: list[tuple[str, int, float, int]], more: tuple[str, int, float, int]) -> None:
    assert _score([*rows, more]) >= _score(rows) - 1e-9


@given(st.lists(event, min_size=1, max_size=8))
def test_points_of_events_add_up_to_the_score(rows: list[tuple[str, int, float, int]]) -> None:
    scored = score_signals(_events(rows), 1, PRODUCT.weights, CATALOGUE.half_lives_days, AS_OF)
    assert abs(scored.points.sum() - scored.scores[0]) < 1e-6
    assert 0 <= scored.scores[0] <= 100


@given(positive_event, st.integers(1, 300))
def test_an_event_fades(row: tuple[str, int, float, int], days: int) -> None:
    name, age, confidence, n_sources = row
    assert _score([(name, max(0, age) + days, confidence, n_sources)]) <= _score([(name, max(0, age), confidence, n_sources)]) + 1e-9


def test_surer_events_and_more_sources_count_more() -> None:
    assert _score([("cloud_migration", 10, 0.9, 1)]) > _score([("cloud_migration", 10, 0.5, 1)])
    assert _score([("cloud_migration", 10, 0.9, 4)]) > _score([("cloud_migration", 10, 0.9, 1)])


def test_an_account_that_says_more_than_it_used_to_stands_higher() -> None:
    now, before = ("cloud_migration", 20, 0.9, 1), ("cloud_migration", 250, 0.9, 1)
    with_momentum = _score([now, before])
    strength = -3 * np.log(1 - with_momentum / 100)
    plain = sum(-3 * np.log(1 - _score([row]) / 100) / factor for row, factor in ((now, 1.25), (before, 1.0)))
    assert strength > plain


def _deals(n_deals: int, effects: dict[str, float], seed: int) -> DealTable:
    dice = np.random.default_rng(seed)
    types = tuple(sorted(name for name, days in CATALOGUE.half_lives_days.items() if days > 0))
    strength = np.where(dice.random((n_deals, len(types))) < 0.12, dice.uniform(0.3, 1.0, (n_deals, len(types))), 0.0)
    log_odds = -0.6 + strength @ np.array([effects.get(name, 0.0) for name in types])
    is_won = dice.random(n_deals) < 1 / (1 + np.exp(-log_odds))
    days = np.arange(n_deals) + 738_000
    controls = Columns({"employees (log)": dice.normal(4, 1, n_deals)}, {"industry": dice.choice(["a", "b"], n_deals).astype(object)})
    return DealTable(types, strength, controls, is_won, days, days + 30, np.arange(n_deals))


def _learn(deals: DealTable) -> SignalModel:
    model = learn_weights(deals, PRODUCT)
    assert model is not None
    return model


def test_too_few_deals_teach_nothing() -> None:
    assert learn_weights(_deals(15, {}, 1), PRODUCT) is None


def test_few_deals_leave_the_weights_near_the_catalogue() -> None:
    model = _learn(_deals(40, {"cloud_migration": 0.0}, 3))
    unit = model.unit / 0.4
    for name, weight in PRODUCT.weights.items():
        if name in model.weights:
            assert abs(model.weights[name] - weight * unit) < 0.9, name


def test_many_deals_recover_planted_effects_within_their_intervals() -> None:
    planted = {"cloud_migration": 2.0, "ai_initiative": 0.0, "product_launch": 0.8, "funding_round": 1.2}
    others = {name: 0.4 * weight for name, weight in PRODUCT.weights.items() if name not in planted}
    n_inside = n_all = 0
    for seed in range(5):
        model = _learn(_deals(8000, others | planted, seed))
        for name, effect in planted.items():
            n_all += 1
            n_inside += model.low[name] - 1e-6 <= effect / 0.4 <= model.high[name] + 1e-6
        assert model.weights["cloud_migration"] > model.weights["product_launch"] > model.weights["ai_initiative"]
    assert n_inside >= 0.85 * n_all


@pytest.mark.parametrize("n_deals", [150, 3000])
def test_learned_weights_keep_the_sign_of_the_catalogue(n_deals: int) -> None:
    model = _learn(_deals(n_deals, {name: -0.4 * weight for name, weight in PRODUCT.weights.items()}, 5))
    for name, weight in model.weights.items():
        assert weight * PRODUCT.weights.get(name, 0.0) >= 0
        assert weight >= 0 or PRODUCT.weights[name] < 0


def test_a_model_survives_its_json() -> None:
    model = _learn(_deals(200, {}, 1))
    assert SignalModel.from_json(model.to_json()) == model
