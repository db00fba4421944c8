"""The learning loop: models are judged, come into use, are taken back, and are held against what happened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.model_card import write_model_card
from scoring.fit import FitModel
from scoring.learning import learn_models
from scoring.registry import FIT, list_models, load_in_use, roll_back
from scoring.run import score_book
from scoring.validation import validate_clusters
from storage.errors import ModelError
from storage.store import Store
from tests.scoring.books import CATALOGUE, LAST_DAY, fill_store, scores_of


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
