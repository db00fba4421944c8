"""Goes on training the classifier with labelled real texts: ``python -m signals.adaptation LABELLED.jsonl --base FOLDER --out FOLDER``.

Texts of our own writing teach the types; real ones teach how companies write. What the model is worth on other companies' texts is measured by
cross-fitting: in each fold the texts of some accounts are left out of the training, and the threshold is chosen on the other folds. These
figures are kept in the manifest, with the keys of the texts, so that ``evaluate events`` can say when it is shown what the model has seen.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signals.classifier import MODEL_FOLDER, EventClassifier, Prediction
from signals.classify import to_text_input
from signals.evaluation import cross_fitted_figures, load_gold, text_key
from signals.events import events_of_text, read_text
from signals.training import Settings, calibrate, labelled_example, load_examples, save_model, train

SETTINGS = Settings(n_epochs=2, learning_rate=3e-5, head_learning_rate=6e-4, positive_weight=1.5)
N_FOLDS = 3
N_REPEATED = 900  # of the texts that the base was trained on, read again, lest the model forget the types that these lack


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Logits of texts whose accounts took no part in the training, shape (n_texts, n_types), and the engine's figures on them.

    ``figures`` are those of the job's reading; ``exact`` beneath them is the micro-F1 of the full encoder in float32 on the whole openings.
    """

    logits: NDArray[np.float32]
    figures: dict[str, Any]


def adapted(
    base: Path, rows: Sequence[dict[str, Any]], texts: Sequence[dict[str, Any]] = (), report: Any = print
) -> tuple[Any, dict[str, Any]]:
    """Encoder and head of ``base`` after training on the rows and on some of those it was trained on: our own, and ``texts``."""
    known = [example for example in (*load_examples(), *map(labelled_example, texts)) if not example.is_held_out]
    repeated = random.Random(SETTINGS.seed).sample(known, min(N_REPEATED, len(known)))
    _, encoder, head = train([*map(labelled_example, rows), *repeated], SETTINGS, report, EventClassifier(base))
    return encoder, head


def cross_fit(
    base: Path, rows: Sequence[dict[str, Any]], n_folds: int = N_FOLDS, texts: Sequence[dict[str, Any]] = (), report: Any = print
) -> CrossFit:
    """What models adapted without the texts' own accounts say of the texts."""
    from sklearn.model_selection import GroupKFold

    fold_of = np.zeros(len(rows), int)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / str(fold) for fold in range(n_folds)]
        splits = GroupKFold(n_folds).split(rows, groups=[row.get("account") for row in rows])
        for folder, (training, left_out) in zip(folders, splits, strict=True):
            report(f"fold {int(folder.name) + 1}/{n_folds}: {len(training)} texts train, {len(left_out)} are left out")
            fold_of[left_out] = int(folder.name)
            model = adapted(base, [rows[int(i)] for i in training], texts, report)
            save_model(folder, *model, EventClassifier(base).manifest | {"calibration": {"slope": 1.0, "intercept": 0.0}})
        quick, exact = (judge(rows, [EventClassifier(folder, is_exact) for folder in folders], fold_of) for is_exact in (False, True))
    figures = quick.figures | {"exact": {"f1": exact.figures["f1"]}}
    return CrossFit(quick.logits, figures)


def judge(rows: Sequence[dict[str, Any]], classifiers: Sequence[EventClassifier], fold_of: NDArray[np.int_]) -> CrossFit:
    """What the uncalibrated classifier of each text's fold says of it, with confidences and threshold from the other folds."""
    inputs = [to_text_input(row, "2000-01-01") for row in rows]
    texts = [read_text(item) for item in inputs]
    examples = [labelled_example(row) for row in rows]
    predictions: dict[int, Prediction] = {}
    for fold, classifier in enumerate(classifiers):
        left_out = [int(i) for i in np.flatnonzero(fold_of == fold)]
        predictions |= dict(zip(left_out, classifier.predict([texts[i] for i in left_out]), strict=True))
    probabilities = np.array([predictions[i].probabilities for i in range(len(rows))])
    logits = np.log(probabilities / np.clip(1 - probabilities, 1e-7, None))
    found: list[set[str]] = [set() for _ in rows]
    for fold, classifier in enumerate(classifiers):
        others = fold_of != fold
        slope, intercept, threshold, _, _ = calibrate(logits[others], [examples[int(i)] for i in np.flatnonzero(others)], classifier.types)
        classifier.thresholds = np.full(len(classifier.types), threshold, np.float32)
        for i in np.flatnonzero(~others):
            known = replace(predictions[int(i)], probabilities=1 / (1 + np.exp(-(slope * logits[i] + intercept))))
            found[i] = {event.event_type for event in events_of_text(classifier, inputs[i], known)}
    return CrossFit(logits, cross_fitted_figures(rows, found, len(classifiers), SETTINGS.seed))


def write_adapted(folder: Path, base: Path, model: tuple[Any, dict[str, Any]], rows: Sequence[dict[str, Any]], fitted: CrossFit) -> None:
    """Writes the model folder of an adapted model, calibrated on what its cross-fitted likes said."""
    manifest = EventClassifier(base).manifest
    slope, intercept, threshold, _, _ = calibrate(fitted.logits, [labelled_example(row) for row in rows], manifest["types"])
    adaptation = {
        "settings": asdict(SETTINGS) | {"n_repeated": N_REPEATED},
        "cross_fitted": fitted.figures,
        "base": manifest["version"],
    }
    calibration = {"slope": slope, "intercept": intercept}
    thresholds = dict.fromkeys(manifest["types"], threshold)
    manifest.pop("calibrated_on", None)
    trained_on = sorted({text_key(row) for row in rows}.union(manifest.get("texts", ())))
    save_model(
        folder, *model, manifest | {"calibration": calibration, "thresholds": thresholds, "adaptation": adaptation, "texts": trained_on}
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Goes on training the event classifier with labelled real texts.")
    parser.add_argument("labelled", type=Path, help="labelled texts, one JSON object a line: account, title, text, labels, evidence, doubt")
    parser.add_argument("--base", type=Path, required=True, help="model folder to go on from, written by signals.training")
    parser.add_argument("--texts", type=Path, help="the labelled real texts that the base was trained on beside our own")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER, help="model folder to write")
    arguments = parser.parse_args()
    rows = load_gold(arguments.labelled)
    texts = load_gold(arguments.texts) if arguments.texts else []
    fitted = cross_fit(arguments.base, rows, texts=texts)
    print("cross-fitted:", fitted.figures)
    write_adapted(arguments.out, arguments.base, adapted(arguments.base, rows, texts), rows, fitted)


if __name__ == "__main__":
    main()
