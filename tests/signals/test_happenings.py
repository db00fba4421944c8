"""One happening told by several documents is one event with its sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from datasketch import MinHashLSH

from signals.happenings import BANDS, N_PERMUTATIONS, SAME_TEXT, Happenings
from storage.records import Account, Document, Page, SignalEvent
from storage.store import Store, create_store, open_writer

ACCOUNT = "00000000000000aa"
RELEASE = (
    "LODZ, 4 March 2026. Pilica Glass today opened its second furnace hall in Piotrkow, a building of 9,000 square metres that doubles the output of "
    "container glass. The hall was built in fourteen months by a local contractor and holds two regenerative furnaces with electric boosting. "
    "Ninety people have been taken on since January, most of them from the region, and another forty will follow once the third line runs. "
    "The furnaces are fed with seventy per cent cullet, collected within two hundred kilometres, which lowers the need for gas by a fifth. "
    "Visitors may see the hall on the last Saturday of every month; schools are asked to register a week ahead. "
)
OURS = RELEASE + "About us. We have made bottles and jars by the river since 1921 and ship to nineteen countries."
WIRE = (
    "GlassWire, your daily source for the container industry. Subscribe now. "
    + RELEASE
    + "GlassWire is a service of Meridian Trade Media. The "
    "views expressed are those of the sender. For reprints, licences and advertising see the media pack on our home page."
)
OTHER = (
    "LODZ, 20 March 2026. Pilica Glass will build a warehouse beside the railway at Koluszki. The store takes eleven thousand pallets, and its roof "
    "carries solar panels for half of its needs. Work begins after Easter; lorries will reach it by a road of its own, away from the village."
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    create_store(tmp_path / "book.db")
    with open_writer(tmp_path / "book.db", "test") as store:
        store.save([Account(ACCOUNT, "pilica.test", "Pilica Glass", None, None, None, None, None, "2026-01-01")])
        yield store


def _tell(store: Store, number: int, text: str, quote: str, on: str, event_type: str = "facility_expansion") -> str:
    key = f"{number:016x}"
    url = f"https://host{number}.test/{number}"
    seen = f"2026-04-{number:02d}T06:00:00Z"
    start = text.index(quote)
    store.save(
        [
            Page(key, ACCOUNT, f"host{number}.test", url, "article", 200, "text/html", key, "a.warc.gz", number, seen, seen, None, None, None),
            Document(key, key, ACCOUNT, url, url, "article", "News", text, "en", on, "meta", seen, "test"),
            SignalEvent(
                key, ACCOUNT, key, event_type, None, 1, "completed", "subject", "buyer", on, "day", "text", seen, quote, start,
                start + len(quote), 0.9, "test", None,
            ),
        ]
    )  # fmt: skip
    return key


def _originals(store: Store) -> dict[str, str | None]:
    Happenings().join(store, ACCOUNT)
    return {row["event_id"]: row["duplicate_of"] for row in store.query("SELECT event_id, duplicate_of FROM signal_events")}


def test_a_release_and_its_copy_on_a_wire_are_one_event_though_other_sentences_are_quoted(store: Store) -> None:
    ours = _tell(store, 1, OURS, "Pilica Glass today opened its second furnace hall in Piotrkow", "2026-03-04")
    wire = _tell(store, 2, WIRE, "The furnaces are fed with seventy per cent cullet, collected within two hundred kilometres", "2026-03-05")
    assert _originals(store) == {ours: None, wire: ours}


def test_two_happenings_of_one_type_in_one_month_stay_two(store: Store) -> None:
    hall = _tell(store, 1, OURS, "Pilica Glass today opened its second furnace hall in Piotrkow", "2026-03-04")
    warehouse = _tell(store, 2, OTHER, "will build a warehouse beside the railway at Koluszki", "2026-03-20")
    assert _originals(store) == {hall: None, warehouse: None}


def test_the_same_text_a_year_later_and_another_type_are_not_joined(store: Store) -> None:
    first = _tell(store, 1, OURS, "Pilica Glass today opened its second furnace hall in Piotrkow", "2026-03-04")
    late = _tell(store, 2, OURS, "Pilica Glass today opened its second furnace hall in Piotrkow", "2027-03-04")
    hired = _tell(store, 3, WIRE, "Ninety people have been taken on since January", "2026-03-04", "headcount_growth")
    assert _originals(store) == {first: None, late: None, hired: None}


def test_the_event_seen_first_stands_for_the_happening_in_whatever_order_they_were_read(store: Store) -> None:
    wire = _tell(store, 2, WIRE, "Pilica Glass today opened its second furnace hall in Piotrkow", "2026-03-05")
    Happenings().join(store, ACCOUNT)
    ours = _tell(store, 1, OURS, "The hall was built in fourteen months by a local contractor", "2026-03-04")
    assert _originals(store) == {wire: ours, ours: None}


def test_the_bands_are_those_that_the_threshold_asks_for() -> None:
    index = MinHashLSH(threshold=SAME_TEXT, num_perm=N_PERMUTATIONS)
    assert (index.b, index.r) == BANDS
