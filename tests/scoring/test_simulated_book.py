"""On a book whose truth is known, clusters stand in the order of their win rates, and where there is nothing to learn the gate says so."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.simulated_book import COLD, LAST_DAY, write_simulated_book
from scoring.learning import learn_models
from scoring.registry import FIT, SIGNALS
from scoring.validation import validate_clusters
from tests.scoring.books import CATALOGUE


@pytest.mark.parametrize("seed", [1])
def test_clusters_stand_in_order_where_there_is_something_to_learn(tmp_path: Path, seed: int) -> None:
    with write_simulated_book(tmp_path / "book.db", CATALOGUE, seed, n_accounts=1000) as store:
        learned = {(each.kind, each.product): each for each in learn_models(store, CATALOGUE, LAST_DAY - timedelta(days=182), seed)}
        assert learned[FIT, COLD].verdict == learned[SIGNALS, COLD].verdict == "not_ready"
        assert sum(each.verdict != "not_ready" for (kind, name), each in learned.items() if kind == FIT and name != COLD) >= 5
        card = json.loads(validate_clusters(store, CATALOGUE, LAST_DAY, seed).content)
    for found in card["products"]:
        rates = [row["win_rate"] for row in found["matrices"]["cloudascent"]["clusters"][:4]]
        if found["product"] != COLD:
            assert rates[0] > rates[1] > rates[3], found["product"]
            assert rates[0] > rates[2] > rates[3], found["product"]
    assert card["all_products"]["matrices"]["cloudascent"]["is_in_order"]
    assert card["all_products"]["calibration_error"] < 0.05
