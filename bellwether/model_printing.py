"""What the commands about models say on standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bellwether.jobs import as_json
from bellwether.printing import print_table

if TYPE_CHECKING:
    from scoring.learning import Learned
    from scoring.table_evaluation import TableEvaluation
    from storage.store import Row


def print_table_evaluation(evaluation: TableEvaluation, is_json: bool) -> None:
    """The verdict first, then the figures, then what they rest on."""
    if is_json:
        typer.echo(as_json(evaluation.as_object()))
        return
    in_time = "" if evaluation.windows else " (in folds: what a table says of itself, not of the future; --time COL tests in time)"
    typer.echo(f"verdict: {evaluation.verdict.verdict}{in_time}")
    for reason in evaluation.verdict.reasons:
        typer.echo(f"  {reason}")
    typer.echo(f"\n{evaluation.n_rows} rows, {evaluation.n_columns} columns; {evaluation.design}, {evaluation.n_tested} predictions tested")
    if evaluation.n_skipped:
        typer.echo(f"{evaluation.n_skipped} rows left out: another number of fields than the header, or no outcome")
    if evaluation.ignored:
        typer.echo(f"ignored, because constant or different in every row: {', '.join(evaluation.ignored)}")
    figures = evaluation.as_object()
    rows = [(name, figures[name], figures[f"{name}_low"], figures[f"{name}_high"]) for name in evaluation.figures]
    print_table(("figure", "value", "low", "high"), [*rows, ("calibration_error", evaluation.calibration_error, None, None)])
    if evaluation.auc_in_file_order is not None:
        found = evaluation.auc_in_file_order
        print_table(
            ("figure", "value", "low", "high"), [("auc when the file's order is taken for time", found.value, found.low, found.high)]
        )
    for leak in evaluation.leaks:
        typer.echo(f"suspected leak: {leak.column} alone reaches an auc of {leak.auc:.3f}; the best other column {leak.next_best_auc:.3f}")
    if evaluation.windows:
        typer.echo("\nby window in time, each predicted from all rows before it")
        print_table(
            ("window", "learned", "tested", "base rate", "auc", "calibration error"),
            [(w.window, w.n_learned, w.n_tested, w.base_rate, w.auc, w.calibration_error) for w in evaluation.windows],
        )


def print_learned(learned: list[Learned], is_json: bool) -> None:
    """What became of each model."""
    if is_json:
        rows = [
            {
                "kind": each.kind, "product": each.product, "verdict": each.verdict, "decision": each.decision,
                "model_id": each.model.model_id if each.model else None, "in_use": each.release.model_id,
                "metrics": _metrics(each.model.metrics) if each.model else None,
            }
            for each in learned
        ]  # fmt: skip
        typer.echo(as_json({"models": rows}))
        return
    print_table(
        ("kind", "product", "verdict", "auc", "low", "decision"),
        [(each.kind, each.product, each.verdict, *_auc(each.model.metrics if each.model else "{}"), each.decision) for each in learned],
    )


def print_models(rows: list[Row], is_json: bool) -> None:
    """The registry, newest first."""
    if is_json:
        typer.echo(as_json({"models": [row | {"metrics": _metrics(row["metrics"])} for row in rows]}))
        return
    print_table(
        ("model", "kind", "product", "trained as of", "for", "against", "verdict", "auc", "low", "data", "seed", "in use since", ""),
        [
            (
                row["model_id"], row["kind"], row["product"], row["trained_as_of"], row["n_positive"], row["n_other"], row["verdict"],
                *_auc(row["metrics"]), row["data_hash"], str(row["seed"]), row["in_use_since"],
                "unproven" if row["in_use_since"] and row["verdict"] == "not_ready" else "",
            )
            for row in rows
        ],
    )  # fmt: skip


def print_validation(content: dict[str, Any], out: Path, is_json: bool) -> None:
    """Win rates by cluster under each matrix, per product and over all."""
    if is_json:
        typer.echo(as_json(content))
        return
    for matrix in content["all_products"]["matrices"]:
        typer.echo(
            f"matrix {matrix}: win rate of deals opened in the {content['horizon_days']} days after each of {len(content['dates'])} dates"
        )
        rows: list[tuple[object, ...]] = []
        for found in [*content["products"], content["all_products"] | {"product": "all"}]:
            figures = found["matrices"].get(matrix)
            if figures:
                rates = [row["win_rate"] for row in figures["clusters"]]
                rows.append((found["product"], found["n_deals"], *rates, "yes" if figures["is_in_order"] else "no"))
        print_table(("product", "deals", "Act now", "Evaluate", "Nurture", "Educate", "Not scored", "in order"), rows)
        typer.echo("")
    typer.echo(f"model card: {out}, figures: {out.with_suffix('.json')}")


def _metrics(text: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(text).items() if name != "baseline"}


def _auc(metrics: str) -> tuple[float | None, float | None]:
    figures = json.loads(metrics).get("auc") or [None, None, None]
    return figures[0], figures[1]
