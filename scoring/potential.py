"""Potential revenue: what similar customers spend on a product in a year, as a low-high range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from storage.catalogue import Catalogue, Product
from storage.store import Store

MIN_SIMILAR = 8


@dataclass(frozen=True, slots=True)
class RevenueRange:
    """Dollars a year: the lower and upper quartile of similar customers."""

    low_usd: float
    high_usd: float


class PotentialRevenue:
    """Looks up the range for an account: customers of its size and industry, else of its size, else all; None when too few bought.

    Source: the quantile view of a customer's wallet (Rosset et al.: Wallet estimation models, 2005), here with plain group quantiles.
    """

    def __init__(self, store: Store, catalogue: Catalogue, product: Product, as_of: date) -> None:
        self._segments = catalogue.segments
        spend = _yearly_spend(store, product, as_of)
        self._groups: dict[tuple[str | None, ...], list[float]] = {}
        for row in store.query(
            "SELECT account_id, employees, industry FROM firmographics WHERE observed_on <= ? ORDER BY observed_on, firmographics_id",
            (as_of.isoformat(),),
        ):
            if row["account_id"] in spend:
                for group in self._groups_of(row["employees"], row["industry"]):
                    self._groups.setdefault(group, []).append(spend[row["account_id"]])

    def range_for(self, employees: int | None, industry: str | None) -> RevenueRange | None:
        """The range of the narrowest group with enough customers."""
        for group in self._groups_of(employees, industry):
            if len(values := self._groups.get(group, [])) >= MIN_SIMILAR:
                low, high = np.quantile(values, [0.25, 0.75])
                return RevenueRange(round(float(low), 2), round(float(high), 2))
        return None

    def _groups_of(self, employees: int | None, industry: str | None) -> Sequence[tuple[str | None, ...]]:
        segment = self._segments.segment(employees)
        return ((segment, industry), (segment,), ())


def _yearly_spend(store: Store, product: Product, as_of: date) -> Mapping[str, float]:
    """Per account that bought the product in the three years before: what it spent on it a year."""
    first = as_of.replace(year=as_of.year - 3, day=min(as_of.day, 28)).isoformat()
    total: dict[str, float] = {}
    for row in store.query(
        "SELECT account_id, product, sku, amount_usd FROM transactions WHERE transacted_on > ? AND transacted_on <= ? ORDER BY transaction_id",
        (first, as_of.isoformat()),
    ):
        if product.is_match(row["product"], row["sku"]):
            total[row["account_id"]] = total.get(row["account_id"], 0.0) + row["amount_usd"]
    return {account_id: amount / 3 for account_id, amount in total.items() if amount > 0}
