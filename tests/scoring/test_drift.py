"""Drift tells changed accounts from accounts of which more is known, and both from chance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scoring.columns import UNKNOWN, Columns
from scoring.drift import Drift, Shift, baseline_of


def _book(n: int, seed: int, known: float = 1.0, shift: float = 0.0, google: float = 0.3) -> Columns:
    dice = np.random.default_rng(seed)
    is_known = dice.random(n) < known
    size = np.where(is_known, dice.normal(4 + shift, 1, n), np.nan)
    mail = np.where(is_known, np.where(dice.random(n) < google, "Google Workspace", "Microsoft 365"), UNKNOWN).astype(object)
    return Columns({"employees (log)": size}, {"mail system": mail})


def _shifts(before: Columns, *slices: Columns) -> dict[str, Shift]:
    drifts = []
    for columns in slices:
        drifts.append(Drift(json.dumps({"baseline": baseline_of(before)})))
        drifts[-1].add(columns)
    return Drift.total(drifts).shifts()


@pytest.mark.parametrize("feature", ["employees (log)", "mail system"])
def test_knowing_more_accounts_is_no_drift_of_values(feature: str) -> None:
    found = _shifts(_book(2000, 1, known=0.2), _book(1000, 2, known=0.9), _book(1000, 3, known=0.9))[feature]
    assert found.psi < 0.02
    assert (found.known_before, found.known_now) == (pytest.approx(0.2, abs=0.03), pytest.approx(0.9, abs=0.03))


@pytest.mark.parametrize("feature", ["employees (log)", "mail system"])
def test_changed_values_are_drift_whatever_is_known(feature: str) -> None:
    found = _shifts(_book(2000, 1, known=0.5), _book(2000, 2, known=0.5, shift=1.0, google=0.7))[feature]
    assert found.psi > 0.25
    assert abs(found.known_before - found.known_now) < 0.05


def test_a_handful_of_accounts_raises_no_alarm() -> None:
    """Twenty accounts in ten bins differ from any book by chance."""
    found = [_shifts(_book(2000, 1), _book(20, seed))["employees (log)"].psi for seed in range(2, 22)]
    assert np.mean([psi >= 0.25 for psi in found]) <= 0.3
    assert np.median(found) < 0.15


def test_what_was_never_known_before_has_coverage_alone() -> None:
    found = _shifts(_book(500, 1, known=0.0), _book(500, 2, known=0.4))["mail system"]
    assert (found.psi, found.known_before) == (0.0, 0.0)
    assert found.known_now > 0.3


def test_a_baseline_of_an_earlier_version_is_left_out() -> None:
    drift = Drift(json.dumps({"baseline": {"mail system": {"levels": {"Google Workspace": 0.3}}}}))
    drift.add(_book(50, 1))
    assert drift.shifts() == {}
