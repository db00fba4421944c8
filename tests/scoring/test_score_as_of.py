"""A score as of a date knows nothing of what came after it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scoring.book import load_book
from scoring.columns import Columns
from scoring.features import first_purchase, fit_columns
from scoring.fit import FitModel
from scoring.fit_training import current_columns
from scoring.learning import learn_models
from scoring.run import score_book
from scoring.validation import validate_clusters
from storage.ids import content_key
from storage.records import TABLES, DomainPing, EventFeedback, Opportunity, Record, Subscription, TechnologyObservation
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
    noise_deals,
    scores_of,
    transaction,
)  # fmt: skip

ROOT = Path(__file__).parents[2]
BEFORE, AS_OF = date(2026, 1, 10), date(2026, 2, 10)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with fill_store(tmp_path_factory.mktemp("book") / "book.db") as opened:
        ids = [row["account_id"] for row in opened.query("SELECT account_id FROM accounts ORDER BY 1")]
        opened.save(_technology(account_id, name) for account_id in ids[::2] for name in ("WordPress", "Drupal"))
        yield opened


def _technology(account_id: str, name: str, category: str = "cms", day: date = FIRST_DAY) -> TechnologyObservation:
    return TechnologyObservation(
        content_key("seen", account_id, name), account_id, name, category, "header", str(day), str(max(day, date(2025, 12, 1))), None, "header",
        1, 1, None, 0, None, None, None,
    )  # fmt: skip


def test_the_same_date_twice_gives_the_same_bytes(store: Store) -> None:
    first = score_book(store, CATALOGUE, AS_OF, seed=1)
    before = scores_of(store, first.run_id)
    again = score_book(store, CATALOGUE, AS_OF, seed=1)
    assert again == first
    assert scores_of(store, again.run_id) == before
    assert any(row[3] is not None for row in before)


KINDS = (
    "purchase", "subscription", "deal", "deal that was open then", "firmographics", "event", "old event seen later", "second source seen later",
    "page looked at again", "ping", "technology seen again", "new technology", "account", "feedback", "model",
)  # fmt: skip
later_rows = st.tuples(st.sampled_from(KINDS), st.integers(1, 260).map(lambda days: AS_OF + timedelta(days=days)), st.integers(0, 239))


@pytest.fixture(scope="module")
def unscored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book with everything a score is made of, nothing learned from it yet, and a date scored before ``AS_OF`` to move from."""
    path = tmp_path_factory.mktemp("unscored") / "book.db"
    with fill_store(path) as store:
        ids = _ids(store)
        store.save(_technology(account_id, name) for account_id in ids[::2] for name in ("WordPress", "Drupal"))
        store.save(_ping(account_id, date(2025, 6, 1), "outlook.com") for account_id in ids[::3])
        store.save(_subscription(account_id, date(2025, 1, 1)) for account_id in ids[::5])
        store.save(_open_deal(account_id, None, "open") for account_id in ids[::4])
        store.save(noise_deals(ids, "Surface", seed=2))
    return path


def _said(path: Path) -> tuple[str, list[object], list[object], str]:
    """All that is said as of the date by a store that learns by itself: two runs, the models, and the model card."""
    with open_writer(path, job="test") as store:
        runs = [score_book(store, CATALOGUE, day, seed=1) for day in (BEFORE, AS_OF)]
        said = [*scores_of(store, runs[0].run_id), *scores_of(store, runs[1].run_id)]
        models = [
            tuple(row.values()) for row in store.query("SELECT * FROM model_versions WHERE trained_as_of <= ? ORDER BY 1", (str(AS_OF),))
        ]
        return runs[1].run_id, said, models, validate_clusters(store, CATALOGUE, AS_OF, seed=1).content


@pytest.fixture(scope="module")
def said(unscored: Path) -> tuple[str, list[object], list[object], str]:
    found = _said(_copy(unscored, "expected"))
    assert {each[0] for each in found[1]} >= {"cluster_movements", "next_workloads", "feature_drift", "run_models"}  # type: ignore[index]
    return found


def _copy(path: Path, name: str) -> Path:
    copied = path.with_name(f"{name}.db")
    shutil.copyfile(path, copied)
    return copied


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(later_rows, min_size=1, max_size=12))
@example([(kind, AS_OF + timedelta(days=1 + 17 * i), 13 * i) for i, kind in enumerate(KINDS)])
def test_rows_of_later_days_change_nothing_that_is_said_of_an_earlier_one(
    unscored: Path, said: tuple[str, list[object], list[object], str], rows: list[tuple[str, date, int]]
) -> None:
    """Neither what is learned nor scores, reasons, potential, next workloads, movements, drift, or the model card."""
    path = _copy(unscored, "shifted")
    with open_writer(path, job="test") as store:
        ids = _ids(store)
        for kind, day, which in rows:
            _add_later(store, kind, day, ids[which % len(ids)])
    assert _said(path) == said


def _ids(store: Store) -> list[str]:
    return [row["account_id"] for row in store.query("SELECT account_id FROM accounts WHERE observed_on <= ? ORDER BY 1", (str(AS_OF),))]


def _add_later(store: Store, kind: str, day: date, account_id: str) -> None:
    match kind:
        case "page looked at again":
            store.execute("UPDATE pages SET checked_at = ? WHERE account_id = ?", (f"{day}T06:00:00Z", account_id))
        case "model":
            learn_models(store, CATALOGUE, day, seed=3)
        case _:
            store.save(_later_records(store, kind, day, account_id))


def _later_records(store: Store, kind: str, day: date, account_id: str) -> list[Record]:
    match kind:
        case "purchase":
            return [transaction(account_id, "Azure", day, 9999.0)]
        case "subscription":
            return [_subscription(account_id, day)]
        case "deal":
            return [deal(account_id, "Business Central", day, day + timedelta(days=5), "won")]
        case "deal that was open then":
            return [
                _open_deal(row["account_id"], day, "won")
                for row in store.query("SELECT account_id FROM opportunities WHERE outcome = 'open'")
            ]
        case "firmographics":
            return [firmographics(account_id, day, 4000, "Retail")]
        case "event":
            return event_records(account_id, "cloud_migration", day, day)
        case "old event seen later":
            return event_records(account_id, "cloud_migration", AS_OF - timedelta(days=20), day)
        case "second source seen later":
            return event_records(
                account_id, "funding_round", AS_OF - timedelta(days=20), day, duplicate_of=_known_event(store), mark="second"
            )
        case "ping":
            return [_ping(account_id, day, "google.com")]
        case "technology seen again":
            seen = next(
                store.query("SELECT * FROM technology_observations WHERE first_seen_on <= ? ORDER BY observation_id", (str(AS_OF),))
            )
            return [TechnologyObservation(**seen | {"last_seen_on": str(day), "retired_on": str(day)})]
        case "new technology":
            return [dataclasses.replace(_technology(account_id, "Magento", "shop"), first_seen_on=str(day), last_seen_on=str(day))]
        case "feedback":
            event_id = _known_event(store)
            return [EventFeedback(content_key("said", event_id, day), event_id, account_id, "wrong", None, str(day), 1)]
        case _:
            account, *rest = account_records(f"later{day}.test", np.random.default_rng(day.toordinal()))
            return [dataclasses.replace(account, observed_on=day.isoformat()), *rest]  # type: ignore[call-arg]


def _known_event(store: Store) -> str:
    return str(store.value("SELECT event_id FROM signal_events WHERE observed_at <= ? ORDER BY 1", (f"{BEFORE}T00:00:00Z",)))


def _ping(account_id: str, day: date, mail: str) -> DomainPing:
    return DomainPing(
        content_key("ping", account_id, day), account_id, "x.test", f"{day}T06:00:00Z", "live", 200, None, 0, 1.0, None, None, None, None,
        json.dumps([f"mx.{mail}"]), None, None, None, None,
    )  # fmt: skip


def _subscription(account_id: str, day: date) -> Subscription:
    return Subscription(
        content_key("subscription", account_id, day), account_id, None, "Microsoft 365 E3", None, 10, str(day), None, "active", None, None
    )


def _open_deal(account_id: str, closed: date | None, outcome: str) -> Opportunity:
    created = AS_OF - timedelta(days=9)
    key = content_key("open deal", account_id)
    return Opportunity(key, account_id, None, "Azure", str(created), str(closed) if closed else None, outcome, 1000.0)


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


def test_the_order_in_which_rows_were_stored_does_not_matter(unscored: Path, tmp_path: Path) -> None:
    """Neither does what scoring has no name for: attributes of accounts."""
    kinds = {table: kind for kind, (table, _) in TABLES.items()}
    create_store(tmp_path / "turned.db")
    tables = (
        "accounts", "firmographics", "subscriptions", "transactions", "opportunities", "domain_pings", "technology_observations", "pages", "documents",
        "signal_events",
    )  # fmt: skip
    with open_writer(_copy(unscored, "straight"), job="test") as store, open_writer(tmp_path / "turned.db", job="test") as turned:
        turned.execute("PRAGMA foreign_keys = OFF")
        for table in tables:
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


def test_software_seen_after_the_first_purchase_teaches_nothing(unscored: Path) -> None:
    """It may be the very product: an account whose mail is with the vendor since it bought the mail."""
    with open_writer(_copy(unscored, "late"), job="test") as store:
        bought = "SELECT account_id, min(transacted_on) AS on_day FROM transactions WHERE product = 'Azure' GROUP BY 1"
        rows = list(store.query(bought))
        store.save(
            _technology(row["account_id"], "Azure CDN", "cdn", date.fromisoformat(row["on_day"]) + timedelta(days=3)) for row in rows
        )
        book = load_book(store, CATALOGUE, LAST_DAY)
        first = first_purchase(book, 1)
        before = np.minimum(first, LAST_DAY.toordinal() + 1)
        then, now = fit_columns(book, 1, before), current_columns(book, 1)
        assert (now.categories["technology: cdn"] == "Azure CDN").sum() == len(rows) > 50
        assert not (then.categories["technology: cdn"] == "Azure CDN").any()
        learn_models(store, CATALOGUE, LAST_DAY, seed=1)
        model = FitModel.from_json(store.value("SELECT parameters FROM model_versions WHERE kind = 'fit' AND product = 'Azure'"))
        assert "technology: cdn" not in model.additive.names


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
