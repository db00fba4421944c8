"""What the classifier must beat: keyword rules, and similarity of the text to the types' definitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from signals.encoder import Encoder
from signals.taxonomy import keyword_pattern, load_taxonomy, text_types

OPENING_CHARS = 300  # the best of 300, 800 and 2,800 characters for the rules
ZERO_SHOT_THRESHOLD = 0.38


def keyword_types(row: dict[str, Any]) -> set[str]:
    """Types whose words stand in the title or the opening 300 characters."""
    text = f"{row.get('title') or ''}\n{(row.get('text') or '')[:OPENING_CHARS]}"
    return {name for name in text_types() if (pattern := keyword_pattern(name)) and pattern.search(text)}


def zero_shot_types(rows: Sequence[dict[str, Any]], encoder_folder: Path | None = None) -> list[set[str]]:
    """Types whose definition lies closer to title and opening than a threshold of cosine similarity."""
    encoder = Encoder(encoder_folder)
    names = text_types()
    definitions = encoder.encode([load_taxonomy()[name].definition for name in names])
    texts = encoder.encode([f"{row.get('title') or ''}. {(row.get('text') or '')[:OPENING_CHARS]}" for row in rows])
    similarities = texts @ definitions.T
    return [{names[j] for j in range(len(names)) if line[j] >= ZERO_SHOT_THRESHOLD} for line in similarities]
