"""Accounts (or rows of any table) as columns: what the fit model reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "unknown"
TECHNOLOGY = "technology: "  # how names of features begin that say which software of a kind an account runs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]
Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Columns:
    """Columns of equal length: numbers with NaN for unknown, categories as texts."""

    numbers: Mapping[str, Floats]
    categories: Mapping[str, Texts]

    def __len__(self) -> int:
        for column in (*self.numbers.values(), *self.categories.values()):
            return len(column)
        return 0

    def rows(self, index: Whole | Flags) -> Columns:
        """The rows at an index, or where a mask holds."""
        return Columns(
            {name: column[index] for name, column in self.numbers.items()},
            {name: column[index] for name, column in self.categories.items()},
        )

    def without(self, names: frozenset[str]) -> Columns:
        """All columns but those."""
        return Columns(
            {name: column for name, column in self.numbers.items() if name not in names},
            {name: column for name, column in self.categories.items() if name not in names},
        )

    def with_categories(self, names: Iterable[str]) -> Columns:
        """These columns, and categories of those names where they are missing: unknown in every row."""
        missing = {name: np.full(len(self), UNKNOWN, dtype=object) for name in names if name not in self.categories}
        return Columns(self.numbers, {**self.categories, **missing}) if missing else self
