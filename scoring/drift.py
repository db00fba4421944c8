"""Drift: how far the scored book lies from the one its model was trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from scoring.columns import Columns
from scoring.fit_training import number_shares
from scoring.metrics import psi


class Drift:
    """Collects the slices of a book against the baseline in a model's metrics."""

    def __init__(self, metrics: str | None) -> None:
        self._baseline: dict[str, Any] = json.loads(metrics).get("baseline", {}) if metrics else {}
        self._seen: dict[str, Any] = {}
        self._n = 0

    def add(self, columns: Columns) -> None:
        """One more slice."""
        n = len(columns)
        self._n += n
        for name, baseline in self._baseline.items():
            if name in columns.numbers and "edges" in baseline:
                shares = np.array(number_shares(columns.numbers[name], np.array(baseline["edges"])))
            elif name in columns.categories and "levels" in baseline:
                texts = columns.categories[name].astype(str)
                levels, counts = np.unique(texts, return_counts=True)
                found = dict(zip(levels.tolist(), (counts / max(1, n)).tolist(), strict=True))
                shares = np.array([found.get(level, 0.0) for level in baseline["levels"]])
            else:
                continue
            self._seen[name] = self._seen.get(name, np.zeros(len(shares))) + n * shares

    @classmethod
    def total(cls, parts: Iterable[Drift]) -> Drift:
        """Several collections against one baseline as one."""
        first, *others = parts
        total = cls(None)
        total._baseline = first._baseline
        for part in (first, *others):
            total._n += part._n
            for name, seen in part._seen.items():
                total._seen[name] = total._seen.get(name, np.zeros(len(seen))) + seen
        return total

    def psi(self) -> dict[str, float]:
        """The index of each feature; levels beyond the baseline's thirty count as one."""
        found: dict[str, float] = {}
        for name, total in self._seen.items():
            baseline = self._baseline[name]
            before = np.array(baseline["shares"] if "shares" in baseline else list(baseline["levels"].values()))
            after = total / max(1, self._n)
            rest_before, rest_after = max(0.0, 1 - before.sum()), max(0.0, 1 - after.sum())
            found[name] = round(psi(np.append(before, rest_before), np.append(after, rest_after)), 4)
        return found
