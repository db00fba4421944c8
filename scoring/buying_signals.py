"""Buying signals: events of an account, weighted by type for a product, by confidence and by age."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from storage.catalogue import Product

# A fresh event of the highest weight (3), surely read, scores 63; a second one 86.
SATURATION = 3.0


@dataclass(frozen=True, slots=True)
class WeighedEvent:
    """What the score needs to know of an event."""

    event_id: str
    event_type: str
    occurred_on: date
    confidence: float


@dataclass(frozen=True, slots=True)
class SignalPoints:
    """An event's share of a score; the shares add up to it."""

    event_id: str
    event_type: str
    weight: float
    age_days: int
    points: float


def score_signals(
    events: Sequence[WeighedEvent], product: Product, half_lives_days: Mapping[str, float], as_of: date
) -> tuple[float, list[SignalPoints]]:
    """The signal score, 0–100, and what each event adds to it, strongest first.

    ``score = 100 (1 - exp(-max(0, s) / 3))`` with ``s`` the sum of ``weight · confidence · 2^(-age / half-life)``. One more event of positive weight never
    lowers it. An event that is dated after ``as_of`` (a plan) counts as fresh.
    """
    strengths: list[tuple[WeighedEvent, float, float, int]] = []
    for event in events:
        weight, half_life = product.weights.get(event.event_type, 0.0), half_lives_days.get(event.event_type, 0.0)
        if not weight or not half_life:
            continue
        age_days = max(0, (as_of - event.occurred_on).days)
        strengths.append((event, weight, weight * event.confidence * 2 ** (-age_days / half_life), age_days))
    total = sum(strength for _, _, strength, _ in strengths)
    score = 100 * (1 - math.exp(-max(0.0, total) / SATURATION))
    rate = score / total if total > 1e-12 else 0.0
    points = [SignalPoints(event.event_id, event.event_type, weight, age, strength * rate) for event, weight, strength, age in strengths]
    return score, sorted(points, key=lambda point: (-point.points, point.event_id))
