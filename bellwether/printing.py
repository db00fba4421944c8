"""What commands say on standard output: tables for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bellwether.jobs import as_json

if TYPE_CHECKING:
    from bellwether.doctor import Check
    from bellwether.plan import Plan
    from intake import ImportSummary
    from intake.cloudascent import CloudAscentSummary
    from intake.name_evaluation import NameEvaluation
    from reports.explanation import Explanation
    from reports.movement import Moved
    from signals.evaluation import EventEvaluation
    from signals.extraction_evaluation import ExtractionEvaluation
    from storage.records import ScoringRun
    from storage.store import Row

CLUSTERS = ("Act now", "Evaluate", "Nurture", "Educate", "Not scored")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A plain table: text to the left, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells), 0) if cells else len(column) for i, column in enumerate(columns)]
    is_number = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    for line in [list(columns), ["-" * width for width in widths], *cells]:
        padded = (cell.rjust(width) if number else cell.ljust(width) for cell, width, number in zip(line, widths, is_number, strict=True))
        typer.echo("  ".join(padded).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def print_object(values: dict[str, Any], is_json: bool) -> None:
    """Names and values, one to a line; nested ones indented."""
    if is_json:
        typer.echo(as_json(values))
        return
    _print_nested(values, "")


def _print_nested(values: dict[str, Any], indent: str) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            typer.echo(f"{indent}{name}:")
            _print_nested(value, indent + "  ")
        else:
            typer.echo(f"{indent}{name}: {'-' if value is None else value}")


def print_plan(plan: Plan, is_json: bool) -> None:
    """Stages, sums and limits of a month."""
    if is_json:
        typer.echo(as_json(plan))
        return
    print_table(
        ("stage", "a unit", "units", "CPU h", "hours", "store GB", "archive GB", "network GB"),
        [(s.stage, s.unit, s.n, s.cpu_hours, s.hours, s.store_gb, s.archive_gb, s.network_gb) for s in plan.stages],
    )
    given = plan.premises
    typer.echo(f"\n{plan.cores} cores, {plan.crawl_processes} crawling processes: {plan.cpu_hours:,.1f} CPU hours in the first month")
    typer.echo(
        f"a night takes {plan.night_hours:,.2f} of {given.night_hours:g} hours, the month's end {plan.month_end_hours:,.2f} of {given.month_end_hours:g}"
    )
    typer.echo(f"store {plan.store_gb:,.1f} GB, archive {plan.archive_gb:,.1f} GB; after {given.months} months "
               f"{plan.store_gb_in_the_end:,.1f} and {plan.archive_gb_in_the_end:,.1f} GB")  # fmt: skip
    typer.echo(f"network {plan.network_gb:,.1f} GB, {plan.network_mbit_s:,.1f} Mbit/s at night")
    typer.echo("\nwhat breaks first (1 is where it breaks):")
    print_table(("limit", "share", "what to do"), [(limit.name, limit.share, limit.remedy) for limit in plan.limits])


def print_import(summary: ImportSummary, file: Path, is_json: bool) -> None:
    """What became of the rows, and where the rejects lie."""
    if is_json:
        typer.echo(as_json(summary))
        return
    typer.echo(f"{file}: {summary.n_kept} {summary.kind} kept ({summary.n_records_new} new), {summary.n_rejected} rows rejected")
    if summary.n_matched_by:
        typer.echo("matched by " + ", ".join(f"{how.replace('_', ' ')}: {n}" for how, n in summary.n_matched_by.items()))
    if summary.rejects_path:
        typer.echo(f"rejects with line, column and reason: {summary.rejects_path}")
    if summary.unknown_columns and summary.kind == "accounts":
        typer.echo(f"kept as account attributes: {', '.join(summary.unknown_columns)}")


def print_cloudascent(summary: CloudAscentSummary, file: Path, is_json: bool) -> None:
    """What was imported, and where the clusters differ."""
    if is_json:
        typer.echo(as_json(summary))
        return
    print_import(summary.imported, file, False)
    if summary.as_of is None:
        typer.echo("nothing is scored yet: run `bellwether score`, then import again to compare the clusters")
        return
    typer.echo(
        f"clusters as of {summary.as_of}: {summary.n_equal} of {summary.n_compared} are equal; {summary.n_unmatched} rows fit no account"
    )
    if summary.differences:
        rows = [(row.area, row.theirs, row.ours, row.n_accounts, ", ".join(row.examples)) for row in summary.differences]
        print_table(("product", "theirs", "ours", "accounts", "such as"), rows)


def print_clusters(run: ScoringRun, counts: list[Row], is_json: bool) -> None:
    """Cluster counts per product."""
    table: dict[str, dict[str, int]] = {}
    for row in counts:
        table.setdefault(row["product"], dict.fromkeys(CLUSTERS, 0))[row["cluster"]] = row["n"]
    if is_json:
        typer.echo(as_json({"run_id": run.run_id, "as_of": run.as_of, "n_accounts": run.n_accounts, "clusters": table}))
        return
    typer.echo(f"{run.n_accounts} accounts as of {run.as_of} (run {run.run_id}, matrix {run.matrix})")
    print_table(("product", *CLUSTERS), [(product, *clusters.values()) for product, clusters in table.items()])


def print_explanation(explanation: Explanation, is_json: bool) -> None:
    """Scores, contributions, events with quotes and where they are archived."""
    if is_json:
        typer.echo(as_json(explanation))
        return
    from reports.reasons import type_in_words

    typer.echo(f"{explanation.account_name} ({explanation.domain}) as of {explanation.as_of}: {explanation.coverage}")
    if explanation.next_workload is not None:
        typer.echo(
            f"next logical workload: {explanation.next_workload} ({explanation.next_workload_share:.0%} of like accounts took it next)"
        )
    for product in explanation.products:
        typer.echo(f"\n{product.title}: {product.cluster}{f' ({product.segment})' if product.segment else ''}")
        typer.echo(f"  fit {_score(product.fit_score, product.fit_band)}")
        if product.fit_basis:
            typer.echo(f"            ({product.fit_basis})")
        if product.fit_score is not None:
            typer.echo(f"    {product.fit_base:6.1f}  the average account of the book")
        for points, words in product.fit_reasons:
            typer.echo(f"    {points:+6.1f}  {words}")
        typer.echo(f"  buying signals {_score(product.signal_score, product.signals_band)}")
        for event in product.events:
            typer.echo(
                f"    {event.points:+6.1f}  {type_in_words(event.event_type)} ({event.status}) on {event.occurred_on}, confidence {event.confidence:.2f}"
            )
            typer.echo(f"            “{event.quote}”")
            typer.echo(f"            {event.url}, archived {event.fetched_at} in {event.archive}, byte {event.offset}")
        if product.potential_revenue_low_usd is not None and product.potential_revenue_high_usd is not None:
            low, high = product.potential_revenue_low_usd, product.potential_revenue_high_usd
            typer.echo(f"  potential revenue ${low:,.0f} to ${high:,.0f} a year, as the middle half of similar customers spend")
        for sentence in product.outlook:
            typer.echo(f"  what would change it: {sentence}")
        if product.moved is not None:
            _print_moved(product.moved, product.segment, product.cluster)


def _print_moved(moved: Moved, segment: str | None, cluster: str) -> None:
    changes = [
        f"{name} {change:+.1f}{_by_cause(moved, name)}"
        for name, change in (("fit", moved.fit_change), ("signals", moved.signal_change))
        if change is not None and (abs(change) >= 0.05 or _by_cause(moved, name))
    ]
    where = f"from {moved.from_cluster} ({moved.from_segment}) by {moved.cause}" if moved.cause else f"still {cluster} ({segment})"
    typer.echo(f"  since {moved.since}: {where}{'; ' if changes else ''}{', '.join(changes)}")
    for change, words in moved.parts:
        typer.echo(f"    {change:+6.1f}  {words}")


def _by_cause(moved: Moved, score: str) -> str:
    steps = [f"{step.cause} {step.points:+.1f}" for step in moved.steps if step.score == score and abs(step.points) >= 0.05]
    return f" ({', '.join(steps)})" if steps else ""


def _score(score: float | None, band: str | None) -> str:
    return "not scored" if score is None else f"{score:.1f} ({band})"


_CROSS_FITTED_EVENTS = (
    "; cross-fitted by account on {n_texts} texts it reached precision {precision:.3f}, recall {recall:.3f}, "
    "F1 {f1:.3f} ({f1_low:.3f}-{f1_high:.3f})"
)


def print_event_evaluation(evaluation: EventEvaluation, is_json: bool) -> None:
    """Per type and over all, with intervals, beside the baselines."""
    if is_json:
        typer.echo(as_json(evaluation.as_object()))
        return
    typer.echo(f"{evaluation.n_texts} texts, {evaluation.n_labels} labels, {evaluation.n_doubts} doubts that count neither way")
    for n_texts, what in (
        (evaluation.n_trained_on, "the model was trained on"),
        (evaluation.n_calibrated_on, "the threshold was chosen on"),
    ):
        if n_texts:
            typer.echo(
                f"{what} {n_texts} of these texts: the figures below flatter it"
                + (_CROSS_FITTED_EVENTS.format(**evaluation.cross_fitted) if evaluation.cross_fitted else "")
            )
    columns = ("system", "precision", "recall", "f1", "f1 low", "f1 high", "macro f1", "strict f1")
    print_table(columns, [(s.name, s.precision, s.recall, s.f1, s.f1_low, s.f1_high, s.macro_f1, s.strict_f1) for s in evaluation.systems])
    o = evaluation.outside
    print_table(columns, [(o.name, o.precision, o.recall, o.f1, o.f1_low, o.f1_high, o.macro_f1, o.strict_f1)])
    typer.echo("\nfalse events by where the texts are from")
    print_table(
        ("ids begin with", "texts", "found", "false", "false per text", "low", "high"),
        [
            (p.origin, p.n_texts, p.n_found, p.n_false, p.false_per_text, p.false_per_text_low, p.false_per_text_high)
            for p in evaluation.origins
        ],
    )
    typer.echo("\nby type (intervals: 95 %, bootstrap over texts)")
    print_table(
        ("type", "labels", "found", "right", "precision", "recall", "f1", "f1 low", "f1 high"),
        [(t.event_type, t.n_labels, t.n_found, t.n_right, t.precision, t.recall, t.f1, t.f1_low, t.f1_high) for t in evaluation.types],
    )
    typer.echo("\nthe bare probabilities, one threshold for all types")
    print_table(("threshold", "precision", "recall"), [(p.threshold, p.precision, p.recall) for p in evaluation.curve[3::4]])
    typer.echo(f"\nhow often a confidence is right (calibration error {evaluation.calibration_error:.3f})")
    print_table(
        ("confidence", "n", "mean", "right"),
        [(f"{b.low:.1f}-{b.high:.1f}", b.n, b.mean_confidence, b.share_right) for b in evaluation.reliability],
    )


def print_extraction_evaluation(evaluation: ExtractionEvaluation, is_json: bool) -> None:
    """Word-F1 by page type, beside trafilatura alone."""
    if is_json:
        typer.echo(as_json(evaluation.as_object()))
        return
    typer.echo(f"{evaluation.n_pages} pages with gold text, {evaluation.n_failures} without a document")
    if evaluation.n_trained_on and evaluation.cross_fitted:
        typer.echo(
            f"the model of main texts was trained on {evaluation.n_trained_on} of these pages: the figures below flatter it; cross-fitted by "
            "site it reached {word_f1:.3f} ({word_f1_low:.3f}-{word_f1_high:.3f}): ".format(**evaluation.cross_fitted)
            + ", ".join(f"{kind} {row['word_f1']:.3f}" for kind, row in evaluation.cross_fitted["by_page_type"].items())
        )
    print_table(
        ("page type", "pages", "word f1", "low", "high", "trafilatura alone", "difference"),
        [
            (row.page_type, row.n_pages, row.word_f1, row.low, row.high, row.baseline_f1, row.word_f1 - row.baseline_f1)
            for row in evaluation.rows
        ],
    )
    if evaluation.dates:
        typer.echo(
            "day of publication exact on {exact:.3f} ({low:.3f}-{high:.3f}) of {n_pages} pages that have one; "
            "htmldate {baseline_exact:.3f}".format(**asdict(evaluation.dates))
        )


def print_name_evaluation(evaluation: NameEvaluation, is_json: bool) -> None:
    """The engine beside difflib."""
    if is_json:
        typer.echo(as_json(evaluation.as_object()))
        return
    typer.echo(f"{evaluation.n_pairs} pairs, {evaluation.n_matches} of them matches")
    columns = ("system", "precision", "recall", "f1", "f1 low", "f1 high")
    print_table(columns, [(s.name, s.precision, s.recall, s.f1, s.f1_low, s.f1_high) for s in evaluation.systems])


def print_checks(checks: list[Check], is_json: bool) -> None:
    """One line per check, with the remedy where one is needed."""
    if is_json:
        typer.echo(as_json({"checks": [{"name": c.name, "state": c.state, "found": c.found, "remedy": c.remedy} for c in checks]}))
        return
    for check in checks:
        typer.echo(f"{check.state:<4}  {check.name}: {check.found}")
        if check.remedy:
            typer.echo(f"      {check.remedy}")
