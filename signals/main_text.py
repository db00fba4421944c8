"""The main text of a page: the blocks that boosted trees believe to belong to it, chosen for the best expected F1.

The trees are trained by ``signals.block_training`` and shipped as flat arrays; nothing but numpy is needed to read them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signals.block_features import WordWeights, block_features, page_facts
from signals.blocks import Blocks, read_blocks
from signals.model_files import read_manifest
from storage.errors import ModelError

LONG_WORDS = 15
MAX_DATELINE_CHARS = 100
WORDS_BESIDE_DATE = 3  # "Posted on", "Last updated:", "Press release", the time
_WORD = re.compile(r"\w+")
_FULL_DATE = re.compile(
    r"\b\d{1,2}\.?(?: de| of)? [^\W\d_]{3,10}\.?,?(?: de)? (?:19|20)\d\d\b|\b[^\W\d_]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d\d\b"
    r"|\b(?:19|20)\d\d-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./](?:19|20)?\d\d\b"
)
SHARE_OF_LIKES = 0.6  # of the mean over like blocks in a block's probability; anything from 0.3 to 0.6 is as good
ROWS_AT_ONCE = 2_000  # walkers take memory: rows by trees
MAIN_TEXT_FOLDER = Path(__file__).with_name("main_text_model")
TREE_ARRAYS = ("roots", "features", "thresholds", "lefts", "rights", "values")


class BoostedTrees:
    """Trees laid out node by node; ``probabilities`` sums their leaves.

    Args:
        arrays: ``roots`` (n_trees,) are the trees' first nodes; of each node ``features`` (-1 at a leaf), ``thresholds``, ``lefts`` (taken where
            the feature is at most the threshold), ``rights`` and ``values`` (of leaves, in log odds), shape (n_nodes,).
    """

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        roots, features, thresholds, lefts, rights, values = (arrays[name] for name in TREE_ARRAYS)
        is_leaf, own = features < 0, np.arange(len(features))
        self._roots = roots.astype(np.intp)
        self._features = np.where(is_leaf, 0, features).astype(np.intp)
        self._thresholds = thresholds.astype(np.float32)
        # Of each node the right child, then the left one; a leaf is its own child, so that walkers that are done may go on.
        self._children = np.stack([np.where(is_leaf, own, rights), np.where(is_leaf, own, lefts)], axis=1).ravel().astype(np.intp)
        self._values = values.astype(np.float64)
        self._n_steps, at = 0, self._roots
        while not is_leaf[at].all():
            self._n_steps, at = self._n_steps + 1, np.unique(np.concatenate([self._children[2 * at], self._children[2 * at + 1]]))

    def probabilities(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of each row, shape (n_rows,), of a table of features, shape (n_rows, n_features)."""
        parts = [self._log_odds(table[i : i + ROWS_AT_ONCE]) for i in range(0, len(table), ROWS_AT_ONCE)]
        return 1 / (1 + np.exp(-np.concatenate(parts)))

    def _log_odds(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Every row walks down every tree at once."""
        cells = np.ascontiguousarray(table).ravel()
        rows = np.repeat(np.arange(len(table)) * table.shape[1], len(self._roots))
        nodes = np.tile(self._roots, len(table))
        for _ in range(self._n_steps):
            goes_left = cells.take(rows + self._features.take(nodes)) <= self._thresholds.take(nodes)
            nodes = self._children.take(2 * nodes + goes_left)
        sums: NDArray[np.float64] = self._values.take(nodes).reshape(len(table), -1).sum(axis=1)
        return sums


class MainTextReader:
    """Reads main texts with the model of a folder.

    Raises:
        ModelError: files are missing, their hash is not that of the manifest, or the model wants features that are not made here.
    """

    def __init__(self, folder: Path = MAIN_TEXT_FOLDER) -> None:
        self.manifest = read_manifest(folder, "model.npz", f"no main text model at {folder}; run `make train` with the labelled pages")
        self.columns: list[str] = self.manifest["features"]
        with np.load(folder / "model.npz", allow_pickle=False) as arrays:
            self.trees = BoostedTrees({name: arrays[name] for name in TREE_ARRAYS})
            self.weights = WordWeights(arrays["name_weights"].astype(np.float32), arrays["text_weights"].astype(np.float32))

    def read(self, tree: Any, url: str, json_ld_types: Sequence[str] = ()) -> str:
        """The main text of a parsed page, a block to a line or more; of a page that waits for its scripts, its own description."""
        blocks = read_blocks(tree)
        is_chosen = self.choose(blocks, page_facts(tree, url, json_ld_types)) if blocks.texts else np.zeros(0, bool)
        chosen = [text for text, is_wanted in zip(blocks.texts, is_chosen, strict=True) if is_wanted]
        titles = {" ".join(node.text_content().split()) for node in tree.iter("h1")}
        text = "\n".join(without_title_and_date(chosen, titles))
        described = description(tree)
        return text if len(text.split()) >= len(described.split()) else described

    def choose(self, blocks: Blocks, facts: dict[str, float]) -> NDArray[np.bool_]:
        """Which blocks belong to the main text, shape (n_blocks,)."""
        columns = block_features(blocks, facts, self.weights)
        missing = [name for name in self.columns if name not in columns]
        if missing:
            raise ModelError(f"the main text model wants features that are not made here: {', '.join(missing[:5])}; run `make train`")
        table = np.stack([columns[name] for name in self.columns], axis=1).astype(np.float32)
        n_words = columns["n_words"]
        return best_choice(shared_among_likes(self.trees.probabilities(table), blocks, n_words), n_words)


def without_title_and_date(texts: Sequence[str], titles: Collection[str]) -> list[str]:
    """The texts without those before the first long one that repeat a title or say little but a date: both stand in the document already.

    >>> without_title_and_date(["A new hall", "Posted on 11 June 2026", "The hall is " + "very " * 15 + "large."], ["A new hall"])[0][:11]
    'The hall is'
    """
    n_opening = next((i for i, text in enumerate(texts) if len(text.split()) >= LONG_WORDS), 0)
    opening = [text for text in texts[:n_opening] if " ".join(text.split()) not in titles and not _is_dateline(text)]
    return [*opening, *texts[n_opening:]]


def _is_dateline(text: str) -> bool:
    rest, n_dates = _FULL_DATE.subn(" ", text[:MAX_DATELINE_CHARS])
    return bool(n_dates) and len(text) < MAX_DATELINE_CHARS and len(_WORD.findall(rest)) <= WORDS_BESIDE_DATE


def shared_among_likes(probabilities: NDArray[np.float64], blocks: Blocks, n_words: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities drawn towards the mean over all blocks with the same tags and classes above them, so that likes fare alike."""
    _, likes = np.unique(np.array(blocks.signatures, np.int64)[blocks.container], return_inverse=True)
    means: NDArray[np.float64] = np.bincount(likes, probabilities * n_words) / np.maximum(1e-9, np.bincount(likes, n_words))
    return (1 - SHARE_OF_LIKES) * probabilities + SHARE_OF_LIKES * means[likes]


def best_choice(probabilities: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The choice with the highest expected F1 over words, of blocks of ``weights`` words: the likeliest ones, down to half of that F1.

    >>> best_choice(np.array([0.9, 0.5, 0.1]), np.array([10.0, 10.0, 10.0])).tolist()
    [True, True, False]

    Source: Ye, Chai, Lee, Chieu: Optimizing F-measure: a tale of two approaches (2012).
    """
    order = np.argsort(-probabilities, kind="stable")
    right = np.cumsum((probabilities * weights)[order])
    f1 = 2 * right / (np.cumsum(weights[order]) + right[-1] + 1e-9)
    is_chosen = np.zeros(len(weights), bool)
    is_chosen[order[: int(np.argmax(f1)) + 1]] = True
    return is_chosen


def description(tree: Any) -> str:
    """What the page's metadata say it is about, or an empty text."""
    nodes = (tree.find(f".//meta[@{attribute}]") for attribute in ("property='og:description'", "name='description'"))
    return next((" ".join(found.split()) for node in nodes if node is not None and (found := node.get("content") or "")), "")


@lru_cache(4)
def load_reader(folder: Path = MAIN_TEXT_FOLDER) -> MainTextReader:
    """The reader of a folder, loaded once."""
    return MainTextReader(folder)
