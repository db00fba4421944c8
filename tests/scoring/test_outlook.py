"""`explain` says what would move an account, and it is true: done, it moves it there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from reports.explanation import explain_account
from scoring.book import load_book
from scoring.buying_signals import score_signals
from scoring.learning import learn_models
from scoring.outlook import load_outlook
from scoring.placing import Placing
from scoring.run import score_book
from storage.store import Store
from tests.scoring.books import CATALOGUE, event_records, fill_store, firmographics

AS_OF = date(2026, 9, 10)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with fill_store(tmp_path / "book.db", n_accounts=240) as opened:
        yield opened


def _accounts(store: Store, run_id: str, condition: str) -> list[str]:
    rows = store.query(
        f"SELECT account_id FROM cluster_assignments WHERE run_id = ? AND product = 'Azure' AND {condition} ORDER BY 1", (run_id,)
    )
    return [row["account_id"] for row in rows]


def _segment(store: Store, run_id: str, account_id: str) -> tuple[str, str]:
    row = next(
        store.query(
            "SELECT segment, cluster FROM cluster_assignments WHERE run_id = ? AND account_id = ? AND product = 'Azure'",
            (run_id, account_id),
        )
    )
    return row["segment"], row["cluster"]


def test_the_event_that_is_named_moves_the_account_and_a_lesser_one_does_not(store: Store) -> None:
    run = score_book(store, CATALOGUE, AS_OF, seed=1)
    account_id = _accounts(store, run.run_id, "fit_band = 'High' AND signals_band = 'Very low'")[0]
    change = load_outlook(store, CATALOGUE, run.run_id, account_id)["Azure"].by_event
    assert change is not None
    for i in range(change.n_events):
        store.save(event_records(account_id, change.event_type, AS_OF, AS_OF, confidence=0.8, mark=f"fresh {i}"))
    after = score_book(store, CATALOGUE, AS_OF, seed=1)
    assert _segment(store, after.run_id, account_id) == (change.segment, change.cluster) != _segment(store, run.run_id, account_id)


def test_the_feature_that_is_named_moves_the_account(store: Store) -> None:
    run = score_book(store, CATALOGUE, AS_OF, seed=1)
    for account_id in _accounts(store, run.run_id, "fit_band = 'Medium'"):
        change = load_outlook(store, CATALOGUE, run.run_id, account_id)["Azure"].by_feature
        if change is not None and change.feature == "employees (log)":
            break
    else:
        raise AssertionError("no account would move by its size")
    industry = store.value("SELECT industry FROM firmographics WHERE account_id = ?", (account_id,))
    store.save([firmographics(account_id, AS_OF, round(float(np.expm1(change.value))), industry)])
    after = score_book(store, CATALOGUE, AS_OF, seed=1)
    assert _segment(store, after.run_id, account_id) == (change.segment, change.cluster)


def test_an_account_sinks_on_the_day_that_is_named(store: Store) -> None:
    account_id = store.value("SELECT account_id FROM accounts ORDER BY 1")
    store.save(event_records(account_id, "cloud_migration", AS_OF, AS_OF))
    run = score_book(store, CATALOGUE, AS_OF, seed=1)
    rows = _accounts(store, run.run_id, "signals_band != 'Very low' AND fit_band IN ('High', 'Medium')")
    sinks = load_outlook(store, CATALOGUE, run.run_id, rows[0])["Azure"].sinks
    assert sinks is not None
    day = date.fromisoformat(sinks.on)
    before, on = (_aged_segment(store, run.run_id, rows[0], date.fromordinal(day.toordinal() - back)) for back in (1, 0))
    assert before == _segment(store, run.run_id, rows[0])
    assert on == (sinks.segment, sinks.cluster) != before


def _aged_segment(store: Store, run_id: str, account_id: str, day: date) -> tuple[str | None, str]:
    """Where the account's fit score and its events as they age put it on a day."""
    book = load_book(store, CATALOGUE, AS_OF, account_id, account_id + "\x00")
    fit = store.value("SELECT score FROM fit_scores WHERE run_id = ? AND account_id = ? AND product = 'Azure'", (run_id, account_id))
    signals = score_signals(book.events, 1, CATALOGUE.product("Azure").weights, CATALOGUE.half_lives_days, day).scores
    placing = Placing(CATALOGUE)
    segments, clusters = placing.places(placing.bands(np.array([fit])), placing.bands(signals))
    return segments[0], clusters[0]


def test_an_explanation_tells_what_changed_since_the_run_before(store: Store, tmp_path: Path) -> None:
    first = score_book(store, CATALOGUE, AS_OF, seed=1)
    account_id = _accounts(store, first.run_id, "fit_band = 'High' AND signals_band = 'Very low'")[0]
    store.save(event_records(account_id, "cloud_migration", date(2026, 9, 20), date(2026, 9, 21)))
    score_book(store, CATALOGUE, date(2026, 9, 28), seed=1)
    explained = explain_account(store, CATALOGUE, account_id, "Azure", None, tmp_path)
    moved = explained.products[0].moved
    assert moved is not None
    assert (moved.since, moved.from_segment, moved.cause) == ("2026-09-10", "A4", "event")
    assert moved.signal_change is not None
    assert moved.signal_change > 30
    assert moved.parts[0] == (pytest.approx(moved.signal_change, abs=10), "cloud migration, new")


def test_a_movement_is_split_exactly_by_what_caused_it(store: Store, tmp_path: Path) -> None:
    first = score_book(store, CATALOGUE, AS_OF, seed=1)
    account_id = _accounts(store, first.run_id, "fit_band = 'Medium'")[0]
    store.save(event_records(account_id, "cloud_migration", date(2026, 9, 20), date(2026, 9, 21)))
    store.save([firmographics(account_id, date(2026, 10, 1), 4000, "Manufacturing")])
    learn_models(store, CATALOGUE, date(2026, 10, 2), seed=7)
    run = score_book(store, CATALOGUE, date(2026, 10, 5), seed=1)

    def load(run_id: str, account: str) -> dict[str, dict[str, object]]:
        return {name: dataclasses.asdict(each) for name, each in load_outlook(store, CATALOGUE, run_id, account).items()}

    moved = explain_account(store, CATALOGUE, account_id, "Azure", None, tmp_path, load).products[0].moved
    assert moved is not None
    steps = {(step.score, step.cause): step.points for step in moved.steps}
    assert set(steps) == {("fit", "firmographic"), ("fit", "model"), ("signals", "event"), ("signals", "model")}
    assert steps["fit", "firmographic"] > 5  # the account has grown
    assert steps["fit", "model"] != 0  # learned from other bags
    assert steps["signals", "event"] > 20
    assert moved.fit_change == pytest.approx(steps["fit", "firmographic"] + steps["fit", "model"], abs=1e-3)
    assert moved.signal_change == pytest.approx(steps["signals", "event"] + steps["signals", "model"], abs=1e-3)
    assert run.run_id != first.run_id


def test_the_outlook_is_under_the_models_of_the_run_whatever_was_learned_since(store: Store) -> None:
    run = score_book(store, CATALOGUE, AS_OF, seed=1)
    account_id = _accounts(store, run.run_id, "fit_band = 'Medium'")[0]
    before = load_outlook(store, CATALOGUE, run.run_id, account_id)
    learn_models(store, CATALOGUE, AS_OF, seed=9)
    assert load_outlook(store, CATALOGUE, run.run_id, account_id) == before


def test_an_explanation_names_potential_and_next_workload(store: Store, tmp_path: Path) -> None:
    run = score_book(store, CATALOGUE, AS_OF, seed=1)
    account_id = store.value("SELECT account_id FROM next_workloads WHERE run_id = ? ORDER BY 1", (run.run_id,))
    explained = explain_account(store, CATALOGUE, account_id, "Azure", None, tmp_path)
    low, high = explained.products[0].potential_revenue_low_usd, explained.products[0].potential_revenue_high_usd
    assert low is not None
    assert high is not None
    assert 0 < low < high
    assert explained.next_workload in {product.title for product in CATALOGUE.products}
    assert explained.next_workload_share is not None
    assert 0 < explained.next_workload_share < 1
