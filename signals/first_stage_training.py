"""Trains the first stage on the quotes of ``signals/examples`` and of labelled real texts: ``python -m signals.first_stage_training`` (``make train``).

A sentence that shares words with a quote is one that may tell an event, every other sentence is not. One account in ten is held out, to say how well quotes
rank among the sentences of their texts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from signals.classifier import classifier_text
from signals.evaluation import load_gold
from signals.first_stage import FIRST_STAGE_FOLDER, N_BUCKETS, hashed_words
from signals.sentences import split_sentences
from signals.training import MAX_CHARS, Example, labelled_example, load_examples

MIN_SHARED_CHARS = 10
C = 3.0


def build_first_stage(folder: Path = FIRST_STAGE_FOLDER, texts: Path | None = None, report: Any = print) -> None:
    """Trains and writes the folder that ``FirstStage`` reads; ``texts`` is a file of labelled real texts, as ``signals.real_texts`` writes it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    real = map(labelled_example, load_gold(texts)) if texts else ()
    examples = [example for example in (*load_examples(), *real) if example.quotes or not example.labels]
    training, is_training_quote = _sentences([example for example in examples if not example.is_held_out])
    held_out, is_quote = _sentences([example for example in examples if example.is_held_out])
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=300).fit(_matrix(training), is_training_quote)
    weights = model.coef_[0].astype(np.float16)
    auc = float(roc_auc_score(is_quote, _matrix(held_out) @ weights.astype(np.float64)))
    report(f"{len(training)} sentences train; AUC on {len(held_out)} held-out sentences {auc:.3f}")
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "weights.npy", weights)
    digest = hashlib.sha256((folder / "weights.npy").read_bytes()).hexdigest()
    manifest = {"version": digest[:6], "sha256": digest, "auc": round(auc, 4), "n_training": len(training), "n_held_out": len(held_out)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _sentences(examples: Sequence[Example]) -> tuple[list[str], list[bool]]:
    """The sentences of the examples, and which of them are quoted."""
    found: list[str] = []
    is_quoted: list[bool] = []
    for example in examples:
        text = classifier_text(example.title, example.text[:MAX_CHARS])
        quotes = [(start, start + len(quote)) for quote in example.quotes.values() if (start := text.find(quote)) >= 0]
        for sentence in split_sentences(text):
            found.append(sentence.text)
            is_quoted.append(any(min(sentence.end, end) - max(sentence.start, start) >= MIN_SHARED_CHARS for start, end in quotes))
    return found, is_quoted


def _matrix(sentences: Sequence[str]) -> Any:
    """Sparse rows of length 1, shape (n_sentences, N_BUCKETS)."""
    from scipy.sparse import csr_matrix

    rows = [hashed_words(text) for text in sentences]
    values = np.concatenate([np.full(len(row), max(1, len(row)) ** -0.5) for row in rows])
    return csr_matrix((values, np.concatenate(rows), np.cumsum([0, *map(len, rows)])), shape=(len(rows), N_BUCKETS))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Trains the first stage on signals/examples.")
    parser.add_argument("--out", type=Path, default=FIRST_STAGE_FOLDER, help="folder to write")
    parser.add_argument("--texts", type=Path, help="labelled real texts: training.jsonl of `python -m signals.real_texts`")
    arguments = parser.parse_args()
    build_first_stage(arguments.out, arguments.texts)


if __name__ == "__main__":
    main()
