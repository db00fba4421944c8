"""The figures of ``bellwether evaluate events`` as one drawing: precision and recall, and how often confidences are right."""

from __future__ import annotations

from pathlib import Path

from signals.evaluation import EventEvaluation

WIDTH_IN, HEIGHT_IN = 9.0, 4.2


def plot_event_evaluation(evaluation: EventEvaluation, path: Path) -> None:
    """Writes the drawing; its format follows the file's ending (.svg, .png, .pdf)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    curve_axes, bins_axes = figure.subplots(1, 2)
    curve_axes.plot([p.recall for p in evaluation.curve], [p.precision for p in evaluation.curve], label="probabilities alone")
    for system in evaluation.systems:
        curve_axes.plot(system.recall, system.precision, "o", label=f"{system.name}, F1 {system.f1:.2f}")
    curve_axes.set(
        xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1), title=f"{evaluation.n_labels} labels on {evaluation.n_texts} texts"
    )
    curve_axes.legend(fontsize="small", loc="lower left")
    bins_axes.plot([0, 1], [0, 1], ":", color="grey")
    bins_axes.plot([b.mean_confidence for b in evaluation.reliability], [b.share_right for b in evaluation.reliability], "o-")
    bins_axes.set(
        xlabel="confidence",
        ylabel="share that is right",
        xlim=(0, 1),
        ylim=(0, 1),
        title=f"calibration error {evaluation.calibration_error:.3f}",
    )
    figure.savefig(path)
