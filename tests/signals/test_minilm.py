"""Our forward pass gives what the reference gives."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from signals.classifier import EventClassifier

TEXTS = [
    "Padaria Ribeira opens a second bakery in Porto. The doors opened on 3 September 2026, and 22 people found work.",
    "Ölmühle Süd übernimmt die Mühle in 東京 – ﷽ 🦉 and \u200bzero-width \u202eright to left.",
    "",
    "We raised 12 million euros in a Series B round led by North Ventures. " * 40,
]


def test_packed_texts_give_the_references_probabilities_attention_and_places() -> None:
    """Whatever stands beside a text in its batch: words of several scripts, nothing at all, more than 512 tokens."""
    quick, exact = EventClassifier(), EventClassifier(is_exact=True)
    for found, expected in zip(quick._predict(TEXTS), exact._predict(TEXTS), strict=True):
        np.testing.assert_array_equal(found.token_spans, expected.token_spans)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=0.02)
        np.testing.assert_allclose(found.attention, expected.attention, atol=0.05)


def test_reading_needs_no_sentence_transformers() -> None:
    """Its import alone costs five seconds, each night and on each worker."""
    code = "import sys; from signals.classifier import EventClassifier; EventClassifier().predict(['News.']); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "torch" in modules
    assert {"sentence_transformers", "transformers", "sklearn", "scipy"}.isdisjoint(modules)
