"""Confidences and the threshold are fitted on labelled texts, measured on other accounts, and kept with the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from signals.calibration import PROMISED_PRECISION, Calibration, Candidate, calibrate_folder, fit
from signals.classifier import MODEL_FOLDER, EventClassifier
from signals.evaluation import evaluate_events, load_gold
from signals.events import TextInput, detect_events


def _candidates(n: int, is_right: bool | None, log_odds: float, is_hinted: bool = False) -> list[Candidate]:
    return [Candidate("product_launch", log_odds, is_hinted, is_right)] * n


def test_the_threshold_is_the_lowest_that_keeps_the_promise_and_a_hint_raises_confidence() -> None:
    found = [
        _candidates(40, True, 2.0) + _candidates(2, False, 2.0),
        _candidates(10, True, -1.0) + _candidates(30, False, -1.0),
        _candidates(20, True, -1.0, True) + _candidates(4, False, -1.0, True),
        _candidates(50, None, -1.0),  # where readers differ, nothing counts
    ]
    fitted = fit(found)
    sure, unsure, hinted = (fitted.confidence(_candidates(1, True, *said)[0]) for said in ((2.0,), (-1.0,), (-1.0, True)))
    assert unsure < fitted.threshold <= min(sure, hinted)
    assert fitted.hint > 1
    assert abs(unsure - 0.25) < 0.05, "a confidence is how often such events are right"
    reported = [each for text in found for each in text if each.is_right is not None and fitted.confidence(each) >= fitted.threshold]
    assert sum(bool(each.is_right) for each in reported) >= PROMISED_PRECISION * len(reported)


def test_where_no_threshold_keeps_the_promise_it_is_the_highest() -> None:
    assert fit([_candidates(5, True, 1.0) + _candidates(5, False, 1.0)]).threshold == 0.9


def test_a_hint_word_decides_about_an_unsure_event(tmp_path: Path) -> None:
    text = TextInput(
        "Kiln & Co", "kiln.test", "A new oven", "Today we launch our tunnel oven for small bakeries.", "2026-05-01", "2026-05-01"
    )
    classifier = EventClassifier()
    (event,) = [event for event in detect_events(classifier, [text])[0] if event.event_type == "product_launch"]
    classifier.hint_weight -= 1.0
    (less,) = [event for event in detect_events(classifier, [text])[0] if event.event_type == "product_launch"]
    assert less.confidence < event.confidence
    classifier.hint_weight = -50.0
    assert detect_events(classifier, [text]) == [[]]


def test_calibrating_changes_the_manifest_and_is_told_of_when_the_texts_are_shown(tmp_path: Path) -> None:
    texts, folder = tmp_path / "texts.jsonl", tmp_path / "model"
    rows = [
        {"account": f"Firm {n}", "title": title, "text": text, "labels": labels}
        for n, (title, text, labels) in enumerate(
            3 * [
                ("A new oven", "Today we launch our tunnel oven for small bakeries.", ["product_launch"]),
                ("Round", "We raised 12 million dollars in a Series A round.", ["funding_round"]),
                ("Flour", "Keep it dry, cool and away from the floor. We may launch an app one day.", []),
                ("Friends", "Brackley Mills, our neighbour, has opened a plant in Leeds.", []),
            ]
        )
    ]  # fmt: skip
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shutil.copytree(MODEL_FOLDER, folder)
    figures = calibrate_folder(folder, load_gold(texts))
    before, after = EventClassifier(), EventClassifier(folder)
    assert before.version != after.version
    assert 0 <= figures["precision"] <= 1
    evaluated = evaluate_events(texts, after, None, 1)
    assert (evaluated.n_trained_on, evaluated.n_calibrated_on, evaluated.cross_fitted) == (0, len(rows), figures)


def test_a_calibration_says_how_sure_it_is() -> None:
    assert Calibration(1.0, 0.0, 2.0, 0.5).confidence(Candidate("product_launch", -2.0, True, None)) == pytest.approx(0.5)
