"""Next workload: which product accounts like this one took next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scoring.book import Book
from scoring.columns import Flags, Floats, Whole
from scoring.features import NEVER, first_purchase

MIN_TAKERS = 5
SMOOTHING = 5.0


@dataclass(frozen=True)
class Steps:
    """Counts over products: ``owners[p]`` accounts that had p, ``next[p, q]`` of them whose next other product was q, and ``first[q]`` that began with q."""

    owners: Floats
    next: Floats
    first: Floats

    @classmethod
    def of(cls, book: Book, n_products: int) -> Steps:
        """The steps of a book."""
        days = first_days(book, n_products)
        owners, following = np.zeros(n_products), np.zeros((n_products, n_products))
        for p in range(n_products):
            has = days[:, p] < NEVER
            owners[p] = has.sum()
            later = np.where((days > days[:, [p]]) & (days < NEVER), days, NEVER)
            taken = later.min(axis=1, initial=NEVER)
            step = has & (taken < NEVER)
            np.add.at(following[p], later[step].argmin(axis=1), 1.0)
        began = days.min(axis=1, initial=NEVER)
        first = np.bincount(days[began < NEVER].argmin(axis=1), minlength=n_products).astype(float) if n_products else np.zeros(0)
        return cls(owners, following, first)

    @classmethod
    def total(cls, parts: Iterable[Steps]) -> Steps:
        """The sum over slices of a book."""
        listed = list(parts)
        return cls(*(np.sum([getattr(part, name) for part in listed], axis=0) for name in ("owners", "next", "first")))

    def best(self, owned: Flags) -> tuple[Whole, Floats]:
        """Per account (rows of ``owned``: accounts × products) the likeliest next product and the share that took it; -1 where too few did.

        The share of each owned product's owners who took q next, smoothed towards how often q comes at all, averaged over what the account owns.
        """
        steps = self.next.sum()
        if steps < MIN_TAKERS:
            return np.full(len(owned), -1), np.zeros(len(owned))
        prior = self.next.sum(axis=0) / steps
        shares = (self.next + SMOOTHING * prior) / (self.owners[:, None] + SMOOTHING)
        began = self.first / max(1.0, self.first.sum())
        n_owned = owned.sum(axis=1)
        expected = np.where(n_owned[:, None] > 0, owned.astype(float) @ shares / np.maximum(1, n_owned)[:, None], began)
        expected = np.where(owned, -1.0, expected)
        chosen = expected.argmax(axis=1)
        share = expected[np.arange(len(owned)), chosen]
        return np.where(share > 0, chosen, -1), np.maximum(share, 0.0)


def first_days(book: Book, n_products: int) -> Whole:
    """Accounts × products: the day of the first purchase, ``NEVER`` where there was none."""
    return (
        np.column_stack([first_purchase(book, 1 << p) for p in range(n_products)])
        if n_products
        else np.zeros((len(book), 0), dtype=np.int64)
    )
