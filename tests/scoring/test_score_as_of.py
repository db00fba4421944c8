"""A score as of a date knows nothing of what came after it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.run import score_book
from storage.records import Record
from storage.store import Store
from tests.scoring.books import (
    CATALOGUE,
    LAST_DAY,
    account_records,
    deal,
    event_records,
    fill_store,
    firmographics,
    scores_of,
    transaction,
)  # fmt: skip

AS_OF = date(2026, 2, 10)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with fill_store(tmp_path_factory.mktemp("book") / "book.db") as opened:
        yield opened


def test_the_same_date_twice_gives_the_same_bytes(store: Store) -> None:
    first = score_book(store, CATALOGUE, AS_OF, seed=1)
    before = scores_of(store, first.run_id)
    again = score_book(store, CATALOGUE, AS_OF, seed=1)
    assert again == first
    assert scores_of(store, again.run_id) == before
    assert any(row[3] is not None for row in before)


later_days = st.integers(1, 400).map(lambda days: AS_OF + timedelta(days=days))
later_rows = st.one_of(
    st.tuples(st.just("purchase"), later_days, st.integers(0, 239)),
    st.tuples(st.just("deal"), later_days, st.integers(0, 239)),
    st.tuples(st.just("firmographics"), later_days, st.integers(0, 239)),
    st.tuples(st.just("event"), later_days, st.integers(0, 239)),
    st.tuples(st.just("old event seen later"), later_days, st.integers(0, 239)),
    st.tuples(st.just("second source seen later"), later_days, st.integers(0, 239)),
    st.tuples(st.just("account"), later_days, st.integers(0, 239)),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(later_rows, min_size=1, max_size=8))
def test_rows_of_later_days_change_no_score(store: Store, rows: list[tuple[str, date, int]]) -> None:
    before = score_book(store, CATALOGUE, AS_OF, seed=1)
    expected = scores_of(store, before.run_id)
    account_ids = [
        row["account_id"] for row in store.query("SELECT account_id FROM accounts WHERE observed_on <= ? ORDER BY 1", (str(AS_OF),))
    ]
    for kind, day, which in rows:
        store.save(_later_records(store, kind, day, account_ids[which % len(account_ids)]))
    after = score_book(store, CATALOGUE, AS_OF, seed=1)
    assert after.run_id == before.run_id
    assert scores_of(store, after.run_id) == expected


def _later_records(store: Store, kind: str, day: date, account_id: str) -> list[Record]:
    if kind == "purchase":
        return [transaction(account_id, "Azure", day, 9999.0)]
    if kind == "deal":
        return [deal(account_id, "Business Central", day, day + timedelta(days=5), "won")]
    if kind == "firmographics":
        return [firmographics(account_id, day, 4000, "Retail")]
    if kind == "event":
        return event_records(account_id, "cloud_migration", day, day)
    if kind == "old event seen later":
        return event_records(account_id, "cloud_migration", AS_OF - timedelta(days=20), day)
    if kind == "second source seen later":
        known = store.value(
            "SELECT event_id FROM signal_events WHERE account_id = ? AND observed_at <= ?", (account_id, f"{AS_OF}T23:59:59Z")
        )
        return event_records(account_id, "funding_round", AS_OF - timedelta(days=20), day, duplicate_of=known, mark="second")
    account, *rest = account_records(f"later{day}.test", np.random.default_rng(day.toordinal()))
    return [dataclasses.replace(account, observed_on=day.isoformat()), *rest]  # type: ignore[call-arg]


def test_contributions_add_up_to_the_scores(store: Store) -> None:
    run = score_book(store, CATALOGUE, LAST_DAY, seed=1)
    n_checked = 0
    for row in store.query("SELECT score, contributions FROM fit_scores WHERE run_id = ? AND score IS NOT NULL", (run.run_id,)):
        parts = json.loads(row["contributions"])
        assert abs(parts["base"] + sum(point["points"] for point in parts["points"]) - row["score"]) < 1e-6
        n_checked += 1
    for row in store.query("SELECT score, contributions FROM signal_scores WHERE run_id = ? AND score IS NOT NULL", (run.run_id,)):
        assert abs(sum(point["points"] for point in json.loads(row["contributions"])) - row["score"]) < 1e-6
        assert 0 <= row["score"] <= 100
        n_checked += 1
    assert n_checked > 1000


def test_what_moved_a_segment_is_named(store: Store) -> None:
    score_book(store, CATALOGUE, date(2026, 4, 10), seed=1)
    account_id = store.value(
        "SELECT account_id FROM cluster_assignments WHERE product = 'Azure' AND fit_band = 'High' AND signals_band = 'Very low' ORDER BY 1"
    )
    for mark in ("a", "b", "c"):
        store.save(event_records(account_id, "cloud_migration", date(2026, 4, 20), date(2026, 4, 21), mark=mark))
    run = score_book(store, CATALOGUE, date(2026, 5, 10), seed=1)
    movement = next(
        store.query("SELECT * FROM cluster_movements WHERE run_id = ? AND account_id = ? AND product = 'Azure'", (run.run_id, account_id))
    )
    assert "event" in movement["cause"]
    assert movement["to_segment"] < "A4"
