"""The cheap first stage before the encoder: the sentences of a text that most likely tell an event, by a linear model over hashed words.

The encoder's time grows with what it reads. So of a long text it gets an excerpt: the title, and the sentences that score highest, in their order. The model
is trained on the quotes of the examples (signals/first_stage_training.py); it decides nothing beyond what is read.

Source: Weinberger et al.: Feature hashing for large scale multitask learning (2009).
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signals.model_files import read_manifest
from signals.sentences import Sentence, split_sentences

FIRST_STAGE_FOLDER = Path(__file__).with_name("first_stage_model")
N_BUCKETS = 1 << 16
EXCERPT_CHARS = 1_200  # of sentences, until this is reached
N_OPENING = 3  # sentences after the first that count a little more: news stands in front
OPENING_BONUS = 1.0
_WORD = re.compile(r"[^\W\d_]+|\d+|[$€£%]")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Pieces of a text put together: ``text``, and where each piece begins in it and in the whole."""

    text: str
    begins: NDArray[np.int64]
    whole_begins: NDArray[np.int64]

    def places_in_whole(self, spans: NDArray[np.int64]) -> NDArray[np.int64]:
        """Spans of characters, shape (n, 2), of the excerpt as places in the whole text; (0, 0) stays."""
        piece = np.searchsorted(self.begins, spans[:, 0], side="right") - 1
        shift = (self.whole_begins - self.begins)[piece]
        return np.where(spans[:, 1:] > spans[:, :1], spans + shift[:, None], spans)


class FirstStage:
    """Chooses what the encoder reads.

    Raises:
        ModelError: files are missing or their hash is not that of the manifest.
    """

    def __init__(self, folder: Path = FIRST_STAGE_FOLDER) -> None:
        manifest = read_manifest(folder, "weights.npy", f"no first stage at {folder}; run `make train`")
        self.version: str = manifest["version"]
        self._weights: NDArray[np.float32] = np.load(folder / "weights.npy", allow_pickle=False).astype(np.float32)

    def excerpt(self, text: str) -> Excerpt:
        """What is worth reading of a title and text: all of it when it is short."""
        sentences = split_sentences(text)
        if sum(sentence.end - sentence.start for sentence in sentences) <= EXCERPT_CHARS:
            return Excerpt(text, np.zeros(1, np.int64), np.zeros(1, np.int64))
        scores = np.array([self.score(sentence.text) for sentence in sentences])
        scores[0] = np.inf
        scores[1 : 1 + N_OPENING] += OPENING_BONUS
        chosen: list[int] = []
        n_chars = 0
        for i in np.argsort(-scores, kind="stable"):
            chosen.append(int(i))
            n_chars += len(sentences[i].text)
            if n_chars >= EXCERPT_CHARS:
                break
        return _put_together(text, [sentences[i] for i in sorted(chosen)])

    def score(self, sentence: str) -> float:
        """How much the sentence's words speak for an event, in log odds up to a constant."""
        places = hashed_words(sentence)
        return float(self._weights[places].sum() / max(1.0, len(places)) ** 0.5)


def hashed_words(sentence: str) -> NDArray[np.int64]:
    """The distinct buckets of a sentence's words and pairs of words, sorted; numbers count by their length only.

    >>> np.array_equal(hashed_words("Raised 12 million"), hashed_words("raised 47 MILLION"))
    True
    """
    words = [f"#{len(word)}" if word.isdigit() else word for word in _WORD.findall(sentence.lower())]
    pairs = [f"{one} {other}" for one, other in zip(["<", *words], [*words, ">"], strict=True)]
    return np.unique(np.array([zlib.crc32(gram.encode()) % N_BUCKETS for gram in (*words, *pairs)], np.int64))


def _put_together(text: str, sentences: list[Sentence]) -> Excerpt:
    """The sentences in their order; those that touch in the text keep what stands between them."""
    parts: list[str] = []
    begins: list[int] = []
    n_chars, end = 0, 0
    for sentence in sentences:
        between = text[end : sentence.start] if sentence.start - end <= 2 else "\n"
        parts += [between, sentence.text]
        begins.append(n_chars + len(between))
        n_chars += len(between) + len(sentence.text)
        end = sentence.end
    return Excerpt("".join(parts), np.array(begins), np.array([sentence.start for sentence in sentences]))
