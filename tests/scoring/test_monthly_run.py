"""The monthly run leaves a model card beside the store, also where there is nothing to tell yet."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from bellwether.config import load_config
from bellwether.jobs import run_score, run_status
from bellwether.model_jobs import run_learn, run_list_models
from bellwether.model_printing import print_models
from storage.records import Account
from storage.store import create_store, open_reader, open_writer
from tests.scoring.books import LAST_DAY, fill_store, firmographics


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


def test_status_tells_drift_of_values_and_coverage_apart_and_what_was_before(tmp_path: Path) -> None:
    db = tmp_path / "bellwether.db"
    with fill_store(db, n_accounts=200) as store:
        ids = [row["account_id"] for row in store.query("SELECT account_id FROM accounts ORDER BY 1")]
    run_score(db, date(2026, 10, 2))
    drift = run_status(db)["drift"]
    assert drift["features whose values shifted (psi of 0.25 and more)"] == {}
    assert not any("before" in share for shares in drift["shares of the fit bands"].values() for share in shares.values())
    with open_writer(db, "test") as store:
        store.save(firmographics(account_id, date(2026, 10, 20), 9000, "Energy") for account_id in ids[:120])
    run_score(db, LAST_DAY)
    drift = run_status(db)["drift"]
    shifted = drift["features whose values shifted (psi of 0.25 and more)"]
    assert {"Azure employees (log)", "Azure industry"} <= shifted.keys()
    assert not any("country" in name for name in shifted)
    assert drift["features known of 10% more or fewer of the accounts"] == {}
    assert all("before" in share for shares in drift["shares of the fit bands"].values() for share in shares.values())


def test_the_registry_shows_what_each_model_rests_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = tmp_path / "bellwether.db"
    fill_store(db, n_accounts=120).close()
    run_learn(db, LAST_DAY)
    print_models(run_list_models(db), True)
    models = json.loads(capsys.readouterr().out)["models"]
    assert {"fit", "signals"} == {row["kind"] for row in models}
    for row in models:
        assert row["data_hash"]
        assert row["seed"] == load_config(db).seed
        assert row["trained_from"] < row["trained_as_of"] == str(LAST_DAY)
        assert row["verdict"] in ("ready", "ok", "not_ready")
        assert "auc" in row["metrics"]
    print_models(run_list_models(db), False)
    assert models[0]["data_hash"] in capsys.readouterr().out
