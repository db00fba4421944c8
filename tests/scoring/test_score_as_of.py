"""A score as of a date knows nothing of what came after it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.book import load_book
from scoring.columns import Columns
from scoring.fit import FitModel
from scoring.fit_training import current_columns
from scoring.learning import learn_models
from scoring.run import score_book
from storage.ids import content_key
from storage.records import TABLES, Record, TechnologyObservation
from storage.store import Store, create_store, open_writer
from tests.scoring.books import (
    CATALOGUE,
    FIRST_DAY,
    LAST_DAY,
    account_records,
    deal,
    event_records,
    fill_store,
    firmographics,
    scores_of,
    transaction,
)  # fmt: skip

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 2, 10)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with fill_store(tmp_path_factory.mktemp("book") / "book.db") as opened:
        ids = [row["account_id"] for row in opened.query("SELECT account_id FROM accounts ORDER BY 1")]
        opened.save(_technology(account_id, name) for account_id in ids[::2] for name in ("WordPress", "Drupal"))
        yield opened


def _technology(account_id: str, name: str, category: str = "cms") -> TechnologyObservation:
    return TechnologyObservation(
        content_key("seen", account_id, name), account_id, name, category, "header", str(FIRST_DAY), "2025-12-01", None, "header", 1, 1, None, 0, None, None,
        None,
    )  # fmt: skip


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
    st.tuples(st.just("page looked at again"), later_days, st.integers(0, 239)),
    st.tuples(st.just("technology seen again"), later_days, st.integers(0, 239)),
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
        if kind == "page looked at again":
            store.execute(
                "UPDATE pages SET checked_at = ? WHERE account_id = ?", (f"{day}T06:00:00Z", account_ids[which % len(account_ids)])
            )
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
    if kind == "technology seen again":
        seen = next(store.query("SELECT * FROM technology_observations WHERE first_seen_on <= ? ORDER BY observation_id", (str(AS_OF),)))
        return [TechnologyObservation(**seen | {"last_seen_on": str(day), "retired_on": str(day)})]
    if kind == "page looked at again":
        return []
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
    assert movement["to_segment"] not in (None, movement["from_segment"])


def test_the_order_in_which_rows_were_stored_does_not_matter(tmp_path: Path) -> None:
    """Neither does what scoring has no name for: attributes of accounts."""
    kinds = {table: kind for kind, (table, _) in TABLES.items()}
    create_store(tmp_path / "turned.db")
    with fill_store(tmp_path / "book.db") as store, open_writer(tmp_path / "turned.db", job="test") as turned:
        turned.execute("PRAGMA foreign_keys = OFF")
        for table in ("accounts", "firmographics", "transactions", "opportunities", "pages", "documents", "signal_events"):
            rows = list(store.query(f"SELECT * FROM {table} ORDER BY rowid DESC"))
            if table == "accounts":
                rows = [row | {"attributes": '{"owner": "somebody"}'} for row in rows]
            turned.save(kinds[table](**row) for row in rows)
        run, again = (score_book(each, CATALOGUE, AS_OF, seed=1) for each in (store, turned))
        assert again == run
        assert scores_of(turned, again.run_id) == scores_of(store, run.run_id)


def test_slices_of_the_book_give_the_scores_of_the_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scores_of(store, score_book(store, CATALOGUE, LAST_DAY, seed=1).run_id)
    monkeypatch.setattr("scoring.run.SLICE_ACCOUNTS", 37)
    assert scores_of(store, score_book(store, CATALOGUE, LAST_DAY, seed=1).run_id) == whole


def test_the_number_of_threads_does_not_matter(tmp_path: Path) -> None:
    program = (
        "import sys, hashlib; from pathlib import Path; from datetime import date\n"
        "from tests.scoring.books import CATALOGUE, fill_store, scores_of; from scoring.run import score_book\n"
        "with fill_store(Path(sys.argv[1])) as store:\n"
        "    run = score_book(store, CATALOGUE, date(2026, 9, 1), seed=1)\n"
        "    models = [row['parameters'] for row in store.query('SELECT parameters FROM model_versions ORDER BY model_id')]\n"
        "    print(hashlib.sha256(repr((scores_of(store, run.run_id), models)).encode()).hexdigest())\n"
    )
    digests = set()
    for n_threads in ("1", "4"):
        environment = os.environ | {"OMP_NUM_THREADS": n_threads, "OPENBLAS_NUM_THREADS": n_threads, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program, str(tmp_path / f"{n_threads}.db")]
        digests.add(subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT).stdout)
    assert len(digests) == 1


def test_a_technology_that_no_account_of_a_slice_runs_is_unknown_there(store: Store) -> None:
    few = list(store.query("SELECT account_id FROM accounts WHERE account_id < '8' ORDER BY 1"))
    store.save(_technology(row["account_id"], "Magento", "shop") for row in few)
    learn_models(store, CATALOGUE, LAST_DAY, seed=1)
    row = store.value(
        "SELECT parameters FROM model_versions WHERE kind = 'fit' AND product = 'D365BC' AND trained_as_of = ?", (str(LAST_DAY),)
    )
    model = FitModel.from_json(row)
    assert "technology: shop" in model.additive.names
    without = current_columns(load_book(store, CATALOGUE, LAST_DAY, first="8"), 1)
    assert "technology: shop" not in without.categories
    assert np.isfinite(model.log_odds(without)).all()
    with pytest.raises(ValueError, match="needs the column 'employees"):
        model.log_odds(Columns({name: column for name, column in without.numbers.items() if "employees" not in name}, without.categories))


def test_a_book_without_any_event_is_scored(tmp_path_factory: pytest.TempPathFactory) -> None:
    with fill_store(tmp_path_factory.mktemp("quiet") / "book.db", n_accounts=30) as quiet:
        quiet.execute("DELETE FROM signal_events")
        run = score_book(quiet, CATALOGUE, AS_OF, seed=1)
        assert quiet.value("SELECT count(*) FROM signal_scores WHERE run_id = ? AND n_events > 0", (run.run_id,)) == 0
