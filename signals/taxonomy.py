"""The event types, read from taxonomy.toml beside this file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

TAXONOMY_FILE = Path(__file__).with_name("taxonomy.toml")


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of happening: its definition, its polarity, where it is found (text, job, ping) and words that hint at it."""

    name: str
    definition: str
    polarity: int
    source: str
    keywords: tuple[str, ...]


@cache
def load_taxonomy() -> dict[str, EventType]:
    """All event types by name, in the file's order."""
    table = tomllib.loads(TAXONOMY_FILE.read_text(encoding="utf-8"))
    return {name: EventType(name, row["definition"], row["polarity"], row["source"], tuple(row["keywords"])) for name, row in table.items()}


def text_types() -> tuple[str, ...]:
    """Names of the types that are read from texts and job advertisements, in the order of the classifier's outputs."""
    return tuple(name for name, kind in load_taxonomy().items() if kind.source != "ping")


@lru_cache(maxsize=64)
def keyword_pattern(event_type: str) -> re.Pattern[str] | None:
    """One pattern of all words that hint at a type, or None when it has none."""
    keywords = load_taxonomy()[event_type].keywords
    return re.compile("|".join(f"(?:{word})" for word in keywords), re.IGNORECASE) if keywords else None
