"""A small invented book in a real store: what the tests of scoring stand on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from bellwether.catalogue_file import load_catalogue
from storage.ids import content_key
from storage.records import Account, Document, Firmographics, Opportunity, Page, Record, SignalEvent, Transaction
from storage.store import Store, create_store, open_writer

CATALOGUE = load_catalogue(None)
FIRST_DAY, LAST_DAY = date(2023, 11, 1), date(2026, 11, 1)
INDUSTRIES = ("Manufacturing", "Legal services", "Health care", "Retail")
TYPES = ("cloud_migration", "funding_round", "headcount_growth", "business_system_project", "financial_distress")


def fill_store(path: Path, n_accounts: int = 240, seed: int = 1) -> Store:
    """A store with a book in which manufacturers buy Business Central and the large buy Azure; open for writing."""
    create_store(path)
    store = open_writer(path, job="test")
    dice = np.random.default_rng(seed)
    records: list[Record] = []
    for i in range(n_accounts):
        records.extend(account_records(f"company{i}.test", dice))
    store.save(records)
    return store


def account_records(domain: str, dice: np.random.Generator) -> list[Record]:
    """An account with its firmographics, purchases, deals and events."""
    account_id = content_key("account", domain)
    industry, employees = str(dice.choice(INDUSTRIES)), int(np.exp(dice.normal(4.3, 1)))
    records: list[Record] = [
        Account(account_id, domain, domain, None, None, None, None, None, FIRST_DAY.isoformat()),
        firmographics(account_id, FIRST_DAY, employees, industry),
    ]
    for product, taste in (("Azure", np.log(employees / 70)), ("Business Central", 1.5 if industry == "Manufacturing" else -2.0)):
        for _ in range(2):
            created = FIRST_DAY + timedelta(days=int(dice.integers(1000)))
            closed = created + timedelta(days=int(dice.integers(10, 90)))
            is_won = bool(dice.random() < 1 / (1 + np.exp(-taste)))
            records.append(deal(account_id, product, created, closed, "won" if is_won else "lost"))
            if is_won:
                records.append(transaction(account_id, product, closed, float(employees * 40)))
    for _ in range(int(dice.integers(0, 4))):
        day = FIRST_DAY + timedelta(days=int(dice.integers(1095)))
        records.extend(event_records(account_id, str(dice.choice(TYPES)), day, day))
    return records


def firmographics(account_id: str, day: date, employees: int | None, industry: str | None) -> Firmographics:
    """What became known of an account on a day."""
    key = content_key("firmographics", account_id, day, employees, industry)
    return Firmographics(
        key, account_id, "test", day.isoformat(), employees, None, industry, None, None, None, None, None, None, None, "GB", 1990, 0
    )


def deal(account_id: str, product: str, created: date, closed: date | None, outcome: str) -> Opportunity:
    """A deal."""
    key = content_key("deal", account_id, product, created, closed, outcome)
    return Opportunity(key, account_id, None, product, created.isoformat(), closed.isoformat() if closed else None, outcome, 1000.0)


def transaction(account_id: str, product: str, day: date, amount_usd: float) -> Transaction:
    """A purchase."""
    return Transaction(
        content_key("transaction", account_id, product, day, amount_usd), account_id, None, product, None, amount_usd, day.isoformat(), 0
    )


def event_records(
    account_id: str,
    event_type: str,
    occurred: date,
    observed: date,
    confidence: float = 0.9,
    duplicate_of: str | None = None,
    mark: str = "",
) -> list[Record]:
    """An event with the page and document that tell of it."""
    key = content_key("event", account_id, event_type, occurred, observed, mark)
    seen = f"{observed}T06:00:00Z"
    page = Page(
        content_key("page", key),
        account_id,
        "x.test",
        f"https://x.test/{key}",
        "article",
        200,
        None,
        key,
        "a.warc.gz",
        0,
        seen,
        seen,
        None,
        None,
        None,
    )
    document = Document(
        content_key("document", key),
        page.page_id,
        account_id,
        page.url,
        None,
        "article",
        None,
        "text",
        "en",
        occurred.isoformat(),
        "meta",
        seen,
        "1",
    )
    event = SignalEvent(
        key, account_id, document.document_id, event_type, None, 1, "completed", "subject", "buyer", occurred.isoformat(), "day", "text", seen,
        "text", 0, 4, confidence, "1", duplicate_of,
    )  # fmt: skip
    return [page, document, event]


def noise_deals(account_ids: Sequence[str], product: str, seed: int) -> list[Record]:
    """Deals and purchases of a product that nothing known of the accounts has to do with."""
    dice = np.random.default_rng(seed)
    records: list[Record] = []
    for account_id in account_ids:
        for day in dice.integers(1000, size=int(dice.integers(0, 3))).tolist():
            created = FIRST_DAY + timedelta(days=day)
            is_won = bool(dice.random() < 0.4)
            records.append(deal(account_id, product, created, created + timedelta(days=20), "won" if is_won else "lost"))
            if is_won:
                records.append(transaction(account_id, product, created + timedelta(days=20), 500.0))
    return records


def scores_of(store: Store, run_id: str) -> list[Sequence[object]]:
    """Everything a run says: scores with their reasons, places, potential, next workloads, movements, drift and models, in a fixed order."""
    found: list[Sequence[object]] = []
    for table in (
        "fit_scores", "signal_scores", "cluster_assignments", "next_workloads", "cluster_movements", "feature_drift", "run_models",
    ):  # fmt: skip
        rows = store.query(f"SELECT * FROM {table} WHERE run_id = ? ORDER BY 1, 2, 3", (run_id,))
        found.extend([table, *(value for name, value in row.items() if name != "run_id")] for row in rows)
    return found
