"""Scores in words: the strongest reasons of an account for a product, each with its points and, for events, the quoted page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.store import Row, Store

TECHNOLOGY = "technology: "
LOG_NUMBERS = ("employees (log)", "annual revenue (log)", "years in business (log)", "spend on other products, 3 years (log)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """An event with its quote and where the page that says it is archived."""

    event_id: str
    event_type: str
    status: str
    occurred_on: str
    quote: str
    confidence: float
    url: str
    warc_file: str
    warc_offset: int
    fetched_at: str
    n_sources: int


def load_evidence(store: Store, event_ids: set[str]) -> dict[str, Evidence]:
    """The evidence of events by their ids."""
    rows = store.query(
        """
        SELECT e.event_id, e.event_type, e.status, e.occurred_on, e.quote, e.confidence, p.url, p.warc_file, p.warc_offset, p.fetched_at,
               1 + (SELECT count(*) FROM signal_events d WHERE d.duplicate_of = e.event_id) AS n_sources
        FROM signal_events e JOIN documents d USING (document_id) JOIN pages p USING (page_id)
        WHERE e.event_id IN (SELECT value FROM json_each(?))
        """,
        (json.dumps(sorted(event_ids)),),
    )
    return {row["event_id"]: Evidence(**row) for row in rows}


def type_in_words(event_type: str) -> str:
    """An event type as a seller would say it.

    >>> type_in_words("hiring_it_workplace"), type_in_words("funding_round")
    ('hiring: IT workplace', 'funding round')
    """
    if event_type.startswith("hiring_"):
        rest = event_type.removeprefix("hiring_").replace("_", " ")
        return "hiring: " + {
            "it workplace": "IT workplace",
            "data ai": "data and AI",
            "finance erp": "finance and ERP",
            "cloud infra": "cloud infrastructure",
        }.get(rest, rest)
    words = event_type.replace("_", " ")
    return (
        words.replace("eos ", "end-of-support ")
        .replace("it leadership", "IT leadership")
        .replace("tech ", "technology ")
        .replace("ai initiative", "AI initiative")
    )


def signal_reasons(signal_contributions: str, evidence: dict[str, Evidence], limit: int = 3) -> list[tuple[float, Evidence]]:
    """The strongest events of a signal score with their points."""
    points: list[Row] = json.loads(signal_contributions)
    known = [(row["points"], evidence[row["event_id"]]) for row in points if row["event_id"] in evidence and abs(row["points"]) >= 0.05]
    return sorted(known, key=lambda item: -abs(item[0]))[:limit]


def fit_reasons(fit_contributions: str, limit: int = 3) -> list[tuple[float, str]]:
    """The strongest parts of a fit score in words with their points."""
    parsed: dict[str, Any] = json.loads(fit_contributions)
    strongest = sorted(parsed.get("points", []), key=lambda row: -abs(row["points"]))
    return [(row["points"], feature_in_words(row["feature"], row["value"])) for row in strongest[:limit] if abs(row["points"]) >= 0.05]


def feature_in_words(feature: str, value: object) -> str:
    """A feature and its value as a seller would say them.

    >>> feature_in_words("employees (log)", 4.9488), feature_in_words("industry", "Energy"), feature_in_words("customer for years", 1.2)
    ('employees about 140', 'industry Energy', 'customer for 1 year')
    >>> feature_in_words("technology: Web servers", "nginx"), feature_in_words("technology: Analytics", "unknown")
    ('runs nginx (web servers)', 'analytics not seen')
    """
    if feature.startswith(TECHNOLOGY):
        kind = feature.removeprefix(TECHNOLOGY).lower()
        return f"{kind} not seen" if value in (None, "unknown") else f"runs {value} ({kind})"
    if value is None:
        return f"{feature.removesuffix(' (log)')} unknown"
    if isinstance(value, int | float):
        if feature in LOG_NUMBERS:
            return f"{feature.removesuffix(' (log)')} about {math.expm1(value):,.0f}"
        if feature == "customer for years":
            if value < 0.5:
                return "customer for less than half a year" if value else "not yet a customer"
            return f"customer for {value:.0f} year{'' if value < 1.5 else 's'}"
        if feature == "bought end-of-support products":
            return "bought end-of-support products" if value else "no end-of-support products"
        if feature == "share of other deals won":
            return f"won {value:.0%} of other deals"
        return f"{feature}: {value:g}"
    return f"{feature} {value}"


def fit_basis(fit_contributions: str) -> str | None:
    """What a reader must know of the model behind a fit score: that it is unproven, or of all products; None when nothing."""
    basis = json.loads(fit_contributions).get("basis")
    return str(basis) if basis else None


def outlook_in_words(outlook: Mapping[str, Any], cluster: str) -> list[str]:
    """What would move the account to another cell, one sentence each; ``cluster`` is where it stands.

    >>> outlook_in_words({"by_event": {"event_type": "funding_round", "n_events": 1, "segment": "A1", "cluster": "Act now"}}, "Evaluate")
    ['a fresh funding round would move it to Act now (A1)']
    >>> outlook_in_words({"sinks": {"on": "2026-12-17", "segment": "A2", "cluster": "Act now"}}, "Act now")
    ['without a new event it falls to segment A2 on 2026-12-17, still Act now']
    """
    sentences = []
    if event := outlook.get("by_event"):
        n, words = event["n_events"], type_in_words(event["event_type"])
        sentences.append(f"{'a fresh' if n == 1 else f'{n} fresh events of the kind'} {words} would move it to {_cell(event)}")
    if feature := outlook.get("by_feature"):
        sentences.append(f"{feature_in_words(feature['feature'], feature['value'])}, all else as it is, would move it to {_cell(feature)}")
    if sinks := outlook.get("sinks"):
        where = (
            f"segment {sinks['segment']} on {sinks['on']}, still {cluster}"
            if sinks["cluster"] == cluster
            else f"{_cell(sinks)} on {sinks['on']}"
        )
        sentences.append(f"without a new event it falls to {where}")
    return sentences


def _cell(place: Mapping[str, Any]) -> str:
    return f"{place['cluster']} ({place['segment']})" if place["segment"] else str(place["cluster"])


def reasons_text(fit_contributions: str, signal_contributions: str, evidence: dict[str, Evidence]) -> str:
    """Both kinds of reasons in one cell of a report."""
    signals = [
        f"{points:+.0f} {type_in_words(item.event_type)} {item.occurred_on}: “{item.quote}”"
        for points, item in signal_reasons(signal_contributions, evidence)
    ]
    fit = [f"{points:+.0f} {words}" for points, words in fit_reasons(fit_contributions)]
    basis = fit_basis(fit_contributions)
    head = f"Fit ({basis}) " if basis else "Fit "
    return "; ".join(part for part in ("Signals " + " | ".join(signals) if signals else "", head + " | ".join(fit) if fit else "") if part)
