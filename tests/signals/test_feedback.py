"""A reader's word on an event: from that day on, and for the next training."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from bellwether.catalogue_file import load_catalogue
from scoring.book import load_book
from scoring.run import score_book
from signals.feedback import export_examples, give_feedback
from signals.training import read_examples
from storage.errors import InputError
from storage.records import Account, Document, Page, SignalEvent
from storage.store import Store, create_store, open_writer

ROOT = Path(__file__).parents[2]
ACCOUNT, EVENT, SECOND = "00000000000000aa", "00000000000000e1", "00000000000000e2"
QUOTE = "Our client Brackley Mills has raised nine million pounds"
TEXT = f"Spring news. {QUOTE}. We keep their books."
SEEN_ON, JUDGED_ON = date(2026, 3, 10), date(2026, 4, 2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    create_store(tmp_path / "bellwether.db")
    with open_writer(tmp_path / "bellwether.db", "test") as store:
        store.save([Account(ACCOUNT, "hoare.test", "Hoare & Co", None, None, None, None, None, "2026-01-01")])
        _save_documents(store)
        yield store


def _save_documents(store: Store, version: str = "1") -> None:
    """One happening, told by two pages: what an extractor of the version makes of them."""
    for number, (event_id, duplicate_of) in enumerate(((EVENT, None), (SECOND, EVENT))):
        key, seen = f"{number:016x}", f"{SEEN_ON}T0{number}:00:00Z"
        store.save(
            [
                Page(key, ACCOUNT, "hoare.test", f"https://hoare.test/{key}", "article", 200, None, key, "a", number, seen, seen, None, None, None),
                Document(key, key, ACCOUNT, f"https://hoare.test/{key}", None, "article", "News", TEXT, "en", "2026-03-09", "meta", seen, version),
                SignalEvent(
                    event_id, ACCOUNT, key, "funding_round", None, 1, "completed", "subject", "buyer", "2026-03-09", "day", "publication", seen,
                    QUOTE, 13, 13 + len(QUOTE), 0.9, version, duplicate_of,
                ),
            ]
        )  # fmt: skip


def _scored(store: Store, as_of: date) -> list[str]:
    return list(load_book(store, load_catalogue(None), as_of).events.event_id)


def test_a_wrong_event_is_not_scored_from_that_day_on_and_still_was_before(store: Store) -> None:
    before = score_book(store, load_catalogue(None), date(2026, 4, 1), seed=1).run_id
    give_feedback(store, EVENT, "wrong", "a client's round", JUDGED_ON)
    assert _scored(store, JUDGED_ON) == []
    assert _scored(store, date(2026, 4, 1)) == [EVENT]
    assert score_book(store, load_catalogue(None), date(2026, 4, 1), seed=1).run_id == before


def test_scoring_a_day_again_after_a_word_on_it_is_another_run(store: Store) -> None:
    before = score_book(store, load_catalogue(None), JUDGED_ON, seed=1).run_id
    give_feedback(store, EVENT, "wrong", None, JUDGED_ON)
    assert score_book(store, load_catalogue(None), JUDGED_ON, seed=1).run_id != before


def test_a_word_on_one_source_counts_for_the_happening_and_can_be_taken_back(store: Store) -> None:
    assert give_feedback(store, SECOND, "wrong", None, JUDGED_ON).event_id == EVENT
    assert _scored(store, JUDGED_ON) == []
    give_feedback(store, EVENT, "right", None, date(2026, 4, 5))
    assert _scored(store, date(2026, 4, 4)) == []
    assert _scored(store, date(2026, 4, 5)) == [EVENT]


def test_saying_the_same_twice_is_saying_it_once(store: Store) -> None:
    give_feedback(store, EVENT, "wrong", "no", JUDGED_ON)
    give_feedback(store, EVENT, "wrong", "no", date(2026, 5, 1))
    assert store.value("SELECT count(*) FROM event_feedback") == 1


def test_the_word_outlives_the_extractor_that_made_the_event(store: Store) -> None:
    give_feedback(store, EVENT, "wrong", None, JUDGED_ON)
    store.execute("DELETE FROM signal_events")
    store.execute("DELETE FROM documents")
    _save_documents(store, version="2")
    assert _scored(store, JUDGED_ON) == []


def test_a_happening_that_another_event_has_come_to_stand_for_stays_wrong(store: Store) -> None:
    give_feedback(store, EVENT, "wrong", None, JUDGED_ON)
    store.execute("UPDATE signal_events SET duplicate_of = NULL WHERE event_id = ?", (SECOND,))
    store.execute("UPDATE signal_events SET duplicate_of = ? WHERE event_id = ?", (SECOND, EVENT))
    assert _scored(store, JUDGED_ON) == []


def test_an_unknown_event_is_told_so(store: Store) -> None:
    with pytest.raises(InputError, match="no event has the id 'nonsense'"):
        give_feedback(store, "nonsense", "wrong", None, JUDGED_ON)


def test_what_was_judged_becomes_examples_that_the_training_reads(store: Store, tmp_path: Path) -> None:
    give_feedback(store, EVENT, "wrong", "a client's round", JUDGED_ON)
    assert export_examples(store, tmp_path / "judged.jsonl", JUDGED_ON) == 2
    rows = [json.loads(line) for line in (tmp_path / "judged.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["trap"] for row in rows] == [{"type": "funding_round", "why": "a client's round"}] * 2
    examples = read_examples(tmp_path / "judged.jsonl")
    assert [(example.labels, example.is_trap, example.text) for example in examples] == [(frozenset(), True, TEXT)] * 2
    give_feedback(store, EVENT, "right", None, JUDGED_ON)
    export_examples(store, tmp_path / "judged.jsonl", JUDGED_ON)
    assert [example.quotes for example in read_examples(tmp_path / "judged.jsonl")] == [{"funding_round": QUOTE}] * 2


def test_the_command_lists_judges_and_exports(tmp_path: Path, store: Store) -> None:
    store.close()

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "bellwether", "feedback", *arguments, "--db", str(tmp_path / "bellwether.db")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert EVENT in run("hoare.test")
    assert "is wrong from 2026-04-02 on" in run(EVENT, "--wrong", "--reason", "a client's", "--as-of", "2026-04-02")
    assert "wrong" in run("hoare.test")
    assert "2 examples" in run("--export", str(tmp_path / "judged.jsonl"))
