"""What is known of every account as of a date: the columns the fit model reads.

Only rows observed by the date take part, and a purchase of the product that is scored never does: it is what the model predicts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from storage.catalogue import Catalogue, Product
from storage.clock import end_of_day
from storage.store import Store

UNKNOWN = "unknown"
YEARS_OF_TRANSACTIONS = 10


@dataclass(frozen=True, slots=True)
class AccountFeatures:
    """One account's numbers (None: unknown) and categories by feature name."""

    account_id: str
    numbers: Mapping[str, float | None]
    categories: Mapping[str, str]
    has_firmographics: bool


def load_features(store: Store, catalogue: Catalogue, product: Product, as_of: date) -> list[AccountFeatures]:
    """Features of every account known by the date, in the order of account ids."""
    purchases = _purchase_numbers(store, catalogue, product, as_of)
    mail = _mail_systems(store, as_of)
    rows = store.query(
        """
        SELECT a.account_id, f.firmographics_id, f.employees, f.annual_revenue_usd, f.industry, f.country, f.founded_year, f.is_nonprofit
        FROM accounts a
        LEFT JOIN firmographics f ON f.firmographics_id = (
            SELECT firmographics_id FROM firmographics g WHERE g.account_id = a.account_id AND g.observed_on <= :as_of
            ORDER BY g.observed_on DESC, g.firmographics_id LIMIT 1)
        WHERE a.observed_on <= :as_of ORDER BY a.account_id
        """,
        {"as_of": as_of.isoformat()},
    )
    return [_features(row, purchases.get(row["account_id"], {}), mail.get(row["account_id"], UNKNOWN), as_of) for row in rows]


def _features(row: Mapping[str, object], purchases: Mapping[str, float], mail: str, as_of: date) -> AccountFeatures:
    employees, revenue, founded = (_number(row[name]) for name in ("employees", "annual_revenue_usd", "founded_year"))
    nonprofit = row["is_nonprofit"]
    numbers: dict[str, float | None] = {
        "employees (log)": math.log1p(employees) if employees is not None else None,
        "annual revenue (log)": math.log1p(revenue) if revenue is not None else None,
        "years in business (log)": math.log1p(max(0.0, as_of.year - founded)) if founded is not None else None,
        "other products owned": purchases.get("n_products", 0.0),
        "spend on other products, 3 years (log)": math.log1p(max(0.0, purchases.get("spend_3y", 0.0))),
        "customer for years": purchases.get("tenure_years", 0.0),
        "bought end-of-support products": purchases.get("eos", 0.0),
    }
    categories = {
        "industry": str(row["industry"] or UNKNOWN),
        "country": str(row["country"] or UNKNOWN),
        "nonprofit": UNKNOWN if nonprofit is None else ("yes" if nonprofit else "no"),
        "mail system": mail,
    }
    return AccountFeatures(str(row["account_id"]), numbers, categories, row["firmographics_id"] is not None)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _purchase_numbers(store: Store, catalogue: Catalogue, scored: Product, as_of: date) -> dict[str, dict[str, float]]:
    """Per account: products owned, spend, tenure and end-of-support purchases, without the scored product."""
    first = as_of.replace(year=as_of.year - YEARS_OF_TRANSACTIONS, day=min(as_of.day, 28)).isoformat()
    recent = as_of.replace(year=as_of.year - 3, day=min(as_of.day, 28)).isoformat()
    owned: dict[str, set[str]] = {}
    found: dict[str, dict[str, float]] = {}
    for row in store.query(
        """
        SELECT account_id, product, sku, started_on AS day, 0.0 AS amount_usd, 0 AS eos FROM subscriptions WHERE started_on <= :as_of
        UNION ALL
        SELECT account_id, product, sku, transacted_on, amount_usd, coalesce(is_end_of_support, 0) FROM transactions
        WHERE transacted_on BETWEEN :first AND :as_of
        """,
        {"as_of": as_of.isoformat(), "first": first},
    ):
        if scored.is_match(row["product"], row["sku"]):
            continue
        numbers = found.setdefault(row["account_id"], {"spend_3y": 0.0, "eos": 0.0, "tenure_years": 0.0})
        owned.setdefault(row["account_id"], set()).update(
            p.product_id for p in catalogue.products if p.is_match(row["product"], row["sku"])
        )
        numbers["n_products"] = float(len(owned[row["account_id"]]))
        numbers["eos"] = max(numbers["eos"], float(row["eos"]))
        numbers["tenure_years"] = max(numbers["tenure_years"], (as_of - date.fromisoformat(row["day"])).days / 365.25)
        if row["day"] >= recent:
            numbers["spend_3y"] += row["amount_usd"]
    return found


def _mail_systems(store: Store, as_of: date) -> dict[str, str]:
    """Per account: who handles its mail, as the latest ping by the date saw it."""
    systems: dict[str, str] = {}
    for row in store.query(
        "SELECT account_id, mail_exchangers FROM domain_pings WHERE pinged_at <= ? ORDER BY pinged_at, ping_id", (end_of_day(as_of),)
    ):
        systems[row["account_id"]] = _mail_system(row["mail_exchangers"])
    return systems


def _mail_system(mail_exchangers: str | None) -> str:
    hosts = " ".join(json.loads(mail_exchangers)).lower() if mail_exchangers else ""
    if not hosts:
        return UNKNOWN
    if "outlook.com" in hosts:
        return "Microsoft 365"
    return "Google Workspace" if "google" in hosts else "own or hosted"
