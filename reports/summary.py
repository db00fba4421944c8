"""The one-page summary of a scoring run: a single HTML file with plots as SVG, readable offline, in light and dark."""

from __future__ import annotations

import json
from datetime import date
from html import escape
from io import StringIO
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from reports.reasons import Evidence, fit_reasons, load_evidence, signal_reasons, type_in_words
from reports.writing import CLUSTER_ORDER, latest_run
from storage.catalogue import NOT_SCORED, Catalogue
from storage.clock import end_of_day
from storage.feedback import WRONG_EVENTS
from storage.store import Row, Store

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).with_name("summary.html.template")
BANDS = ("High", "Medium", "Low", "Very low")
SIGNAL_BANDS = ("High", "Medium", "Low", "Very low", NOT_SCORED)
INK, PALE = "#5b6470", "#8a93a0"  # readable on white and on near-black
N_STRONGEST = 5
N_TIMELINE_TYPES = 12


def write_summary(store: Store, catalogue: Catalogue, path: Path, as_of: date | None = None) -> None:
    """Writes the summary of the run of a date (of the latest, by default); equal runs give equal bytes."""
    run = latest_run(store, as_of)
    titles = {product.product_id: product.title for product in catalogue.products}
    counts = load_cluster_counts(store, run["run_id"])
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        as_of=run["as_of"],
        n_accounts=f"{run['n_accounts']:,}",
        matrix=escape(run["matrix"]),
        run_id=run["run_id"],
        model_version=run["model_version"],
        cluster_table=_cluster_table(counts, titles),
        matrices="".join(_matrix_figure(store, run["run_id"], product_id, title) for product_id, title in titles.items()),
        timeline=_timeline_figure(store, run["as_of"]),
        strongest=_strongest_list(store, run["run_id"], titles),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def load_cluster_counts(store: Store, run_id: str) -> dict[str, dict[str, int]]:
    """Accounts per product and cluster."""
    counts: dict[str, dict[str, int]] = {}
    for row in store.query("SELECT product, cluster, count(*) AS n FROM cluster_assignments WHERE run_id = ? GROUP BY 1, 2", (run_id,)):
        counts.setdefault(row["product"], dict.fromkeys(CLUSTER_ORDER, 0))[row["cluster"]] = row["n"]
    return counts


def load_strongest(store: Store, run_id: str, limit: int = N_STRONGEST) -> list[Row]:
    """The strongest Act-now accounts that have events to show, each once, with the product it stands highest for."""
    rows = store.query(
        """
        SELECT c.account_id, a.account_name, a.domain, c.product, c.segment, f.score AS fit_score, f.contributions AS fit_contributions,
               s.score AS signal_score, s.contributions AS signal_contributions
        FROM cluster_assignments c JOIN accounts a USING (account_id)
        JOIN fit_scores f USING (run_id, account_id, product) JOIN signal_scores s USING (run_id, account_id, product)
        WHERE c.run_id = ? AND c.cluster = 'Act now' AND s.n_events > 0 AND s.score > 0
        ORDER BY f.score + s.score DESC, a.domain, c.product
        """,
        (run_id,),
    )
    strongest: dict[str, Row] = {}
    for row in rows:
        strongest.setdefault(row["account_id"], row)
        if len(strongest) == limit:
            break
    return list(strongest.values())


def _cluster_table(counts: dict[str, dict[str, int]], titles: dict[str, str]) -> str:
    head = "".join(f'<th scope="col">{escape(cluster)}</th>' for cluster in CLUSTER_ORDER)
    body = "".join(
        f'<tr><th scope="row">{escape(title)}</th>'
        + "".join(f"<td>{counts.get(product_id, {}).get(cluster, 0):,}</td>" for cluster in CLUSTER_ORDER)
        + "</tr>"
        for product_id, title in titles.items()
    )
    return f'<table><thead><tr><th scope="col">Product</th>{head}</tr></thead><tbody>{body}</tbody></table>'


def _matrix_figure(store: Store, run_id: str, product_id: str, title: str) -> str:
    """Fit by signals as a heat map of account counts."""
    from matplotlib.colors import LinearSegmentedColormap

    grid = [[0] * len(SIGNAL_BANDS) for _ in BANDS]
    for row in store.query(
        "SELECT fit_band, coalesce(signals_band, ?) AS signals, count(*) AS n FROM cluster_assignments"
        " WHERE run_id = ? AND product = ? AND fit_band IS NOT NULL GROUP BY 1, 2",
        (NOT_SCORED, run_id, product_id),
    ):
        grid[BANDS.index(row["fit_band"])][SIGNAL_BANDS.index(row["signals"])] = row["n"]
    figure, axes = _figure(4.6, 3.3)
    shades = LinearSegmentedColormap.from_list("shades", ["#dbe7f3", "#1f5f99"])
    largest = max(1, max(max(line) for line in grid))
    for i, line in enumerate(grid):
        for j, n in enumerate(line):
            share = (n / largest) ** 0.5
            axes.add_patch(_cell(j, i, shades(share) if n else "none"))
            axes.text(
                j + 0.5,
                i + 0.5,
                f"{n:,}",
                ha="center",
                va="center",
                fontsize=10,
                color="white" if share > 0.55 else ("#14324f" if n else PALE),
            )
    axes.set(xlim=(0, len(SIGNAL_BANDS)), ylim=(len(BANDS), 0), xlabel="buying signals", ylabel="fit")
    axes.set_xticks([j + 0.5 for j in range(len(SIGNAL_BANDS))], SIGNAL_BANDS)
    axes.set_yticks([i + 0.5 for i in range(len(BANDS))], BANDS)
    axes.tick_params(length=0)
    words = "; ".join(
        f"fit {fit}: " + ", ".join(f"{n} {signals}" for signals, n in zip(SIGNAL_BANDS, line, strict=True))
        for fit, line in zip(BANDS, grid, strict=True)
    )
    return f"<figure><figcaption>{escape(title)}</figcaption>{_svg(figure, f'Accounts by fit and buying signals for {title}. {words}.')}</figure>"


def _timeline_figure(store: Store, as_of: str) -> str:
    """Events by month and type over the last eighteen months."""
    rows = list(
        store.query(
            f"""
            SELECT substr(occurred_on, 1, 7) AS month, event_type, count(*) AS n FROM signal_events
            WHERE duplicate_of IS NULL AND observed_at <= :until AND occurred_on <= :as_of AND occurred_on > date(:as_of, '-18 months')
            AND event_id NOT IN ({WRONG_EVENTS}) GROUP BY 1, 2
            """,  # noqa: S608 - our own condition
            {"as_of": as_of, "until": end_of_day(as_of)},
        )
    )
    if not rows:
        return (
            "<p>No event of the last eighteen months is known: run <code>bellwether crawl</code> and <code>bellwether extract</code>.</p>"
        )
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["event_type"]] = totals.get(row["event_type"], 0) + row["n"]
    types = sorted(totals, key=lambda name: (-totals[name], name))[:N_TIMELINE_TYPES]
    months = _months_until(as_of, 18)
    figure, axes = _figure(9.6, 0.34 * len(types) + 1.1)
    for row in rows:
        if row["event_type"] in types and row["month"] in months:
            x, y = months.index(row["month"]), types.index(row["event_type"])
            axes.scatter(x, y, s=34 * row["n"] ** 0.9 + 14, color="#2f7dc1", alpha=0.85, linewidths=0)
            if row["n"] > 2:
                axes.text(x, y, str(row["n"]), ha="center", va="center", fontsize=7.5, color="white")
    axes.set(xlim=(-0.7, len(months) - 0.3), ylim=(len(types) - 0.4, -0.6))
    axes.set_xticks(range(len(months)), [month[2:] if i % 3 == 0 or i == len(months) - 1 else "" for i, month in enumerate(months)])
    axes.set_yticks(range(len(types)), [f"{type_in_words(name)} ({totals[name]})" for name in types])
    axes.grid(axis="x", color=PALE, alpha=0.25, linewidth=0.6)
    words = "; ".join(f"{type_in_words(name)}: {totals[name]}" for name in types)
    return f'<figure class="wide">{_svg(figure, f"Events by month and type over eighteen months before {as_of}. {words}.")}</figure>'


def _months_until(as_of: str, n_months: int) -> list[str]:
    year, month = int(as_of[:4]), int(as_of[5:7])
    last = year * 12 + month - 1
    return [f"{(last - back) // 12}-{(last - back) % 12 + 1:02d}" for back in range(n_months - 1, -1, -1)]


def _strongest_list(store: Store, run_id: str, titles: dict[str, str]) -> str:
    rows = load_strongest(store, run_id)
    if not rows:
        return "<p>No account stands in Act now with an event to show. Crawl and extract first, or look at Evaluate in the reports.</p>"
    ids = {point["event_id"] for row in rows for point in json.loads(row["signal_contributions"])}
    evidence = load_evidence(store, ids)
    return "<ol>" + "".join(_strongest_item(row, titles[row["product"]], evidence) for row in rows) + "</ol>"


def _strongest_item(row: Row, title: str, evidence: dict[str, Evidence]) -> str:
    events = "".join(
        f"<li><b>{points:+.0f}</b> {escape(type_in_words(event.event_type))}, {event.occurred_on}: <q>{escape(event.quote)}</q>"
        f"<br><small>{escape(event.url)} · archived {event.fetched_at[:10]} in {escape(event.warc_file)}, byte {event.warc_offset:,}</small></li>"
        for points, event in signal_reasons(row["signal_contributions"], evidence)
    )
    fit = ", ".join(f"{escape(words)} ({points:+.0f})" for points, words in fit_reasons(row["fit_contributions"]))
    return (
        f"<li><h3>{escape(row['account_name'])} <small>{escape(row['domain'])}</small></h3>"
        f"<p>{escape(title)} · {escape(row['segment'] or '')} · fit {row['fit_score']:.0f} · signals {row['signal_score']:.0f}</p>"
        f"<ul>{events}</ul><p>Fit: {fit}</p></li>"
    )


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    return figure, axes


def _cell(x: int, y: int, color: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x + 0.03, y + 0.03), 0.94, 0.94, facecolor=color, edgecolor=PALE, linewidth=0.5)


def _svg(figure: Figure, words: str) -> str:
    """The figure as inline SVG with a text for those who do not see it, without anything that changes from run to run."""
    import matplotlib

    buffer = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "bellwether", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{escape(words, quote=True)}" ', 1)
