"""A hub over a small real book with two partners, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from reports.account_facts import save_cohorts
from reports.listing import save_listing
from scoring.run import score_book
from storage.ids import content_key
from storage.records import Partner, Transaction
from tests.scoring.books import CATALOGUE, LAST_DAY, fill_store

PASSWORD = "correct-horse-battery"
PARTNERS = {"P1": "Tallow Street Systems", "P2": "Gruenanger IT"}

RIGHTS = (
    ("one", "report viewer", "P1", ""), ("two", "report viewer", "P2", ""), ("local", "report viewer", "P2", "DE"),
    ("lead", "executive report viewer", "P1", ""), ("chief", "executive report viewer", "", ""),
)  # fmt: skip


def build_book(path: Path) -> None:
    """A scored store of 60 accounts in two countries; each transacts with one partner, and its name, texts and quotes say which."""
    with fill_store(path, 60) as store:
        store.save([Partner(*row) for row in PARTNERS.items()])
        for i, row in enumerate(list(store.query("SELECT account_id FROM accounts ORDER BY account_id"))):
            partner = "P1" if i % 2 else "P2"
            marker, country = f"Marker{partner} Company {i}", "DE" if i % 3 == 0 else "GB"
            for sql in (
                "UPDATE accounts SET account_name = :marker || ' of ' || :country WHERE account_id = :account",
                "UPDATE firmographics SET country = :country WHERE account_id = :account",
                "UPDATE documents SET title = :marker || ' news', text = text || '. ' || :marker || ' of ' || :country || ' grows' WHERE account_id = :account",
                "UPDATE signal_events SET quote = :marker || ' grows' WHERE account_id = :account",
            ):
                store.execute(sql, {"marker": marker, "country": country, "account": row["account_id"]})
            store.save([Transaction(content_key("hub", i), row["account_id"], partner, "Azure", None, 10.0, "2026-01-05", 0)])
        run = score_book(store, CATALOGUE, LAST_DAY, seed=1)
        save_cohorts(store, CATALOGUE, run)
        save_listing(store, CATALOGUE, run)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.text = f"{date(2026, 11, 2)}T09:00:00Z"

    def __call__(self) -> str:
        return self.text


CLOCK = Clock()


@pytest.fixture(scope="session")
def hub_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store behind the hub."""
    from hub.setup import HubSettings, set_up_hub

    folder = tmp_path_factory.mktemp("hub")
    build_book(folder / "book.db")
    set_up_hub(HubSettings(folder / "book.db", folder / "hub.db", folder / "files", CATALOGUE, None, 1_000_000, now=CLOCK))
    from django.conf import settings

    from hub.people import add_person, grant

    settings.ALLOWED_HOSTS.append("testserver")  # what Django's test client calls itself
    for name, role, partner, country in RIGHTS:
        add_person(name, PASSWORD)
        grant(name, role, partner, country)
    add_person("nobody", PASSWORD)
    return folder / "book.db"


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The hub's clock, set back afterwards."""
    before = CLOCK.text
    yield CLOCK
    CLOCK.text = before
