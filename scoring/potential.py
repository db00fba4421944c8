"""Potential revenue: what similar customers spend on a product in a year, as a low-high range.

Similar is: same size segment and industry; where too few bought, same size segment; else all customers. The range runs from the lower to the upper quartile
of each group, pulled towards the wider group's the fewer customers it has.

Source: the quantile view of a customer's wallet (Rosset et al.: Wallet estimation models, 2005).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.book import Book
from scoring.columns import Flags, Floats, Texts, Whole
from scoring.features import DAYS_PER_YEAR, spend
from storage.catalogue import SizeSegments

MIN_SIMILAR = 8
PULL = 10.0  # customers of the wider group that count like the group's own
YEARS = 3


@dataclass(frozen=True)
class Spenders:
    """Customers with a known spend on a product: dollars a year, size segment and industry."""

    yearly_usd: Floats
    segment: Texts
    industry: Texts

    @classmethod
    def of(cls, book: Book, bits: int, segments: SizeSegments) -> Spenders:
        """The spenders of a book."""
        yearly = spend(book, bits, round(YEARS * DAYS_PER_YEAR)) / YEARS
        bought: Flags = yearly > 0
        return cls(yearly[bought], size_segments(book, segments)[bought], book.industry[bought])


@dataclass(frozen=True)
class Groups:
    """Each account's pair of size segment and industry: ``pairs[codes[i]]``."""

    pairs: Sequence[tuple[str, str]]
    codes: Whole

    @classmethod
    def of(cls, book: Book, segments: SizeSegments) -> Groups:
        """The groups of a book."""
        index: dict[tuple[str, str], int] = {}
        both = zip(size_segments(book, segments).tolist(), book.industry.tolist(), strict=True)
        codes = np.fromiter((index.setdefault(pair, len(index)) for pair in both), dtype=np.int64, count=len(book))
        return cls(list(index), codes)


class PotentialRevenue:
    """Looks up ranges; NaN where too few bought at all."""

    def __init__(self, parts: Iterable[Spenders]) -> None:
        spenders = list(parts)
        yearly = np.concatenate([part.yearly_usd for part in spenders]) if spenders else np.zeros(0)
        segment = np.concatenate([part.segment for part in spenders]) if spenders else np.zeros(0, dtype=object)
        industry = np.concatenate([part.industry for part in spenders]) if spenders else np.zeros(0, dtype=object)
        self._ranges: dict[tuple[str, ...], tuple[float, float]] = {}
        if len(yearly) < MIN_SIMILAR:
            return
        self._ranges[()] = _quartiles(yearly)
        for name in sorted(set(segment)):
            of_size = segment == name
            self._add((name,), yearly[of_size], ())
            for kind in sorted(set(industry[of_size])):
                self._add((name, kind), yearly[of_size & (industry == kind)], (name,) if (name,) in self._ranges else ())

    def ranges(self, groups: Groups) -> tuple[Floats, Floats]:
        """Low and high for each account, in dollars a year."""
        nothing = (float("nan"), float("nan"))
        found = [self._ranges.get(pair) or self._ranges.get(pair[:1]) or self._ranges.get((), nothing) for pair in groups.pairs]
        rows = np.array(found, dtype=float).reshape(-1, 2)[groups.codes]
        return rows[:, 0], rows[:, 1]

    def _add(self, key: tuple[str, ...], yearly: Floats, wider: tuple[str, ...]) -> None:
        if len(yearly) < MIN_SIMILAR:
            return
        own, prior = _quartiles(yearly), self._ranges[wider]
        trust = len(yearly) / (len(yearly) + PULL)
        low, high = (round(trust * a + (1 - trust) * b, 2) for a, b in zip(own, prior, strict=True))
        self._ranges[key] = (low, high)


def size_segments(book: Book, segments: SizeSegments) -> Texts:
    """Each account's segment of the customer landscape; ``unknown`` where its size is."""
    sizes, codes = np.unique(book.employees, return_inverse=True)
    names = [segments.segment(None if np.isnan(n) else int(n)) or "unknown" for n in sizes.tolist()]
    found: Texts = np.array(names, dtype=object)[codes]
    return found


def _quartiles(yearly: Floats) -> tuple[float, float]:
    low, high = np.quantile(yearly, [0.25, 0.75])
    return round(float(low), 2), round(float(high), 2)
