"""Drift: how far the scored book lies from the one its model was trained on, in what is known of accounts and in how many it is known of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.columns import UNKNOWN, Columns, Floats
from scoring.metrics import psi, psi_noise

MAX_LEVELS = 30  # of a category; the others count as one
EDGES = np.linspace(0.1, 0.9, 9)


@dataclass(frozen=True, slots=True)
class Shift:
    """``psi`` compares known values alone, beyond what chance would show; coverage stands beside it."""

    psi: float
    known_before: float
    known_now: float


class Drift:
    """Counts the slices of a book by the bins of the baseline in a model's metrics."""

    def __init__(self, metrics: str | None) -> None:
        found = json.loads(metrics).get("baseline", {}) if metrics else {}
        # Models of earlier versions kept shares that mixed values and coverage: nothing can be told from them.
        self._baseline: Mapping[str, Mapping[str, Any]] = {name: kept for name, kept in found.items() if "counts" in kept}
        self._counts: dict[str, Floats] = {}

    def add(self, columns: Columns) -> None:
        """One more slice."""
        for name, baseline in self._baseline.items():
            if name in columns.numbers or name in columns.categories:
                self._counts[name] = self._counts.get(name, 0.0) + counts(columns, name, baseline)

    @classmethod
    def total(cls, parts: Iterable[Drift]) -> Drift:
        """Several collections against one baseline as one."""
        total = cls(None)
        for part in parts:
            total._baseline = part._baseline
            for name, found in part._counts.items():
                total._counts[name] = total._counts.get(name, 0.0) + found
        return total

    def shifts(self) -> dict[str, Shift]:
        """How far each feature has shifted."""
        return {name: _shift(np.array(self._baseline[name]["counts"], dtype=float), found) for name, found in self._counts.items()}


def _shift(before: Floats, now: Floats) -> Shift:
    known_before, known_now = before[1:].sum(), now[1:].sum()
    shares = known_before / max(1.0, before.sum()), known_now / max(1.0, now.sum())
    if not known_before or not known_now:
        return Shift(0.0, *(round(share, 6) for share in shares))
    distance = psi(before[1:], now[1:]) - psi_noise(before[1:], now[1:])
    return Shift(round(max(0.0, distance), 4), *(round(share, 6) for share in shares))


def baseline_of(columns: Columns) -> dict[str, Any]:
    """How each feature is distributed, to compare later books with: counts of unknowns, then between deciles or of levels."""
    found: dict[str, Any] = {}
    for name, column in columns.numbers.items():
        known = column[~np.isnan(column)]
        found[name] = {"edges": np.unique(np.round(np.quantile(known, EDGES), 9)).tolist() if len(known) else []}
    for name, texts in columns.categories.items():
        levels, n_each = np.unique(texts[texts != UNKNOWN].astype(str), return_counts=True)
        found[name] = {"levels": sorted(levels[np.argsort(-n_each, kind="stable")[:MAX_LEVELS]].tolist())}
    for name, baseline in found.items():
        baseline["counts"] = counts(columns, name, baseline).astype(int).tolist()
    return found


def counts(columns: Columns, name: str, baseline: Mapping[str, Any]) -> Floats:
    """Rows by bin of a baseline: unknown; then of a number those up to each edge and beyond the last, of a category each level and the others."""
    if name in columns.numbers:
        column, edges = columns.numbers[name], np.array(baseline.get("edges", []))
        known = column[~np.isnan(column)]
        bins = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
        return np.array([len(column) - len(known), *bins], dtype=float)
    texts, levels = columns.categories[name].astype(str), baseline.get("levels", [])
    found = dict(zip(*np.unique(texts, return_counts=True), strict=True))
    n_unknown, n_levels = found.get(UNKNOWN, 0), [found.get(level, 0) for level in levels]
    return np.array([n_unknown, *n_levels, len(texts) - n_unknown - sum(n_levels)], dtype=float)
