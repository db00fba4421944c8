"""Calibrates a trained classifier: ``python -m signals.calibration LABELLED.jsonl --model FOLDER``.

Nothing is trained. A confidence follows from the classifier's log odds and from whether a word that hints at the type stands in the quote (without one, unsure
events are wrong twice as often); the threshold is the lowest at which PROMISED_PRECISION of the events that the engine reports are right. What these four
numbers are worth on other companies' texts is measured by fitting them on some accounts and looking at the others; the figures are kept in the manifest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from signals.classifier import MODEL_FOLDER, EventClassifier
from signals.classify import to_text_input
from signals.evaluation import cross_fitted_figures, load_gold, text_key
from signals.events import events_of_text, has_hint, read_text
from signals.training import write_manifest
from storage.errors import InputError

PROMISED_PRECISION = 0.84  # 0.82 is promised; two points are for what choosing costs
FLOOR = 0.03  # what is less probable before calibrating is not looked at
N_FOLDS = 3
SEED = 20261101
GRID = np.round(np.arange(0.10, 0.91, 0.01), 2)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that passed all checks but the threshold; ``is_right`` is None where readers differ."""

    event_type: str
    log_odds: float
    is_hinted: bool
    is_right: bool | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence = sigmoid(slope · log odds + intercept + hint, if a hint word stands in the quote)."""

    slope: float
    intercept: float
    hint: float
    threshold: float

    def confidence(self, candidate: Candidate) -> float:
        """Between 0 and 1."""
        return float(1 / (1 + np.exp(-(self.slope * candidate.log_odds + self.intercept + self.hint * candidate.is_hinted))))


def calibrate_folder(folder: Path, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Writes calibration and threshold into the folder's manifest; returns the figures that were cross-fitted by account.

    Raises:
        InputError: the model was trained on some of the texts, or they are too few.
    """
    from sklearn.model_selection import GroupKFold

    classifier = EventClassifier(folder)
    trained_on = set(classifier.manifest.get("texts", ()))
    if n_known := sum(text_key(row) in trained_on for row in rows):
        raise InputError(f"the model in {folder} was trained on {n_known} of these texts; calibrate it on others")
    found = find_candidates(classifier, rows)
    reported: list[set[str]] = [set() for _ in rows]
    for others, left_out in GroupKFold(N_FOLDS).split(rows, groups=[row.get("account") for row in rows]):
        fitted = fit([found[i] for i in others])
        for i in left_out:
            reported[i] = {each.event_type for each in found[i] if fitted.confidence(each) >= fitted.threshold}
    figures = cross_fitted_figures(rows, reported, N_FOLDS, SEED)
    fitted, before = fit(found), classifier.manifest["calibration"]
    calibration = {
        "slope": fitted.slope * before["slope"],
        "intercept": fitted.slope * before["intercept"] + fitted.intercept,
        "hint": fitted.hint,
    }
    calibrated = {"cross_fitted": figures, "texts": sorted({text_key(row) for row in rows})}
    thresholds = dict.fromkeys(classifier.types, fitted.threshold)
    write_manifest(folder, classifier.manifest | {"calibration": calibration, "thresholds": thresholds, "calibrated_on": calibrated})
    return figures


def find_candidates(classifier: EventClassifier, rows: Sequence[dict[str, Any]]) -> list[list[Candidate]]:
    """What the engine would report of each text, were the threshold at the floor and hints without weight."""
    classifier.thresholds, classifier.hint_weight = np.full(len(classifier.types), FLOOR, np.float32), 0.0
    inputs = [to_text_input(row, "2000-01-01") for row in rows]
    predictions = classifier.predict([read_text(item) for item in inputs])
    return [
        [
            Candidate(
                event.event_type,
                float(np.log(event.confidence) - np.log1p(-min(event.confidence, 0.9999))),
                has_hint(event.event_type, event.quote),
                None if event.event_type in (row.get("doubt") or []) else event.event_type in row["labels"],
            )
            for event in events_of_text(classifier, item, prediction)
        ]
        for row, item, prediction in zip(rows, inputs, predictions, strict=True)
    ]


def fit(found: Sequence[Sequence[Candidate]]) -> Calibration:
    """The calibration by logistic regression, and the lowest threshold that keeps the promise; the highest where none does."""
    from sklearn.linear_model import LogisticRegression

    certain = [each for text in found for each in text if each.is_right is not None]
    is_right = np.array([bool(each.is_right) for each in certain])
    if len(np.unique(is_right)) < 2:
        raise InputError(
            f"{len(certain)} events on some of the accounts, all right or all wrong, are too few to calibrate on; label more texts"
        )
    model = LogisticRegression(C=1e3).fit([[each.log_odds, each.is_hinted] for each in certain], is_right)
    slope, hint = map(float, model.coef_[0])
    fitted = Calibration(slope, float(model.intercept_[0]), hint, float(GRID[-1]))
    confidences = np.array([fitted.confidence(each) for each in certain])
    for threshold in GRID:
        if (confidences >= threshold).any() and is_right[confidences >= threshold].mean() >= PROMISED_PRECISION:
            return Calibration(slope, fitted.intercept, hint, float(threshold))
    return fitted


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Calibrates the event classifier on labelled texts.")
    parser.add_argument("labelled", type=Path, help="labelled texts, one JSON object a line: account, title, text, labels, doubt")
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER, help="model folder whose manifest is written")
    arguments = parser.parse_args()
    print("cross-fitted by account:", calibrate_folder(arguments.model, load_gold(arguments.labelled)))


if __name__ == "__main__":
    main()
