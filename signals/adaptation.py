"""Goes on training the classifier with labelled real texts: ``python -m signals.adaptation TEXTS.jsonl --base FOLDER --out FOLDER``.

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
from signals.evaluation import load_gold, resample, score_found, text_key
from signals.events import events_of_text, read_text
from signals.training import Example, Settings, choose_threshold, fit_calibration, load_examples, save_model, train

SETTINGS = Settings(n_epochs=2, learning_rate=3e-5, head_learning_rate=6e-4, positive_weight=1.5)
N_FOLDS = 3
N_REPEATED = 600  # texts of our own writing that are read again, lest the model forget the types that real texts lack


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Logits of texts whose accounts took no part in the training, shape (n_texts, n_types), and the engine's figures on them."""

    logits: NDArray[np.float32]
    figures: dict[str, Any]


def to_example(row: dict[str, Any]) -> Example:
    """A labelled text as training reads it."""
    evidence = row.get("evidence") or {}
    labels = frozenset(row["labels"])
    quotes = {name: quote for name, quote in evidence.items() if name in labels and isinstance(quote, str)}
    doubts = frozenset(row.get("doubt") or [])
    return Example(
        text_key(row), str(row.get("account") or ""), str(row.get("title") or ""), str(row["text"]), labels, quotes, doubts=doubts
    )


def adapted(base: Path, rows: Sequence[dict[str, Any]], report: Any = print) -> tuple[Any, dict[str, Any]]:
    """Encoder and head of ``base`` after training on the rows and on some texts of our own writing."""
    own = [example for example in load_examples() if not example.is_held_out]
    repeated = random.Random(SETTINGS.seed).sample(own, min(N_REPEATED, len(own)))
    _, encoder, head = train([*map(to_example, rows), *repeated], SETTINGS, report, EventClassifier(base))
    return encoder, head


def cross_fit(base: Path, rows: Sequence[dict[str, Any]], n_folds: int = N_FOLDS, report: Any = print) -> CrossFit:
    """What models adapted without the texts' own accounts say of the texts."""
    from sklearn.model_selection import GroupKFold

    classifiers: list[EventClassifier] = []
    fold_of = np.zeros(len(rows), int)
    for fold, (training, left_out) in enumerate(GroupKFold(n_folds).split(rows, groups=[row.get("account") for row in rows])):
        report(f"fold {fold + 1}/{n_folds}: {len(training)} texts train, {len(left_out)} are left out")
        fold_of[left_out] = fold
        with tempfile.TemporaryDirectory() as folder:
            save_model(
                Path(folder), *adapted(base, [rows[int(i)] for i in training], report), _uncalibrated(EventClassifier(base).manifest)
            )
            classifiers.append(EventClassifier(Path(folder)))
            classifiers[-1].load_quick()
    return judge(rows, classifiers, fold_of)


def judge(rows: Sequence[dict[str, Any]], classifiers: Sequence[EventClassifier], fold_of: NDArray[np.int_]) -> CrossFit:
    """What the uncalibrated classifier of each text's fold says of it, with confidences and threshold from the other folds."""
    inputs = [to_text_input(row, "2000-01-01") for row in rows]
    texts = [read_text(item) for item in inputs]
    predictions: dict[int, Prediction] = {}
    for fold, classifier in enumerate(classifiers):
        left_out = [int(i) for i in np.flatnonzero(fold_of == fold)]
        predictions |= dict(zip(left_out, classifier.predict([texts[i] for i in left_out]), strict=True))
    probabilities = np.array([predictions[i].probabilities for i in range(len(rows))])
    logits = np.log(probabilities / np.clip(1 - probabilities, 1e-7, None))
    found: list[set[str]] = [set() for _ in rows]
    for fold, classifier in enumerate(classifiers):
        others = fold_of != fold
        slope, intercept, threshold, _, _ = calibrate(logits[others], [rows[int(i)] for i in np.flatnonzero(others)], classifier.types)
        classifier.thresholds = np.full(len(classifier.types), threshold, np.float32)
        for i in np.flatnonzero(~others):
            known = replace(predictions[int(i)], probabilities=1 / (1 + np.exp(-(slope * logits[i] + intercept))))
            found[i] = {event.event_type for event in events_of_text(classifier, inputs[i], known)}
    score = score_found("bellwether", rows, found, resample(len(rows), SETTINGS.seed))
    return CrossFit(logits, asdict(score) | {"n_folds": len(classifiers), "n_texts": len(rows)})


def calibrate(
    logits: NDArray[np.float32], rows: Sequence[dict[str, Any]], types: Sequence[str]
) -> tuple[float, float, float, float, float]:
    """Slope and intercept of the confidences, the threshold, and precision and recall there; doubtful types do not count."""
    is_label = np.array([[name in row["labels"] for name in types] for row in rows])
    is_certain = np.array([[name not in (row.get("doubt") or []) for name in types] for row in rows])
    slope, intercept = fit_calibration(logits[is_certain], is_label[is_certain])
    probabilities = 1 / (1 + np.exp(-(slope * logits + intercept)))
    return slope, intercept, *choose_threshold(probabilities[is_certain], is_label[is_certain])


def _uncalibrated(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest | {"calibration": {"slope": 1.0, "intercept": 0.0}}


def write_adapted(folder: Path, base: Path, model: tuple[Any, dict[str, Any]], rows: Sequence[dict[str, Any]], fitted: CrossFit) -> None:
    """Writes the model folder of an adapted model, calibrated on what its cross-fitted likes said."""
    manifest = EventClassifier(base).manifest
    slope, intercept, threshold, _, _ = calibrate(fitted.logits, rows, manifest["types"])
    adaptation = {
        "settings": asdict(SETTINGS) | {"n_repeated": N_REPEATED},
        "texts": sorted({text_key(row) for row in rows}),
        "cross_fitted": fitted.figures,
        "base": manifest["version"],
    }
    calibration = {"slope": slope, "intercept": intercept}
    thresholds = dict.fromkeys(manifest["types"], threshold)
    save_model(folder, *model, manifest | {"calibration": calibration, "thresholds": thresholds, "adaptation": adaptation})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Goes on training the event classifier with labelled real texts.")
    parser.add_argument("texts", type=Path, help="labelled texts, one JSON object a line: account, title, text, labels, evidence, doubt")
    parser.add_argument("--base", type=Path, required=True, help="model folder to go on from, written by signals.training")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER, help="model folder to write")
    arguments = parser.parse_args()
    rows = load_gold(arguments.texts)
    fitted = cross_fit(arguments.base, rows)
    print("cross-fitted:", fitted.figures)
    write_adapted(arguments.out, arguments.base, adapted(arguments.base, rows), rows, fitted)


if __name__ == "__main__":
    main()
