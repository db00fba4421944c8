"""Accounts are found by any part of their name, however many there are, and only by those who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reports import scope as scopes
from reports.scope import AccountFilters, PartnerScope, Right
from reports.writing import CLUSTER_ORDER
from storage.forgetting import forget_domain
from storage.ids import content_key
from storage.records import Transaction
from storage.store import Store, open_reader, open_writer
from tests.scoring.books import CATALOGUE, LAST_DAY, fill_store

NAMES = {0: "Müller Söhne GmbH", 1: "ΔΕΗ Ανανεώσιμες", 2: 'The "Quoted" Works, 100%', 3: "日本水道"}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty accounts, every second a partner's; four with names that are hard to find."""
    from reports.listing import save_listing
    from scoring.run import score_book

    path = tmp_path_factory.mktemp("listing") / "book.db"
    with fill_store(path, 40) as store:
        for i, row in enumerate(list(store.query("SELECT account_id FROM accounts ORDER BY account_id"))):
            store.execute("UPDATE accounts SET account_name = ? WHERE account_id = ?", (NAMES.get(i, f"Company {i}"), row["account_id"]))
            if i % 2 == 0:
                store.save([Transaction(content_key("listing", i), row["account_id"], "P1", "Azure", None, 10.0, "2026-01-05", 0)])
        run = score_book(store, CATALOGUE, LAST_DAY, seed=1)
        for i, row in enumerate(list(store.query("SELECT account_id FROM accounts ORDER BY account_id"))):
            values = {"account": row["account_id"], "cluster": CLUSTER_ORDER[i % 5], "fit": i * 7 % 11, "signals": i * 5 % 7 or None}
            store.execute("UPDATE cluster_assignments SET cluster = :cluster WHERE account_id = :account AND product = 'Azure'", values)
            store.execute("UPDATE fit_scores SET score = :fit WHERE account_id = :account AND product = 'Azure'", values)
            store.execute("UPDATE signal_scores SET score = :signals WHERE account_id = :account AND product = 'Azure'", values)
        save_listing(store, CATALOGUE, run)
    return path


@pytest.fixture
def store(book: Path) -> Iterator[Store]:
    """The book, open for reading."""
    with open_reader(book) as opened:
        yield opened


def _found(store: Store, text: str, *rights: Right) -> list[str]:
    scope = PartnerScope(store, CATALOGUE, rights or (Right(None),))
    listed = scope.accounts(scope.run(), AccountFilters("Azure", text=text))
    assert listed.n_found == len(listed.rows)
    return [row["account_name"] for row in listed.rows]


@pytest.mark.parametrize("text", ["Müller", "muller söhne", "LLER", "mü", "ler Soh"])
def test_any_part_finds_a_name_whatever_its_accents_and_case(store: Store, text: str) -> None:
    assert _found(store, text) == [NAMES[0]]


@pytest.mark.parametrize(
    ("text", "name"), [("ΔΕΗ", NAMES[1]), ("ananeosimes", NAMES[1]), ('"Quoted"', NAMES[2]), ("100%", NAMES[2]), ("水道", NAMES[3])]
)
def test_any_script_and_sign_is_found(store: Store, text: str, name: str) -> None:
    assert _found(store, text) == [name]


@pytest.mark.parametrize("text", ["%%%", "___", '"', "x OR Company", "names : Company", "'", "AND", "Company*", "no such name"])
def test_what_is_in_no_name_finds_nothing(store: Store, text: str) -> None:
    assert _found(store, text) == [] if text != '"' else [NAMES[2]]


@pytest.mark.parametrize(("most_looked_up", "n_at_the_top"), [(0, 0), (0, 10_000), (20_000, 2_000)])
@pytest.mark.parametrize("text", ["Company", "any 1", "a", "co", "test", "12"])
def test_every_way_of_asking_finds_what_reading_all_names_finds(
    store: Store, monkeypatch: pytest.MonkeyPatch, most_looked_up: int, n_at_the_top: int, text: str
) -> None:
    """Rare names are looked up, common ones met on a walk, short ones compared: all agree, for everyone and for a partner, in the order of rank."""
    monkeypatch.setattr(scopes, "MOST_LOOKED_UP", most_looked_up)
    monkeypatch.setattr(scopes, "N_AT_THE_TOP", n_at_the_top)
    for rights in ((Right(None),), (Right("P1"),), (Right("P1"), Right(None, "DE"))):
        everyone = PartnerScope(store, CATALOGUE, rights)
        all_rows = everyone.accounts(everyone.run(), AccountFilters("Azure")).rows
        expected = [row["account_name"] for row in all_rows if text.lower() in f"{row['account_name'].lower()}\n{row['domain']}"]
        assert _found(store, text, *rights) == expected


def test_accounts_stand_by_cluster_then_signals_then_fit(store: Store) -> None:
    scope = PartnerScope(store, CATALOGUE, (Right(None),))
    rows = scope.accounts(scope.run(), AccountFilters("Azure")).rows
    keys = [
        (CLUSTER_ORDER.index(row["cluster"]), *(1 if row[score] is None else -row[score] for score in ("signal_score", "fit_score")))
        for row in rows
    ]
    assert len(set(keys)) > 30
    assert keys == sorted(keys)


def test_a_forgotten_company_is_found_by_no_part_of_its_name(book: Path, tmp_path: Path) -> None:
    copy = tmp_path / "book.db"
    copy.write_bytes(book.read_bytes())
    with open_writer(copy, "test") as store:
        domain = store.value("SELECT domain FROM accounts WHERE account_name = ?", (NAMES[0],))
        forget_domain(store, tmp_path, domain, "2026-11-02", lambda path, start: {"responses": [], "next": None, "error": ""})
        assert store.value("SELECT count(*) FROM listed_trigrams WHERE listed_trigrams MATCH 'uller'") == 0
        assert store.value("SELECT count(*) FROM listed_names WHERE names LIKE '%uller%'") == 0
        store.execute("INSERT INTO listed_trigrams(listed_trigrams) VALUES ('integrity-check')")
