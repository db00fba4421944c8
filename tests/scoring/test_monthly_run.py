"""The monthly run leaves a model card beside the store, also where there is nothing to tell yet."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from bellwether.jobs import run_score
from storage.records import Account
from storage.store import create_store, open_reader, open_writer
from tests.scoring.books import LAST_DAY, fill_store


def test_every_monthly_run_writes_a_model_card(tmp_path: Path) -> None:
    fill_store(tmp_path / "bellwether.db", n_accounts=120).close()
    run, _, card = run_score(tmp_path / "bellwether.db", LAST_DAY)
    assert card == tmp_path / "model-cards" / "2026-11-01.html"
    assert "<svg" in card.read_text(encoding="utf-8")
    content = json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))
    assert content["as_of"] == run.as_of
    with open_reader(tmp_path / "bellwether.db") as store:
        assert json.loads(store.value("SELECT content FROM model_cards")) == content


def test_a_book_without_a_past_gets_a_card_that_says_so(tmp_path: Path) -> None:
    create_store(tmp_path / "bellwether.db")
    with open_writer(tmp_path / "bellwether.db", "test") as store:
        store.save([Account("0123456789abcdef", "new.test", "New", None, None, None, None, None, "2026-10-01")])
    run, counts, card = run_score(tmp_path / "bellwether.db", date(2026, 11, 1))
    assert run.n_accounts == 1
    assert {row["cluster"] for row in counts} == {"Not scored"}
    assert "No deal was opened" in card.read_text(encoding="utf-8")
