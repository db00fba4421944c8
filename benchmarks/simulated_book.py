"""A simulated book whose truth is known: what scoring must find, and where there is nothing to find.

3,000 accounts over 36 months. Who wants what: a taste per account and product, made of industry, size and a part nobody can know (standard deviation 0.5),
that drifts over the years (industry's effect fades by a third, size's grows by a third). Events arrive at random, 0.3 a month, any type alike; a tenth
is never seen. Each account gets 0 to 4 deals per product at random times, also after it bought (renewals, expansions). A deal is won with log-odds

    base + taste + 0.4 · Σ true weight · confidence · 2^(-age / half-life) over the events public before it was opened

True weights are the catalogue's, each multiplied by 0, ½, 1, 1½ or 2. Surface is the product with nothing to learn: taste and events leave it cold.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from storage.catalogue import Catalogue
from storage.ids import content_key
from storage.records import Account, Document, Firmographics, Opportunity, Page, Record, SignalEvent, Transaction
from storage.store import Store, create_store, open_writer

N_ACCOUNTS = 3000
FIRST_DAY, LAST_DAY = date(2023, 11, 1), date(2026, 11, 1)
N_DAYS = (LAST_DAY - FIRST_DAY).days
COLD = "Surface"
INDUSTRIES = ("Manufacturing", "Legal services", "Health care", "Retail", "Energy", "Software and IT services", "Education", "Logistics")
UNIT = 0.4
EVENTS_PER_MONTH = 0.3
# The words by which the catalogue recognises a purchase of each product.
NAMES = {
    "Azure": "Azure", "M365": "Microsoft 365 E3", "M365_CoPilot": "Microsoft 365 Copilot", "D365BC": "Dynamics 365 Business Central",
    "Surface": "Surface Laptop", "Security": "Microsoft Defender",
}  # fmt: skip


def true_weights(catalogue: Catalogue, seed: int) -> dict[str, dict[str, float]]:
    """Per product, what each event type is truly worth in the catalogue's units."""
    dice = np.random.default_rng(seed + 1)
    return {
        product.product_id: {
            name: 0.0 if product.product_id == COLD else weight * float(dice.choice([0, 0.5, 1, 1.5, 2]))
            for name, weight in sorted(product.weights.items())
        }
        for product in catalogue.products
    }


def write_simulated_book(path: Path, catalogue: Catalogue, seed: int, n_accounts: int = N_ACCOUNTS) -> Store:
    """The book in a new store, open for writing."""
    create_store(path)
    store = open_writer(path, job="simulation")
    dice = np.random.default_rng(seed)
    weights = true_weights(catalogue, seed)
    tastes = {p.product_id: dict(zip(INDUSTRIES, dice.normal(0, 1.0, len(INDUSTRIES)), strict=True)) for p in catalogue.products}
    slopes = {p.product_id: float(dice.normal(0.5, 0.3)) for p in catalogue.products}
    types = sorted(name for name, days in catalogue.half_lives_days.items() if days > 0)
    records: list[Record] = []
    for i in range(n_accounts):
        account_id = content_key("account", f"sim{i}.test")
        industry, size = str(dice.choice(INDUSTRIES)), float(dice.normal(0, 1))
        employees = int(80 * np.exp(size))
        records.append(Account(account_id, f"sim{i}.test", f"Simulated {i}", None, None, None, None, None, FIRST_DAY.isoformat()))
        records.append(
            Firmographics(
                content_key("firmographics", account_id), account_id, "simulation", FIRST_DAY.isoformat(),
                None if dice.random() < 0.08 else employees, employees * 150_000.0, None if dice.random() < 0.05 else industry,
                None, None, None, None, None, None, None, "GB", int(dice.integers(1950, 2020)), 0,
            )
        )  # fmt: skip
        events = _events(account_id, types, dice)
        records.extend(record for _, _, _, rows in events for record in rows)
        for product in catalogue.products:
            records.extend(
                _history(
                    account_id, product.product_id, tastes[product.product_id][industry], slopes[product.product_id] * size,
                    weights[product.product_id], events, catalogue, employees, dice,
                )
            )  # fmt: skip
    store.save(records)
    return store


Happening = tuple[str, int, float, list[Record]]  # type, day, confidence, rows


def _events(account_id: str, types: list[str], dice: np.random.Generator) -> list[Happening]:
    found: list[Happening] = []
    for i in range(int(dice.poisson(EVENTS_PER_MONTH * 36))):
        name, day = str(dice.choice(types)), int(dice.integers(N_DAYS))
        confidence = round(float(dice.uniform(0.5, 1.0)), 3)
        public = FIRST_DAY + timedelta(days=day)
        seen = f"{public + timedelta(days=1)}T06:00:00Z"
        key = content_key("event", account_id, i)
        url = f"https://simulated.test/{key}"
        page = Page(
            content_key("page", key), account_id, "simulated.test", url, "article", 200, None, key, "none.warc.gz", 0, seen, f"{LAST_DAY}T06:00:00Z",
            None, None, None,
        )  # fmt: skip
        document = Document(
            content_key("document", key),
            page.page_id,
            account_id,
            url,
            None,
            "article",
            None,
            "-",
            "en",
            public.isoformat(),
            "meta",
            seen,
            "1",
        )
        event = SignalEvent(
            key, account_id, document.document_id, name, None, 1, "completed", "subject", "buyer", public.isoformat(), "day", "text", seen, "-", 0, 1,
            confidence, "1", None,
        )  # fmt: skip
        found.append((name, day, confidence, [page, document, event] if dice.random() > 0.1 else []))
    return found


def _history(
    account_id: str, product: str, by_industry: float, by_size: float, weights: dict[str, float], events: list[Happening], catalogue: Catalogue,
    employees: int, dice: np.random.Generator,
) -> list[Record]:  # fmt: skip
    """The deals of an account for a product, in order."""
    rows: list[Record] = []
    unknowable = float(dice.normal(0, 0.5))
    for day in sorted(dice.integers(N_DAYS - 10, size=int(dice.choice([0, 1, 2, 3, 4]))).tolist()):
        years = day / 365
        taste = 0.0 if product == COLD else by_industry * (1 - 0.11 * years) + by_size * (1 + 0.11 * years) + unknowable
        pull = sum(
            weights[name] * confidence * 2 ** (-(day - when) / catalogue.half_lives_days[name])
            for name, when, confidence, _ in events
            if when < day - 1
        )
        is_won = dice.random() < 1 / (1 + np.exp(1.0 - taste - UNIT * pull))
        created = FIRST_DAY + timedelta(days=day)
        closed = created + timedelta(days=int(dice.integers(5, 60)))
        key = content_key("deal", account_id, product, day)
        if closed > LAST_DAY:
            rows.append(Opportunity(key, account_id, None, NAMES[product], created.isoformat(), None, "open", None))
            continue
        rows.append(
            Opportunity(key, account_id, None, NAMES[product], created.isoformat(), closed.isoformat(), "won" if is_won else "lost", 1000.0)
        )
        if is_won:
            amount = round(employees * float(dice.uniform(20, 60)), 2)
            rows.append(Transaction(content_key("bought", key), account_id, None, NAMES[product], None, amount, closed.isoformat(), 0))
    return rows
