"""What the commands about models say on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from bellwether.jobs import as_json
from bellwether.printing import print_table

if TYPE_CHECKING:
    from scoring.table_evaluation import TableEvaluation


def print_table_evaluation(evaluation: TableEvaluation, is_json: bool) -> None:
    """The verdict first, then the figures, then what they rest on."""
    if is_json:
        typer.echo(as_json(evaluation.as_object()))
        return
    typer.echo(f"verdict: {evaluation.verdict.verdict}")
    for reason in evaluation.verdict.reasons:
        typer.echo(f"  {reason}")
    typer.echo(f"\n{evaluation.n_rows} rows, {evaluation.n_columns} columns; {evaluation.design}, {evaluation.n_tested} predictions tested")
    if evaluation.n_skipped:
        typer.echo(f"{evaluation.n_skipped} rows left out: another number of fields than the header, or no outcome")
    if evaluation.ignored:
        typer.echo(f"ignored, because constant or different in every row: {', '.join(evaluation.ignored)}")
    rows = [(name, interval.value, interval.low, interval.high) for name, interval in evaluation.figures.items()]
    print_table(("figure", "value", "low", "high"), [*rows, ("calibration_error", evaluation.calibration_error, None, None)])
    for leak in evaluation.leaks:
        typer.echo(f"suspected leak: {leak.column} alone reaches an auc of {leak.auc:.3f}; the best other column {leak.next_best_auc:.3f}")
    if evaluation.windows:
        typer.echo("\nby window in time, each predicted from all rows before it")
        print_table(
            ("window", "learned", "tested", "base rate", "auc", "calibration error"),
            [(w.window, w.n_learned, w.n_tested, w.base_rate, w.auc, w.calibration_error) for w in evaluation.windows],
        )
