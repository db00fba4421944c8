"""Potential revenue: what half of the similar customers spend, by size and industry, and nothing where nobody bought."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.potential import Likeness, PotentialRevenue, Spenders

INDUSTRIES = ("Manufacturing", "Retail")


def _spenders(n: int, seed: int, power: float = 0.8) -> Spenders:
    dice = np.random.default_rng(seed)
    size, industry = dice.normal(4.3, 1.0, n), dice.integers(2, size=n)
    yearly = np.exp(3 + power * size + 0.7 * industry + dice.normal(0, 0.5, n))
    size[dice.random(n) < 0.05] = np.nan
    return Spenders(yearly, size, np.array(INDUSTRIES, dtype=object)[industry])


def _like(spenders: Spenders) -> Likeness:
    codes = np.array([INDUSTRIES.index(name) for name in spenders.industry])
    return Likeness(spenders.size, INDUSTRIES, codes)


def _accounts(*sizes: float, industry: str = "Retail") -> Likeness:
    return Likeness(np.log1p(np.array(sizes)), (industry,), np.zeros(len(sizes), dtype=np.int64))


def test_half_of_later_customers_spend_within_their_range() -> None:
    model, later = PotentialRevenue(_spenders(400, 1)), _spenders(2000, 2)
    low, high = model.ranges(_like(later))
    inside = (later.yearly_usd >= low) & (later.yearly_usd <= high)
    assert 0.42 < inside.mean() < 0.58
    for name in INDUSTRIES:
        assert 0.40 < inside[later.industry == name].mean() < 0.60


def test_size_narrows_the_range() -> None:
    """Against the quartiles of all customers, which know nothing of size."""
    spenders = _spenders(400, 1)
    low, high = PotentialRevenue(spenders).ranges(_accounts(70))
    widest = np.quantile(spenders.yearly_usd, [0.25, 0.75])
    assert high[0] / low[0] < 0.75 * widest[1] / widest[0]


def test_the_larger_could_spend_more_but_not_more_than_beyond_the_largest_customer() -> None:
    low, high = PotentialRevenue(_spenders(400, 1)).ranges(_accounts(10, 70, 500, 50_000, 5_000_000))
    assert (low < high).all()
    assert (np.diff(low)[:3] > 0).all()
    assert low[3] == low[4]


def test_an_account_of_unknown_size_gets_what_anyone_spends() -> None:
    spenders = _spenders(400, 1)
    low, high = PotentialRevenue(spenders).ranges(_accounts(float("nan")))
    assert (low[0], high[0]) == pytest.approx(np.quantile(spenders.yearly_usd, [0.25, 0.75]), rel=0.02)


def test_an_industry_without_customers_gets_what_all_spend_at_its_size() -> None:
    model = PotentialRevenue(_spenders(400, 1))
    (other,), (retail,), (manufacturing,) = (
        model.ranges(_accounts(70, industry=name))[0] for name in ("Energy", "Retail", "Manufacturing")
    )
    assert manufacturing < other < retail


@pytest.mark.parametrize("n", [0, 7])
def test_too_few_customers_give_no_range(n: int) -> None:
    low, high = PotentialRevenue(_spenders(n, 1)).ranges(_accounts(70, 80))
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_customers_of_one_size_tell_nothing_of_growth() -> None:
    same = Spenders(np.full(20, 1000.0), np.full(20, 4.0), np.full(20, "Retail", dtype=object))
    low, high = PotentialRevenue(same).ranges(_accounts(10, 1000))
    assert (low == high).all()
    assert low[0] == low[1] == 1000.0
