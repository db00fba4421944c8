"""The learning loop: models are judged, come into use, are taken back, and are held against what happened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulated_book import LAST_DAY as SIMULATED_UNTIL
from benchmarks.simulated_book import write_simulated_book
from reports.model_card import write_model_card
from scoring.fit import FitModel
from scoring.learning import learn_models
from scoring.metrics import Predictions, with_intervals
from scoring.registry import ALL_PRODUCTS, FIT, SIGNALS, list_models, load_in_use, roll_back
from scoring.run import score_book
from scoring.validation import validate_clusters
from storage.errors import ModelError
from storage.store import Store
from tests.scoring.books import CATALOGUE, LAST_DAY, fill_store, noise_deals, scores_of


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with fill_store(tmp_path_factory.mktemp("book") / "book.db", n_accounts=500) as opened:
        yield opened


def test_what_can_be_learned_comes_into_use_and_what_cannot_says_so(store: Store) -> None:
    learned = {(each.kind, each.product): each for each in learn_models(store, CATALOGUE, date(2026, 8, 1), seed=1)}
    assert learned[FIT, "D365BC"].verdict in ("ready", "ok")
    assert learned[FIT, "D365BC"].release.model_id is not None
    assert learned[FIT, "Surface"].verdict == "not_ready"  # nobody bought one
    assert learned[FIT, "Surface"].release.model_id is None
    row = load_in_use(store, FIT, "D365BC", date(2026, 8, 1))
    assert row is not None
    assert row.model is not None
    metrics = json.loads(row.model["metrics"])
    assert metrics["test"].startswith("first purchases within")
    assert row.model["trained_from"] < row.model["trained_as_of"] == "2026-08-01"


def test_learning_the_same_day_twice_changes_nothing(store: Store) -> None:
    learn_models(store, CATALOGUE, date(2026, 8, 1), seed=1)
    n_before = (store.value("SELECT count(*) FROM model_versions"), store.value("SELECT count(*) FROM model_releases"))
    learn_models(store, CATALOGUE, date(2026, 8, 1), seed=1)
    assert (store.value("SELECT count(*) FROM model_versions"), store.value("SELECT count(*) FROM model_releases")) == n_before


def test_a_model_of_a_later_day_never_scores_an_earlier_one(store: Store) -> None:
    learn_models(store, CATALOGUE, date(2026, 10, 20), seed=1)
    used = load_in_use(store, FIT, "D365BC", date(2026, 10, 1))
    assert used is None or used.model is None or used.model["trained_as_of"] <= "2026-10-01"


def test_a_rolled_back_model_scores_as_it_did_before(store: Store) -> None:
    learn_models(store, CATALOGUE, date(2026, 8, 1), seed=1)
    learn_models(store, CATALOGUE, date(2026, 10, 20), seed=1)
    newer = load_in_use(store, FIT, "D365BC", LAST_DAY)
    run = score_book(store, CATALOGUE, LAST_DAY, seed=1)
    scores = scores_of(store, run.run_id)
    release = roll_back(store, FIT, "D365BC", None, LAST_DAY)
    assert newer is not None
    assert newer.model is not None
    assert release.model_id != newer.model["model_id"]
    assert scores_of(store, score_book(store, CATALOGUE, LAST_DAY, seed=1).run_id) != scores
    roll_back(store, FIT, "D365BC", newer.model["model_id"], LAST_DAY)
    assert scores_of(store, score_book(store, CATALOGUE, LAST_DAY, seed=1).run_id) == scores
    assert [row["in_use_since"] for row in list_models(store) if row["model_id"] == newer.model["model_id"]] == ["2026-11-01"]


@pytest.fixture
def noisy(tmp_path: Path) -> Iterator[Store]:
    """A book in which nothing known of an account has to do with who buys Surface."""
    with fill_store(tmp_path / "noisy.db", n_accounts=400) as opened:
        ids = [row["account_id"] for row in opened.query("SELECT account_id FROM accounts ORDER BY 1")]
        opened.save(noise_deals(ids, "Surface", seed=3))
        yield opened


def test_a_model_that_chance_could_have_made_gives_way_to_that_of_all_products(noisy: Store) -> None:
    learned = {(each.kind, each.product): each for each in learn_models(noisy, CATALOGUE, LAST_DAY, seed=1)}
    surface = learned[FIT, "Surface"]
    assert surface.model is not None  # it was trained, judged and kept in the registry
    assert surface.verdict == "not_ready"
    assert surface.release.model_id is None
    run = score_book(noisy, CATALOGUE, LAST_DAY, seed=1)
    used = noisy.value("SELECT fit_model_id FROM run_models WHERE run_id = ? AND product = 'Surface'", (run.run_id,))
    assert used == learned[FIT, ALL_PRODUCTS].release.model_id is not None
    bases = {
        json.loads(row["contributions"])["basis"]
        for row in noisy.query("SELECT contributions FROM fit_scores WHERE run_id = ? AND product = 'Surface'", (run.run_id,))
    }
    assert len(bases) == 1
    assert bases.pop().startswith("customers of all products: who buys this one cannot be told from chance")
    card = json.loads(validate_clusters(noisy, CATALOGUE, LAST_DAY, seed=1).content)
    entry = next(product for product in card["products"] if product["product"] == "Surface")["models"][0]
    assert (entry["of"], entry["model_id"]) == (ALL_PRODUCTS, used)


def test_an_unproven_model_stays_no_longer_than_the_latest_test_bears_it_out(noisy: Store) -> None:
    learned = {(each.kind, each.product): each for each in learn_models(noisy, CATALOGUE, date(2026, 9, 1), seed=1)}
    model = learned[FIT, "Surface"].model
    assert model is not None
    roll_back(noisy, FIT, "Surface", model.model_id, date(2026, 9, 2))
    used = load_in_use(noisy, FIT, "Surface", LAST_DAY)
    assert used is not None
    assert used.model is not None
    again = {(each.kind, each.product): each for each in learn_models(noisy, CATALOGUE, LAST_DAY, seed=1)}
    assert again[FIT, "Surface"].verdict == "not_ready"
    assert again[FIT, "Surface"].release.model_id is None
    proven = again[FIT, "D365BC"]
    assert proven.release.model_id == proven.model.model_id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "words"), [(FIT, "ranks the latest window better"), (SIGNALS, "ranks deals opened since it was learned better")]
)
def test_a_challenger_that_ranks_worse_leaves_the_champion_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    """Worse means by more than ``MAY_FALL_BY``; here: not better by far."""
    with write_simulated_book(tmp_path / "book.db", CATALOGUE, seed=1, n_accounts=800) as store:
        first = {
            each.product: each for each in learn_models(store, CATALOGUE, date(2025, 11, 1), 1, (kind,)) if each.verdict != "not_ready"
        }
        monkeypatch.setattr("scoring.learning.MAY_FALL_BY", -0.4 if kind == FIT else -0.2)
        then = {each.product: each for each in learn_models(store, CATALOGUE, SIMULATED_UNTIL, 1, (kind,))}
    kept = [name for name, champion in first.items() if champion.model and then[name].release.model_id == champion.model.model_id]
    assert kept
    assert any(words in then[name].decision for name in kept)


def test_two_outcomes_give_no_interval_that_looks_sure() -> None:
    few = Predictions(np.arange(40) < 2, np.arange(40.0)[::-1], np.full(40, 0.1), np.zeros(40, dtype=np.int64), np.arange(40))
    found = with_intervals(few, 1, ("auc",))["auc"]
    assert found.value == 1.0
    assert np.isnan(found.low)


def test_there_is_no_going_back_to_what_never_was(store: Store) -> None:
    with pytest.raises(ModelError, match="no fit model of Azure has the id deadbeef"):
        roll_back(store, FIT, "Azure", "deadbeef", LAST_DAY)
    with pytest.raises(ModelError, match="before the present one"):
        roll_back(store, FIT, "Surface", None, LAST_DAY)


def test_a_model_survives_its_json(store: Store) -> None:
    row = next(store.query("SELECT parameters FROM model_versions WHERE kind = 'fit'"))
    model = FitModel.from_json(row["parameters"])
    assert FitModel.from_json(model.to_json()) == model
    assert model.to_json() == row["parameters"]


def test_validation_finds_what_the_book_holds_and_says_the_same_twice(store: Store) -> None:
    card = validate_clusters(store, CATALOGUE, LAST_DAY, seed=1)
    assert validate_clusters(store, CATALOGUE, LAST_DAY, seed=1) == card
    product = next(each for each in json.loads(card.content)["products"] if each["product"] == "D365BC")
    rows = {row["cluster"]: row for row in product["matrices"]["cloudascent"]["clusters"]}
    assert rows["Act now"]["win_rate_low"] > product["n_won"] / product["n_deals"]
    assert rows["Act now"]["lift"] > 1.5
    assert set(product["matrices"]) == {"cloudascent", "balanced"}
    assert sum(row["n_deals"] for row in rows.values()) == product["n_deals"]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_model_card_is_one_page_without_scripts_or_anything_from_elsewhere(store: Store, tmp_path: Path) -> None:
    card = validate_clusters(store, CATALOGUE, LAST_DAY, seed=1)
    write_model_card(card, tmp_path / "card.html")
    text = (tmp_path / "card.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert {"src", "style", "onclick"}.isdisjoint(page.attributes)
    assert page.tags.count("svg") >= 8
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert json.loads((tmp_path / "card.json").read_text()) == json.loads(card.content)
