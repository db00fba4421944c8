"""Sentences with their place in the text, so that every quote can be found again."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A full stop behind one of these ends no sentence.
ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "sr",
        "jr",
        "st",
        "co",
        "inc",
        "ltd",
        "corp",
        "llc",
        "gmbh",
        "dept",
        "est",
        "approx",
        "ca",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "eg",
        "ie",
        "no",
        "vol",
        "fig",
        "ca.",
        "u.s",
        "u.k",
        "u.a.e",
        "a.m",
        "p.m",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "mt",
        "ft",
        "rev",
        "gen",
        "col",
        "hon",
    ]
)
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n+")
_LAST_WORD = re.compile(r"(\S+?)[.!?…]+[\"'”’)\]]*$")
MAX_SENTENCE_CHARS = 600


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of a text: ``text[start:end] == sentence.text``."""

    text: str
    start: int
    end: int


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of a text in order; line breaks end a sentence too, and very long ones are cut.

    >>> [s.text for s in split_sentences("Dr. Ada joins Acme Inc. as CTO. She starts in May!")]
    ['Dr. Ada joins Acme Inc. as CTO.', 'She starts in May!']
    """
    sentences: list[Sentence] = []
    start = 0
    for match in _END.finditer(text):
        if not match.group().startswith("\n") and _is_abbreviation(text, start, match.end()):
            continue
        _append(sentences, text, start, match.end())
        start = match.end()
    _append(sentences, text, start, len(text))
    return sentences


def _is_abbreviation(text: str, start: int, end: int) -> bool:
    last = _LAST_WORD.search(text[max(start, end - 40) : end])
    if not last or not text[:end].endswith("."):
        return False
    word = last.group(1).lower().lstrip("(\"'“‘")
    follows_capital = text[end : end + 2].strip()[:1].isupper()
    if word in ("inc", "ltd", "co", "corp", "llc", "p.m", "a.m", "u.s", "u.k", "etc", "no", "gmbh") and follows_capital:
        # Such a word may well end a sentence; it does not when a name or number goes on.
        return word in ("no",)
    return word in ABBREVIATIONS or (len(word) == 1 and word.isalpha())


def _append(sentences: list[Sentence], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    right = start + len(piece.rstrip())
    while right - left > MAX_SENTENCE_CHARS:
        cut = text.rfind(" ", left, left + MAX_SENTENCE_CHARS)
        cut = cut if cut > left else left + MAX_SENTENCE_CHARS
        sentences.append(Sentence(text[left:cut], left, cut))
        left = cut + len(text[cut:right]) - len(text[cut:right].lstrip())
    if right > left:
        sentences.append(Sentence(text[left:right], left, right))
