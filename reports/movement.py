"""What moved an account since the scoring run before: its segment, its scores, and the parts of them that changed."""

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
class Moved:
    """From the run of ``since`` to this one; ``cause`` is None while the segment is the same. ``parts`` are changes of points in words, largest first."""

    since: str
    from_segment: str | None
    from_cluster: str
    cause: str | None
    fit_change: float | None
    signal_change: float | None
    parts: list[tuple[float, str]]


def load_moved(store: Store, run: Row, account_id: str) -> dict[str, Moved]:
    """Per product; empty when there is no run before."""
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
    return {name: _moved(before["as_of"], then[name], now[name], causes.get(name)) for name in now if name in then}


_SQL = """
    SELECT c.product, c.segment, c.cluster, f.score AS fit, f.contributions AS fit_contributions, s.score AS signals, s.contributions AS signal_contributions
    FROM cluster_assignments c JOIN fit_scores f USING (run_id, account_id, product) JOIN signal_scores s USING (run_id, account_id, product)
    WHERE c.run_id = ? AND c.account_id = ?
"""


def _moved(since: str, then: Row, now: Row, cause: str | None) -> Moved:
    parts = [
        *_fit_parts(then["fit_contributions"], now["fit_contributions"]),
        *_event_parts(then["signal_contributions"], now["signal_contributions"]),
    ]
    told = sorted((part for part in parts if abs(part[0]) >= SMALLEST_POINTS), key=lambda part: (-abs(part[0]), part[1]))
    return Moved(
        since,
        then["segment"],
        then["cluster"],
        cause,
        _difference(then["fit"], now["fit"]),
        _difference(then["signals"], now["signals"]),
        told[:N_PARTS],
    )


def _fit_parts(then: str, now: str) -> list[tuple[float, str]]:
    before, after = (_by_feature(json.loads(text)) for text in (then, now))
    parts = []
    for name, row in after.items():
        was = before.get(name, {"points": 0.0, "value": row["value"]})
        words = feature_in_words(name, row["value"])
        if was["value"] != row["value"]:
            words += f", before {feature_in_words(name, was['value'])}"
        else:
            words += ", weighed anew"
        parts.append((round(row["points"] - was["points"], 4), words))
    return parts


def _by_feature(contributions: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["feature"]: row for row in contributions.get("points", [])}


def _event_parts(then: str, now: str) -> list[tuple[float, str]]:
    before, after = ({row["event_id"]: row for row in json.loads(text)} for text in (then, now))
    parts = []
    for event_id, row in after.items():
        was = before.get(event_id)
        change = row["points"] - (was["points"] if was else 0.0)
        parts.append((round(change, 4), f"{type_in_words(row['event_type'])}, {'aged' if was else 'new'}"))
    parts += [
        (round(-row["points"], 4), f"{type_in_words(row['event_type'])}, no longer counted")
        for event_id, row in before.items()
        if event_id not in after
    ]
    return parts


def _difference(then: float | None, now: float | None) -> float | None:
    return None if then is None or now is None else round(now - then, 4)
