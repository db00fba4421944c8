"""Buying signals: an account's events, weighed for a product by type, confidence, sources and age, and against its own past.

``score = 100 (1 - exp(-max(0, s) / 3))``, where ``s`` is the sum over the events of

    weight of its type · confidence · 2^(-age / half-life) · (1 + ¼ log2(sources), at most 1.5) · momentum

An account that says more than it used to is changing. Momentum is 1¼ for fresh events (of the last quarter) and ¾ for older ones while the fresh
ones outweigh what is left of the older, else 1: that adds a quarter of the excess. Since no event's share ever turns negative by it, one more event of
positive weight never lowers a score. An event dated after the day (a plan) counts as fresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from scoring.book import Events
from scoring.columns import Flags, Floats, Whole

# A fresh event of the highest weight (3), surely read, alone with its account, scores 71; without momentum 63.
SATURATION = 3.0
FRESH_DAYS = 92
MOMENTUM = 0.25
MAX_SOURCES_FACTOR = 1.5


@dataclass(frozen=True)
class SignalScores:
    """Per account its score; per event its age, its weight and its share of the score (0 where the type does not count)."""

    scores: Floats
    points: Floats
    weights: Floats
    age_days: Whole


def strengths(events: Events, half_lives_days: Mapping[str, float], as_of: Whole | int) -> tuple[Floats, Whole]:
    """Each event's strength before its weight, 0 for types without a half-life, and its age in days."""
    age = np.maximum(0, as_of - events.occurred)
    half_life = events.by_type(half_lives_days)
    counts = half_life > 0
    decay = np.where(counts, np.exp2(-age / np.where(counts, half_life, 1.0)), 0.0)
    sources = np.minimum(MAX_SOURCES_FACTOR, 1 + 0.25 * np.log2(events.n_sources))
    return events.confidence * decay * sources, age


def score_signals(
    events: Events,
    n_accounts: int,
    weights: Mapping[str, float],
    half_lives_days: Mapping[str, float],
    as_of: date,
    known: tuple[Floats, Whole] | None = None,
) -> SignalScores:
    """Scores of all accounts at once; the points of an account's events add up to its score.

    Args:
        known: what ``strengths`` gives for these events and this date, where several products are scored.
    """
    strength, age = known or strengths(events, half_lives_days, as_of.toordinal())
    weight = events.by_type(weights)
    share = weight * strength * momentum(weight * strength, age, events.account, n_accounts)
    total = np.bincount(events.account, weights=share, minlength=n_accounts)
    scores = 100 * -np.expm1(-np.maximum(0.0, total) / SATURATION)
    rate = np.divide(scores, total, out=np.zeros(n_accounts), where=total > 1e-12)
    return SignalScores(scores, share * rate[events.account], weight, age)


def momentum(strength: Floats, age: Whole, account: Whole, n_accounts: int) -> Floats:
    """Each event's factor: ¾, 1 or 1¼."""
    is_fresh: Flags = age <= FRESH_DAYS
    for_it = np.maximum(strength, 0.0)
    fresh = np.bincount(account[is_fresh], weights=for_it[is_fresh], minlength=n_accounts)
    older = np.bincount(account[~is_fresh], weights=for_it[~is_fresh], minlength=n_accounts)
    is_rising = (fresh > older)[account] & (strength > 0)
    return np.where(is_rising, np.where(is_fresh, 1 + MOMENTUM, 1 - MOMENTUM), 1.0)
