"""Potential revenue: what similar customers spend on a product in a year, as a low-high range.

Spend grows with the number of employees by a power that is read off the customers; the lower and the upper quartile are those of what is left, among
customers of the same industry, pulled towards all customers' the fewer they are. An account larger or smaller than every customer counts as the
largest or smallest.

Source: the quantile view of a customer's wallet (Rosset et al.: Wallet estimation models, 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.book import Book
from scoring.columns import Flags, Floats, Texts, Whole
from scoring.features import DAYS_PER_YEAR, spend
from storage.catalogue import SizeSegments

MIN_SIMILAR = 8
PULL = 10.0  # customers of the wider group that count like the group's own
YEARS = 3
QUARTILES = (0.25, 0.75)


@dataclass(frozen=True)
class Spenders:
    """Customers with a known spend on a product: dollars a year, log of employees (NaN: unknown) and industry."""

    yearly_usd: Floats
    size: Floats
    industry: Texts

    @classmethod
    def of(cls, book: Book, bits: int) -> Spenders:
        """The spenders of a book."""
        yearly = spend(book, bits, round(YEARS * DAYS_PER_YEAR)) / YEARS
        bought: Flags = yearly > 0
        return cls(yearly[bought], np.log1p(book.employees[bought]), book.industry[bought])


@dataclass(frozen=True)
class Likeness:
    """What makes accounts similar: log of employees (NaN: unknown), and industry, ``industries[codes[i]]``."""

    size: Floats
    industries: Sequence[str]
    codes: Whole

    @classmethod
    def of(cls, book: Book) -> Likeness:
        """That of a book's accounts."""
        index: dict[str, int] = {}
        codes = np.fromiter((index.setdefault(name, len(index)) for name in book.industry.tolist()), dtype=np.int64, count=len(book))
        return cls(np.log1p(book.employees), list(index), codes)


class PotentialRevenue:
    """Looks up ranges; NaN where too few bought at all."""

    def __init__(self, spenders: Spenders) -> None:
        self._n = len(spenders.yearly_usd)
        if self._n < MIN_SIMILAR:
            return
        spent = np.log(spenders.yearly_usd)
        known = ~np.isnan(spenders.size)
        self._anyone = _quartiles(spent)
        self._middle, self._slope, self._ends = _growth(spenders.size[known], spent[known])
        left = spent - self._slope * (np.where(known, spenders.size, self._middle) - self._middle)
        self._of_all = _quartiles(left)
        self._of_industry: dict[str, Floats] = {}
        for name in sorted(set(spenders.industry)):
            own = left[spenders.industry == name]
            if len(own) >= MIN_SIMILAR:
                trust = len(own) / (len(own) + PULL)
                self._of_industry[name] = trust * _quartiles(own) + (1 - trust) * self._of_all

    def ranges(self, accounts: Likeness) -> tuple[Floats, Floats]:
        """Low and high for each account, in dollars a year."""
        n = len(accounts.size)
        if self._n < MIN_SIMILAR:
            return np.full(n, np.nan), np.full(n, np.nan)
        quartiles = np.array([self._of_industry.get(name, self._of_all) for name in accounts.industries]).reshape(-1, 2)[accounts.codes]
        grown = self._slope * (np.clip(accounts.size, *self._ends) - self._middle)
        logs: Floats = np.where(np.isnan(grown)[:, None], self._anyone, quartiles + np.nan_to_num(grown)[:, None])
        usd = np.exp(logs).round(2)
        return usd[:, 0], usd[:, 1]


def size_segments(book: Book, segments: SizeSegments) -> Texts:
    """Each account's segment of the customer landscape; ``unknown`` where its size is."""
    sizes, codes = np.unique(book.employees, return_inverse=True)
    names = [segments.segment(None if np.isnan(n) else int(n)) or "unknown" for n in sizes.tolist()]
    found: Texts = np.array(names, dtype=object)[codes]
    return found


def _growth(size: Floats, spent: Floats) -> tuple[float, float, tuple[float, float]]:
    """Mean size, power by which spend grows with it (least squares, never negative, pulled towards 0 where customers are few), smallest and largest size."""
    if len(size) < MIN_SIMILAR or not size.var():
        return 0.0, 0.0, (-np.inf, np.inf)
    slope = float(((size - size.mean()) * spent).mean() / size.var())
    return float(size.mean()), max(0.0, slope) * len(size) / (len(size) + PULL), (float(size.min()), float(size.max()))


def _quartiles(logs: Floats) -> Floats:
    found: Floats = np.quantile(logs, QUARTILES)
    return found
