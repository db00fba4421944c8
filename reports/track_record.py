"""A model card in a few words and one chart, for those who read an overview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.charts import bar_chart

VERDICTS = {"ready": "ready", "ok": "good enough", "not_ready": "unproven"}


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """What became of deals by the cluster their accounts stood in; ``chart`` is SVG, ``verdicts`` are (product, words)."""

    as_of: str
    horizon_days: int
    n_dates: int
    n_deals: int
    is_in_order: bool
    chart: str
    verdicts: list[tuple[str, str]]


def read_track_record(card: Mapping[str, Any]) -> TrackRecord | None:
    """The short of a model card's content; None when it counts no deal."""
    figures = card["all_products"]
    if not figures["n_deals"]:
        return None
    matrix = figures["matrices"][card["matrix"]]
    told = "; ".join(f"{row['cluster']}: {row['n_won']} of {row['n_deals']}" for row in matrix["clusters"])
    bars = [(row["cluster"], row["win_rate"], row["win_rate_low"], row["win_rate_high"], "no deals") for row in matrix["clusters"]]
    return TrackRecord(
        card["as_of"],
        card["horizon_days"],
        len(card["dates"]),
        figures["n_deals"],
        bool(matrix["is_in_order"]),
        bar_chart(f"Deals won by cluster. {told}.", bars, figures["n_won"] / figures["n_deals"]),
        [(product["title"], _verdict(product)) for product in card["products"]],
    )


def _verdict(product: Mapping[str, Any]) -> str:
    """A product's fit model in words.

    >>> _verdict({"models": [{"kind": "fit", "model_id": "m", "verdict": "ok", "metrics": {"auc": [0.61, 0.55, 0.66]}}]})
    'fit good enough: tells later buyers from others in 61 of 100 pairs (55–66)'
    """
    model = next((model for model in product["models"] if model["kind"] == "fit"), None)
    if model is None or model["model_id"] is None:
        return "no fit model"
    auc = model["metrics"].get("auc") or [None]
    words = f"fit {VERDICTS.get(model['verdict'], model['verdict'])}"
    if auc[0] is None:
        return words
    return f"{words}: tells later buyers from others in {auc[0]:.0%} of pairs ({auc[1]:.0%}–{auc[2]:.0%})".replace("%", "").replace(
        " of pairs", " of 100 pairs"
    )
