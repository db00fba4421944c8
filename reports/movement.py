"""What moved an account since the scoring run before: its segment, its scores, and which cause moved them by how much."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.reasons import feature_in_words, type_in_words
from storage.store import Row, Store

SMALLEST_POINTS = 0.5
N_PARTS = 5


@dataclass(frozen=True, slots=True)
class Step:
    """By how many points a cause – event, firmographic (also purchases), model – moved a score, fit or signals."""

    score: str
    cause: str
    points: float


@dataclass(frozen=True, slots=True)
class Moved:
    """From the run of ``since`` to this one; ``cause`` is None while the segment is the same.

    ``steps`` of a score add up to its change; ``parts`` are changes of points in words, largest first.
    """

    since: str
    from_segment: str | None
    from_cluster: str
    cause: str | None
    fit_change: float | None
    signal_change: float | None
    steps: list[Step]
    parts: list[tuple[float, str]]


def load_moved(store: Store, run: Row, account_id: str, outlook: Mapping[str, Mapping[str, Any]]) -> dict[str, Moved]:
    """Per product; empty when there is no run before.

    Args:
        outlook: per product, ``under_then``: the present features and events as the run before would have scored them (scoring.movement).
    """
    before = next(store.query("SELECT * FROM scoring_runs WHERE as_of < ? ORDER BY as_of DESC, rowid DESC LIMIT 1", (run["as_of"],)), None)
    if before is None:
        return {}
    then, now = ({row["product"]: row for row in store.query(_SQL, (each["run_id"], account_id))} for each in (before, run))
    causes = {
        row["product"]: row["cause"]
        for row in store.query(
            "SELECT product, cause FROM cluster_movements WHERE run_id = ? AND account_id = ?", (run["run_id"], account_id)
        )
    }
    return {
        name: _moved(before["as_of"], then[name], now[name], causes.get(name), outlook.get(name, {}).get("under_then"))
        for name in now
        if name in then
    }


_SQL = """
    SELECT c.product, c.segment, c.cluster, f.score AS fit, f.contributions AS fit_contributions, s.score AS signals, s.contributions AS signal_contributions
    FROM cluster_assignments c JOIN fit_scores f USING (run_id, account_id, product) JOIN signal_scores s USING (run_id, account_id, product)
    WHERE c.run_id = ? AND c.account_id = ?
"""


def _moved(since: str, then: Row, now: Row, cause: str | None, under_then: Mapping[str, Any] | None) -> Moved:
    parts = [
        *_fit_parts(then["fit_contributions"], now["fit_contributions"], (under_then or {}).get("fit_points")),
        *_event_parts(then["signal_contributions"], now["signal_contributions"], (under_then or {}).get("event_points")),
    ]
    told = sorted((part for part in parts if abs(part[0]) >= SMALLEST_POINTS), key=lambda part: (-abs(part[0]), part[1]))
    return Moved(
        since,
        then["segment"],
        then["cluster"],
        cause,
        _difference(then["fit"], now["fit"]),
        _difference(then["signals"], now["signals"]),
        _steps(then, now, under_then) if under_then else [],
        told[:N_PARTS],
    )


def _steps(then: Row, now: Row, under_then: Mapping[str, Any]) -> list[Step]:
    steps = []
    for score, cause in (("fit", "firmographic"), ("signals", "event")):
        if then[score] is None or now[score] is None:
            continue
        middle = then[score] if under_then[score] is None else under_then[score]
        steps += [Step(score, cause, round(middle - then[score], 4)), Step(score, "model", round(now[score] - middle, 4))]
    return steps


def _fit_parts(then: str, now: str, under_then: Mapping[str, float] | None) -> list[tuple[float, str]]:
    """Each feature's change: by its value under the model of then, and by how the model of now weighs it."""
    before, after = (_by_feature(json.loads(text)) for text in (then, now))
    parts = []
    for name in {**before, **after}:
        was, row = (found.get(name, {"points": 0.0, "value": None}) for found in (before, after))
        words = feature_in_words(name, row["value"] if name in after else was["value"])
        is_new = name in before and name in after and was["value"] != row["value"]
        changed = f"{words}, before {feature_in_words(name, was['value'])}" if is_new else words
        middle = (under_then or {}).get(name, row["points"] if is_new else was["points"])
        parts += [(round(middle - was["points"], 4), changed), (round(row["points"] - middle, 4), f"{words}, weighed anew by the model")]
    return parts


def _by_feature(contributions: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["feature"]: row for row in contributions.get("points", [])}


def _event_parts(then: str, now: str, under_then: Mapping[str, float] | None) -> list[tuple[float, str]]:
    """Each event's change: by being new, older or gone under the weights of then, and by how the weights of now count it."""
    before, after = ({row["event_id"]: row for row in json.loads(text)} for text in (then, now))
    parts = []
    for event_id, row in {**before, **after}.items():
        was, has = (found[event_id]["points"] if event_id in found else 0.0 for found in (before, after))
        what = "aged" if event_id in before and event_id in after else "new" if event_id in after else "no longer counted"
        middle = (under_then or {}).get(event_id, has)
        words = type_in_words(row["event_type"])
        parts += [(round(middle - was, 4), f"{words}, {what}"), (round(has - middle, 4), f"{words}, weighed anew by the model")]
    return parts


def _difference(then: float | None, now: float | None) -> float | None:
    return None if then is None or now is None else round(now - then, 4)
