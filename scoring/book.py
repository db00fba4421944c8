"""The operator's book as arrays, as it was known at the end of a date.

Rows are read once from the store, in the order of its indexes, and become columns; everything after that is array arithmetic (docs/adr/0005).
A book may be a slice of the accounts, so that memory does not grow with their number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np

from scoring.blocks import Coded, read_block
from scoring.columns import UNKNOWN, Flags, Floats, Texts, Whole
from storage.catalogue import Catalogue, Product
from storage.clock import end_of_day
from storage.feedback import WRONG_EVENTS
from storage.store import Store

YEARS_OF_TRANSACTIONS = 10
LOOK_WINDOW_DAYS = 92  # a site not seen for a quarter has not been looked at
BATCH = 50_000
FIRST_KEY, LAST_KEY = "", "g"  # account ids are hexadecimal


@dataclass(frozen=True)
class Purchases:
    """Subscriptions begun and transactions made; ``products`` has a bit set for each product of the catalogue that it belongs to."""

    account: Whole
    day: Whole
    amount_usd: Floats
    is_end_of_support: Flags
    products: Whole


@dataclass(frozen=True)
class Deals:
    """Opportunities; ``closed`` is after every date, and ``is_won`` False, while a deal was still open."""

    account: Whole
    created: Whole
    closed: Whole
    is_closed: Flags
    is_won: Flags
    products: Whole


@dataclass(frozen=True)
class Events:
    """Happenings about the account itself, as a buyer, one row each, by account, day and event id.

    ``public`` is the day on which anyone could have known: the publication's date, or our first sight where it has none or came first.
    """

    account: Whole
    event_id: Texts
    types: Sequence[str]  # the distinct types
    type_at: Whole  # each event's position among them
    occurred: Whole
    public: Whole
    confidence: Floats
    n_sources: Whole

    def rows(self, index: Whole | Flags) -> Events:
        """The events at an index, or where a mask holds."""
        taken = {field.name: getattr(self, field.name) for field in fields(self)}
        return Events(**{name: column if name == "types" else column[index] for name, column in taken.items()})

    def by_type(self, values: Mapping[str, float]) -> Floats:
        """Each event's value by its type, 0 for types without one."""
        return np.array([values.get(name, 0.0) for name in self.types], dtype=float)[self.type_at]


@dataclass(frozen=True)
class Seen:
    """What we saw at each account, ``unknown`` where nothing, and the day since which we have seen it."""

    names: Texts
    since: Whole

    @classmethod
    def nothing(cls, n_accounts: int) -> Seen:
        """Nothing at any account."""
        return cls(np.full(n_accounts, UNKNOWN, dtype=object), np.zeros(n_accounts, dtype=np.int64))

    def by(self, before: Whole) -> Texts:
        """What had been seen of each account before the beginning of its day."""
        found: Texts = np.where(self.since < before, self.names, UNKNOWN)
        return found


@dataclass(frozen=True)
class Book:
    """Everything that scores are made of; account numbers in the other tables are positions in ``account_ids``."""

    as_of: date
    account_ids: Texts
    observed: Whole
    has_firmographics: Flags
    employees: Floats
    annual_revenue_usd: Floats
    founded_year: Floats
    is_nonprofit: Floats
    industry: Texts
    country: Texts
    mail_system: Seen
    technologies: Mapping[str, Seen]
    is_looked_at: Flags
    was_ever_looked_at: Flags
    purchases: Purchases
    deals: Deals
    events: Events

    def __len__(self) -> int:
        return len(self.account_ids)


def load_book(
    store: Store,
    catalogue: Catalogue,
    as_of: date,
    first: str = FIRST_KEY,
    last: str = LAST_KEY,
    replayed_from: date | None = None,
    needs_public: bool = True,
    needs_events: bool = True,
) -> Book:
    """The book by the end of a date, of the accounts whose id lies in ``[first, last)``.

    Args:
        replayed_from: a later date. What was first seen between the two counts from the day it was public: a replay of a time in which nobody looked
            yet. Never used for scores that are kept.
        needs_public: whether the events' days of publication are wanted; without them an event counts as public when we saw it.
        needs_events: whether events are wanted at all; fit needs none.
    """
    span = {"as_of": as_of.isoformat(), "first": first, "last": last}
    rows = _columns(store, _ACCOUNTS_SQL, span, 9)
    account_ids = np.array(rows[0], dtype=object)
    keys = account_ids.astype(str)
    places = _Places(keys)
    bits = _ProductBits(catalogue)
    looked_at, ever = _looked_at(store, replayed_from or as_of, span, places)
    return Book(
        as_of,
        account_ids,
        _days(rows[1]),
        np.array([key is not None for key in rows[2]], dtype=bool),
        _floats(rows[3]),
        _floats(rows[4]),
        _floats(rows[5]),
        _floats(rows[6]),
        _texts(rows[7]),
        _texts(rows[8]),
        _mail_systems(store, as_of, span, places),
        _technologies(store, span, places),
        looked_at,
        ever,
        _load_purchases(store, as_of, span, places, bits),
        _load_deals(store, span, places, bits),
        _load_events(store, as_of, replayed_from or as_of, span if needs_events else span | {"last": first}, places, needs_public),
    )


def iter_spans(n_accounts: int, slice_size: int) -> Iterator[tuple[str, str]]:
    """Ranges of account ids that hold about ``slice_size`` accounts each; ids are hashes, so equal ranges hold equally many."""
    n_slices = max(1, -(-n_accounts // slice_size))
    edges = [FIRST_KEY, *(f"{i * 16**8 // n_slices:08x}" for i in range(1, n_slices)), LAST_KEY]
    yield from pairwise(edges)


class _Places:
    """Positions of account ids."""

    def __init__(self, keys: Any) -> None:
        self._keys = keys
        self.n = len(keys)

    def of(self, account_ids: Sequence[str]) -> tuple[Whole, Flags]:
        """Positions, and whether the account is in the book at all."""
        wanted = np.array(account_ids, dtype=self._keys.dtype if self.n else "U16")
        if not self.n:
            return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=bool)
        at = np.minimum(np.searchsorted(self._keys, wanted), self.n - 1)
        return at, self._keys[at] == wanted

    def of_coded(self, accounts: Coded) -> tuple[Whole, Flags]:
        """The same for a column of ids that repeat."""
        at, is_known = self.of(accounts.names)
        return at[accounts.codes], is_known[accounts.codes]


class _ProductBits:
    """Which products a name and SKU belong to, as bits; each pair, ``json_array(name, sku)``, is matched once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._products: Sequence[Product] = catalogue.products
        self._known: dict[str, int] = {}

    def of(self, pairs: Sequence[str]) -> Whole:
        for pair in set(pairs) - self._known.keys():
            name, sku = json.loads(pair)
            self._known[pair] = sum(1 << n for n, product in enumerate(self._products) if product.is_match(name, sku))
        return np.array([self._known[pair] for pair in pairs], dtype=np.int64)


_ACCOUNTS_SQL = """
    SELECT a.account_id, a.observed_on, f.firmographics_id, f.employees, f.annual_revenue_usd, f.founded_year, f.is_nonprofit, f.industry, f.country
    FROM accounts a
    LEFT JOIN firmographics f ON f.firmographics_id = (
        SELECT firmographics_id FROM firmographics g WHERE g.account_id = a.account_id AND g.observed_on <= :as_of
        ORDER BY g.observed_on DESC, g.firmographics_id LIMIT 1)
    WHERE a.account_id >= :first AND a.account_id < :last AND a.observed_on <= :as_of ORDER BY a.account_id
"""
_SUBSCRIPTIONS_SQL = """
    SELECT account_id, json_array(product, sku), started_on, 0.0, 0 FROM subscriptions
    WHERE account_id >= :first AND account_id < :last AND started_on BETWEEN :oldest AND :as_of
"""
_TRANSACTIONS_SQL = """
    FROM transactions INDEXED BY transactions_account
    WHERE account_id >= :first AND account_id < :last AND transacted_on BETWEEN :oldest AND :as_of
"""
_DEALS_SQL = """
    SELECT account_id, json_array(product, NULL), created_on, closed_on, outcome FROM opportunities
    WHERE account_id >= :first AND account_id < :last AND created_on <= :as_of ORDER BY account_id, created_on, opportunity_id
"""
# A happening counts once; each further page that was seen by then and tells of it is another source.
_SEEN = "substr(e.observed_at, 1, 10)"
_PUBLISHED = f"min({_SEEN}, coalesce(d.published_on, '9999-12-31'))"
_EVENTS_SQL = f"""
    FROM signal_events e INDEXED BY signal_events_account
    LEFT JOIN documents d ON d.document_id = e.document_id
    WHERE e.account_id >= :first AND e.account_id < :last AND e.duplicate_of IS NULL AND e.role = 'subject' AND e.stance = 'buyer'
      AND e.status != 'rumoured' AND e.observed_at <= :until AND e.event_id NOT IN ({WRONG_EVENTS})
"""
_EVENTS_ALONE_SQL = _EVENTS_SQL.replace("    LEFT JOIN documents d ON d.document_id = e.document_id\n", "")
_DUPLICATES_SQL = """
    SELECT duplicate_of, count(DISTINCT document_id) FROM signal_events
    WHERE duplicate_of IS NOT NULL AND account_id >= :first AND account_id < :last AND observed_at <= :until GROUP BY 1
"""


def _load_purchases(store: Store, as_of: date, span: dict[str, str], places: _Places, bits: _ProductBits) -> Purchases:
    span = span | {"oldest": as_of.replace(year=as_of.year - YEARS_OF_TRANSACTIONS, day=min(as_of.day, 28)).isoformat()}
    ids, pairs, days, amounts, eos = _columns(store, _SUBSCRIPTIONS_SQL, span, 5)
    block = read_block(
        store,
        "account_id",
        (("json_array(product, sku)", "code"), ("transacted_on", "code"), ("amount_usd", "number"), ("is_end_of_support", "number")),
        _TRANSACTIONS_SQL,
        span,
    )
    subscribed, transacted = bits.of(pairs), block.coded(0)
    at_subscribed, is_known_subscribed = places.of(ids)
    at_transacted, is_known_transacted = places.of_coded(block.accounts)
    at, is_known = np.concatenate([at_subscribed, at_transacted]), np.concatenate([is_known_subscribed, is_known_transacted])
    day = np.concatenate([_days(days), block.days(1)])
    amount = np.concatenate([_floats(amounts), block.floats(2)])
    is_eos = np.concatenate([_floats(eos), block.floats(3)]) > 0
    products = np.concatenate([subscribed, bits.of(transacted.names)[transacted.codes]])
    # The order of rows in the store must not decide the last digit of a sum.
    order = np.lexsort((is_eos, products, amount, day, at))
    order = order[is_known[order]]
    return Purchases(at[order], day[order], amount[order], is_eos[order], products[order])


def _load_deals(store: Store, span: dict[str, str], places: _Places, bits: _ProductBits) -> Deals:
    ids, names, created, closed, outcomes = _columns(store, _DEALS_SQL, span, 5)
    at, is_known = places.of(ids)
    is_closed = np.array(
        [day is not None and day <= span["as_of"] and outcome != "open" for day, outcome in zip(closed, outcomes, strict=True)], dtype=bool
    )
    closed_days = np.where(is_closed, _days([day or "9999-12-31" for day in closed]), date.max.toordinal())
    is_won = is_closed & np.array([outcome == "won" for outcome in outcomes], dtype=bool)
    products = bits.of(names)
    return Deals(at[is_known], _days(created)[is_known], closed_days[is_known], is_closed[is_known], is_won[is_known], products[is_known])


def _load_events(store: Store, as_of: date, seen_by: date, span: dict[str, str], places: _Places, needs_public: bool) -> Events:
    block = read_block(
        store,
        "e.account_id",
        (
            ("e.event_id", "text"), ("e.event_type", "code"), ("e.occurred_on", "code"), (_PUBLISHED if needs_public else _SEEN, "code"),
            ("e.confidence", "number"),
        ),
        _EVENTS_SQL if needs_public else _EVENTS_ALONE_SQL,
        span | {"until": end_of_day(seen_by)},
    )  # fmt: skip
    at, is_known = places.of_coded(block.accounts)
    types, public = block.coded(1), block.days(3)
    is_known &= public <= as_of.toordinal()
    event_ids = block.texts(0)[is_known]
    return Events(
        at[is_known],
        event_ids,
        types.names,
        types.codes[is_known],
        block.days(2)[is_known],
        public[is_known],
        block.floats(4)[is_known],
        _n_sources(store, span | {"until": end_of_day(seen_by)}, event_ids),
    )


def _n_sources(store: Store, span: dict[str, str], event_ids: Texts) -> Whole:
    """How many pages that were seen by then tell of each event: its own, and one for each document of its duplicates."""
    n_sources = np.ones(len(event_ids), dtype=np.int64)
    originals, n_documents = _columns(store, _DUPLICATES_SQL, span, 2)
    if originals:
        places = {event_id: place for place, event_id in enumerate(event_ids.tolist())}
        for original, n in zip(originals, n_documents, strict=True):
            if original in places:
                n_sources[places[original]] += n
    return n_sources


def _looked_at(store: Store, as_of: date, span: dict[str, str], places: _Places) -> tuple[Flags, Flags]:
    """Whether a page of the account was seen in the window before the date (only then is silence a finding), and whether ever by then.

    A page that had not changed leaves no row of its own; the ping that every crawl begins with does. ``checked_at`` is no help: later looks overwrite it.
    """
    first_day = date.fromordinal(as_of.toordinal() - LOOK_WINDOW_DAYS).isoformat()
    ids, recent = _columns(
        store,
        "SELECT account_id, max(fetched_at >= :first_day) FROM pages"
        " WHERE account_id >= :first AND account_id < :last AND fetched_at <= :until GROUP BY account_id UNION ALL "
        "SELECT account_id, max(pinged_at >= :first_day) FROM domain_pings"
        " WHERE account_id >= :first AND account_id < :last AND pinged_at <= :until AND state IN ('live', 'moved') GROUP BY account_id",
        span | {"until": end_of_day(as_of), "first_day": first_day},
        2,
    )
    at, is_known = places.of(ids)
    lately, ever = np.zeros(places.n, dtype=bool), np.zeros(places.n, dtype=bool)
    np.logical_or.at(lately, at[is_known], (np.array(recent, dtype=np.int64) > 0)[is_known])
    ever[at[is_known]] = True
    return lately, ever


def _mail_systems(store: Store, as_of: date, span: dict[str, str], places: _Places) -> Seen:
    """Who handles the account's mail, as the latest ping by the date saw it, and since when pings have seen the same."""
    ids, days, mail = _columns(
        store,
        "SELECT account_id, substr(pinged_at, 1, 10), mail_exchangers FROM domain_pings"
        " WHERE account_id >= :first AND account_id < :last AND pinged_at <= :until ORDER BY account_id, pinged_at, ping_id",
        span | {"until": end_of_day(as_of)},
        3,
    )
    at, is_known = places.of(ids)
    seen = Seen.nothing(places.n)
    for place, known, day, exchangers in zip(at.tolist(), is_known.tolist(), _days(days).tolist(), mail, strict=True):
        system = _mail_system(exchangers)
        if known and seen.names[place] != system:
            seen.names[place], seen.since[place] = system, day
    return seen


def _mail_system(mail_exchangers: str | None) -> str:
    hosts = " ".join(json.loads(mail_exchangers)).lower() if mail_exchangers else ""
    if not hosts:
        return UNKNOWN
    if "outlook.com" in hosts:
        return "Microsoft 365"
    return "Google Workspace" if "google" in hosts else "own or hosted"


def _technologies(store: Store, span: dict[str, str], places: _Places) -> dict[str, Seen]:
    """Per category of technology, what the account took up last of what it used by the date; ``unknown`` where none was seen.

    When it was last seen is no help: later looks overwrite it.
    """
    ids, categories, names, days = _columns(
        store,
        "SELECT account_id, category, technology, first_seen_on FROM technology_observations"
        " WHERE account_id >= :first AND account_id < :last AND first_seen_on <= :as_of"
        " AND (retired_on IS NULL OR retired_on > :as_of) ORDER BY account_id, first_seen_on, technology DESC",
        span,
        4,
    )
    at, is_known = places.of(ids)
    found: dict[str, Seen] = {}
    for place, known, category, name, day in zip(at.tolist(), is_known.tolist(), categories, names, _days(days).tolist(), strict=True):
        if known:
            seen = found.setdefault(category, Seen.nothing(places.n))
            seen.names[place], seen.since[place] = name, day
    return {category: found[category] for category in sorted(found)}


def _columns(store: Store, sql: str, parameters: Mapping[str, Any], n_columns: int) -> list[list[Any]]:
    """The rows of a SELECT as lists by column."""
    columns: list[list[Any]] = [[] for _ in range(n_columns)]
    for batch in store.batches(sql, parameters, BATCH):
        for column, values in zip(columns, zip(*batch, strict=True), strict=True):
            column.extend(values)
    return columns


_ordinals: dict[str, int] = {}


def _days(texts: Sequence[str]) -> Whole:
    """Dates as days since the year 1; each spelling is parsed once."""
    days = np.empty(len(texts), dtype=np.int64)
    for i, text in enumerate(texts):
        day = _ordinals.get(text)
        if day is None:
            day = _ordinals[text] = date.fromisoformat(text).toordinal()
        days[i] = day
    return days


def _texts(values: Sequence[str | None]) -> Texts:
    return np.array([text or UNKNOWN for text in values], dtype=object)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
