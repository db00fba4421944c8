"""The classifier goes on from labelled texts, and says so when it is shown what it was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from signals import adaptation
from signals.classifier import MODEL_FOLDER, EventClassifier
from signals.evaluation import evaluate_events, load_gold, text_key
from signals.training import labelled_example

TEXTS = [
    {"account": "Kiln & Co", "title": "A new oven", "text": "Today we launch our tunnel oven for small bakeries.", "labels": ["product_launch"]},
    {"account": "Kiln & Co", "title": "How to store flour", "text": "Keep it dry, cool and away from the floor.", "labels": []},
    {"account": "Sedge Bank", "title": "Branch closed", "text": "We raised 12 million dollars in a Series A round.", "labels": ["funding_round"]},
    {
        "account": "Sedge Bank",
        "title": "Opening hours",
        "text": "On Friday we close at noon. We may launch an app one day.",
        "labels": [],
        "doubt": ["product_launch"],
    },
]  # fmt: skip


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(text) + "\n" for text in TEXTS), encoding="utf-8")
    return path


def test_a_model_adapted_to_texts_is_calibrated_on_what_it_was_not_shown(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "N_REPEATED", 4)
    rows = load_gold(labelled)
    said: list[str] = []
    fitted = adaptation.cross_fit(MODEL_FOLDER, rows, 2, report=said.append)
    assert fitted.logits.shape == (4, len(EventClassifier().types))
    assert fitted.figures["n_texts"] == 4
    assert [line for line in said if "left out" in line] == [f"fold {k}/2: 2 texts train, 2 are left out" for k in (1, 2)]

    folder = tmp_path / "model"
    adaptation.write_adapted(folder, MODEL_FOLDER, adaptation.adapted(MODEL_FOLDER, rows), rows, fitted)
    evaluated = evaluate_events(labelled, EventClassifier(folder), None, 1)
    assert (evaluated.n_trained_on, evaluated.n_calibrated_on) == (4, 0)
    assert evaluated.cross_fitted == fitted.figures
    text = rows[0]["title"] + "\n" + rows[0]["text"]
    before, after = (model.predict([text])[0].probabilities for model in (EventClassifier(), EventClassifier(folder)))
    assert not np.allclose(before, after), "training changed nothing"


def test_a_doubtful_type_is_no_label_and_counts_neither_way() -> None:
    example = labelled_example(TEXTS[3])
    assert (example.labels, example.doubts) == (frozenset(), frozenset(["product_launch"]))
    assert example.example_id == text_key(TEXTS[3])
