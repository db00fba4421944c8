"""The model card: one HTML page that prints each cluster's track record beside what is promised, readable offline, in light and dark, without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from reports.charts import bar_chart, line_chart, reliability_chart
from reports.reasons import type_in_words
from storage.records import ModelCard

TEMPLATE = Path(__file__).with_name("model_card.html.template")
STYLE = Path(__file__).with_name("model_card.css")
ALL_PRODUCTS = "*"
VERDICTS = {"ready": "ready", "ok": "ok", "not_ready": "not ready"}


def write_model_card(card: ModelCard, path: Path) -> None:
    """Writes the page, and the card's JSON beside it; equal cards give equal bytes."""
    content: dict[str, Any] = json.loads(card.content)
    style = STYLE.read_text(encoding="utf-8")
    # The page allows itself this one style sheet and nothing else: no script, no font, no image from anywhere.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=style,
        style_hash=digest,
        as_of=content["as_of"],
        card_id=card.card_id,
        first=content["dates"][0],
        last=content["dates"][-1],
        n_dates=len(content["dates"]),
        horizon_days=content["horizon_days"],
        matrix=escape(content["matrix"]),
        seed=content["seed"],
        catalogue_hash=escape(content["catalogue_hash"]),
        known_by=_known_by(content["events_known_by"]),
        overview=_overview(content["products"], content["matrix"]),
        everything=_section("All products", "all", content["all_products"], content["matrix"]),
        products="".join(_section(product["title"], product["product"], product, content["matrix"]) for product in content["products"]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(content, sort_keys=True, indent=1) + "\n", encoding="utf-8")


def _known_by(how: str) -> str:
    if how == "publication":
        return (
            "Events count from the day they were published: most of these dates lie before the first crawl, so this is a replay of what a crawler "
            "could have seen, not of what one saw."
        )
    return "Events count from the day they were first seen by the crawler."


def _overview(products: Sequence[Mapping[str, Any]], used: str) -> str:
    rows = []
    for product in products:
        fit, signals = (_model(product, kind) for kind in ("fit", "signals"))
        order = product["matrices"].get(used, {}).get("is_in_order")
        rows.append(
            f'<tr><th scope="row"><a href="#{escape(product["product"])}">{escape(product["title"])}</a></th>'
            f"<td>{_verdict(fit)}</td><td>{_auc(fit)}</td><td>{_verdict(signals)}</td><td>{_auc(signals)}</td>"
            f"<td>{product['n_deals']:,}</td><td>{'' if order is None else 'yes' if order else 'no'}</td></tr>"
        )
    return (
        '<div class="scroll"><table><thead><tr><th scope="col">Product</th><th scope="col">Fit</th><th scope="col">AUC, later buyers</th>'
        '<th scope="col">Event weights</th><th scope="col">AUC, later deals</th><th scope="col">Deals counted</th>'
        f'<th scope="col">Clusters in order</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _model(product: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((model for model in product["models"] if model["kind"] == kind), {})


def _verdict(model: Mapping[str, Any]) -> str:
    if not model:
        return '<span class="quiet">none yet</span>'
    if model["model_id"] is None:
        return f'<span class="quiet" title="{escape(model["decision"], quote=True)}">not used</span>'
    notes = ["of all products"] if model["of"] == ALL_PRODUCTS else []
    notes += ["used unproven"] if model["kind"] == "fit" and model["verdict"] == "not_ready" else []
    quiet = f' <span class="quiet">{", ".join(notes)}</span>' if notes else ""
    return f'<span class="v-{model["verdict"]}">{VERDICTS[model["verdict"]]}</span>{quiet}'


def _auc(model: Mapping[str, Any]) -> str:
    figures = model.get("metrics", {}).get("auc") if model else None
    if not figures or figures[0] is None:
        return "–"
    return f'{figures[0]:.2f} <span class="quiet">{figures[1]:.2f}–{figures[2]:.2f}</span>'


def _section(title: str, anchor: str, figures: Mapping[str, Any], used: str) -> str:
    if not figures["n_deals"]:
        return f'<section id="{escape(anchor)}"><h2>{escape(title)}</h2><p>No deal was opened in the quarters counted.</p></section>'
    rate = figures["n_won"] / figures["n_deals"]
    names = sorted(figures["matrices"], key=lambda name: (name != used, name))
    bars = "".join(_cluster_figure(title, name, figures["matrices"][name]["clusters"], rate, name == used) for name in names)
    tables = "".join(_cluster_table(name, figures["matrices"][name], name == used) for name in names)
    return (
        f'<section id="{escape(anchor)}"><h2>{escape(title)}</h2>'
        f"<p>{figures['n_won']:,} of {figures['n_deals']:,} deals were won ({rate:.0%}). "
        f"{figures['n_bought']:,} of {figures['n_could_buy']:,} chances of a first purchase were taken.</p>"
        f'<div class="figures">{bars}{_gains_figure(title, figures["gains"])}{_reliability_figure(title, figures)}</div>'
        f'<div class="tables">{tables}{_cell_table(figures["cells"])}{_segment_table(figures["segments"])}</div>'
        f"{_models(figures.get('models', []))}{_weights(figures.get('weights', []))}</section>"
    )


def _cluster_figure(title: str, matrix: str, clusters: Sequence[Mapping[str, Any]], rate: float, is_used: bool) -> str:
    bars = [(row["cluster"], row["win_rate"], row["win_rate_low"], row["win_rate_high"], "no deals") for row in clusters]
    words = f"Win rate by cluster for {title}, matrix {matrix}. " + "; ".join(
        f"{row['cluster']}: {row['n_won']} of {row['n_deals']} deals won" for row in clusters
    )
    caption = f"Win rate by cluster, matrix <b>{escape(matrix)}</b>{' (in use)' if is_used else ''}; lines: 95 %"
    return f"<figure>{bar_chart(words, bars, rate)}<figcaption>{caption}</figcaption></figure>"


def _gains_figure(title: str, gains: Mapping[str, Any]) -> str:
    if not gains:
        return ""
    curves = [(name, gains[name]) for name in ("both", "fit", "buying signals")]
    tenth = {name: next(y for x, y in points if abs(x - 0.2) < 1e-9) for name, points in curves}
    words = f"Gains for {title}: the highest-ranked fifth of the deals holds " + ", ".join(
        f"{y:.0%} of the wins by {n}" for n, y in tenth.items()
    )
    chart = line_chart(words, curves, "share of deals, best first", "share of wins found")
    return f"<figure>{chart}<figcaption>Gains: wins found when deals are worked in the order of the scores</figcaption></figure>"


def _reliability_figure(title: str, figures: Mapping[str, Any]) -> str:
    bins = figures["reliability"]
    if not bins:
        return ""
    points = [(b["said"], b["happened"], b["low"], b["high"]) for b in bins]
    words = f"Reliability for {title}: " + "; ".join(
        f"said {b['said']:.0%}, happened {b['happened']:.0%} (95 %: {b['low']:.0%} to {b['high']:.0%}) of {b['n']} deals" for b in bins
    )
    chart = reliability_chart(words, points, "chance that was said", "share that was won")
    error, noise = figures["calibration_error"], figures["calibration_noise"]
    caption = (
        f"Reliability, each date calibrated on the dates before it; mean error {error:.1%}, of which chance alone would show {noise:.1%}"
    )
    return f"<figure>{chart}<figcaption>{caption}</figcaption></figure>"


def _cluster_table(matrix: str, found: Mapping[str, Any], is_used: bool) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(row["cluster"])}</th><td>{row["n_accounts"]:,}</td><td>{row["n_deals"]:,}</td><td>{row["n_won"]:,}</td>'
        f"<td>{_share(row['win_rate'], row['win_rate_low'], row['win_rate_high'])}</td>"
        f"<td>{_times(row['lift'], row['lift_low'], row['lift_high'])}</td>"
        f"<td>{_share(row['purchase_rate'], row['purchase_rate_low'], row['purchase_rate_high'])}</td></tr>"
        for row in found["clusters"]
    )
    heads = ("Cluster", "Accounts × dates", "Deals", "Won", "Win rate", "Lift", "First purchases")
    order = "in order" if found["is_in_order"] else "<b>not in order</b>"
    return f"<div><h3>Matrix {escape(matrix)}{' (in use)' if is_used else ''}: win rates {order}</h3>{_table(heads, rows)}</div>"


def _cell_table(cells: Sequence[Mapping[str, Any]]) -> str:
    signals = list(dict.fromkeys(cell["signals"] for cell in cells))
    rows = ""
    for fit in dict.fromkeys(cell["fit"] for cell in cells):
        rows += f'<tr><th scope="row">fit {escape(fit)}</th>'
        for cell in (cell for cell in cells if cell["fit"] == fit):
            rows += f"<td>{_share(cell['win_rate'], cell['low'], cell['high'])}<br><span class='quiet'>{cell['n_won']} of {cell['n_deals']}</span></td>"
        rows += "</tr>"
    return f"<div><h3>Win rate by cell: fit down, buying signals across</h3>{_table(('', *signals), rows)}</div>"


def _segment_table(segments: Sequence[Mapping[str, Any]]) -> str:
    if not segments:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(row["segment"])}</th><td>{row["n_deals"]:,}</td>'
        f"<td>{_share(row['win_rate_hot'], row['win_rate_hot_low'], row['win_rate_hot_high'])}</td>"
        f"<td>{_share(row['win_rate_rest'], row['win_rate_rest_low'], row['win_rate_rest_high'])}</td></tr>"
        for row in segments
    )
    return f"<div><h3>By size of the account</h3>{_table(('Size', 'Deals', 'Act now and Evaluate', 'The rest'), rows)}</div>"


def _models(models: Sequence[Mapping[str, Any]]) -> str:
    if not models:
        return ""
    rows = ""
    for model in models:
        if model["model_id"] is None:
            rows += f'<tr><th scope="row">{escape(model["kind"])}</th><td colspan="6">{escape(model["decision"])}</td></tr>'
            continue
        reasons = "; ".join(model["metrics"].get("reasons", []))
        if model["of"] == ALL_PRODUCTS:
            reasons = f"the product's own is {model['decision']}; this one: {reasons}"
        rows += (
            f'<tr><th scope="row">{escape(model["kind"])}</th><td><code>{escape(model["model_id"])}</code></td><td>{_verdict(model)}</td>'
            f"<td>{model['trained_from']} – {model['trained_as_of']}</td><td>{model['n_positive']:,} / {model['n_other']:,}</td>"
            f"<td><code>{escape(model['data_hash'])}</code>, seed {model['seed']}</td><td>{escape(reasons)}</td></tr>"
        )
    heads = ("Model", "Id", "Verdict", "Learned from", "For / against", "Data", "Why not better")
    return f"<h3>Models in use</h3>{_table(heads, rows)}"


def _weights(weights: Sequence[Mapping[str, Any]]) -> str:
    told = [row for row in weights if row["catalogue"] or row["learned"] >= 0.05]
    if not told:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(type_in_words(row["type"]))}</th><td>{row["catalogue"]:+.0f}</td><td>{row["learned"]:+.2f}</td>'
        f'<td><span class="quiet">{row["low"]:+.2f} to {row["high"]:+.2f}</span></td></tr>'
        for row in sorted(told, key=lambda row: (-row["learned"], row["type"]))
    )
    return (
        f"<details><summary>Weights of {len(told)} event types</summary>{_table(('Event', 'Catalogue', 'Learned', '95 %'), rows)}</details>"
    )


def _table(heads: Sequence[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _share(rate: float | None, low: float, high: float) -> str:
    return "–" if rate is None else f'{rate:.0%} <span class="quiet">{low:.0%}–{high:.0%}</span>'


def _times(lift: float | None, low: float | None, high: float | None) -> str:
    return "–" if lift is None or low is None or high is None else f'{lift:.2f} × <span class="quiet">{low:.2f}–{high:.2f}</span>'
