"""Trains the model of main texts on labelled pages: ``python -m signals.block_training PAGES.warc.gz GOLD.jsonl.gz``.

A block counts as main text by the share of its words that stand in the page's gold text, found by aligning the two. What the model is worth on other
sites is measured by cross-fitting: in each fold the pages of some registrable domains are left out of the training, and read by the model that did not
see them. These figures are kept in the manifest, with the keys of the pages, so that ``evaluate extraction`` can say when it is shown what the
model has seen. Of the pages' words only hashed weights are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox import Sandbox, TaskFailure
from signals.block_features import N_BUCKETS, WordWeights, block_features, hashed_name, hashed_text, page_facts
from signals.blocks import Blocks, read_blocks
from signals.documents import NoDocumentError, json_ld_types, parse_page
from signals.extraction_evaluation import (
    ExtractionEvaluation,
    evaluate_extraction,
    iter_pages,
    load_gold,
    page_key,
    words_of,
)
from signals.main_text import MAIN_TEXT_FOLDER, TREE_ARRAYS, BoostedTrees
from storage.archive import read_response
from storage.errors import InputError
from urls import host_of, registrable_domain

__all__ = ["align", "cross_fit", "fit", "load_pages", "read_page", "write_model"]

SEED = 20261127
N_FOLDS = 5  # of the measurement
N_INNER_FOLDS = 4  # of the word weights, which the trees must not see at their best
# Set by hand at the outset; 300 trees of 16 leaves at half the rate came out the same.
TREE_SETTINGS = {
    "objective": "cross_entropy", "learning_rate": 0.08, "num_leaves": 24, "min_data_in_leaf": 200, "lambda_l2": 5.0, "feature_fraction": 0.3,
    "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": SEED, "verbose": -1,
}  # fmt: skip
N_TREES = 150
NAME_C, TEXT_C = 0.02, 1.0  # inverse strengths of the penalty on word weights
PAGE_WEIGHT = 100.0  # all pages weigh the same, as they do in the figure
WORDS_EXPONENT = 0.7  # within a page long blocks weigh more, but not by all of their words
RUN = 5  # words in a row that count as moved when the gold text has them elsewhere


@dataclass(slots=True)
class LabelledPage:
    """A page's blocks; of each the share of its words that the gold text has, and what it weighs in training."""

    url: str
    site: str
    blocks: Blocks
    facts: dict[str, float]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]
    hashed: tuple[Any, Any]  # sparse counts of the words of names and texts, shape (n_blocks, N_BUCKETS) each


def read_page(body: bytes, path: str, offset: int) -> dict[str, Any] | None:
    """Sandbox task: blocks and facts of an archived page, or None where no document can be made of it."""
    response = read_response(Path(path), offset)
    try:
        tree, structured = parse_page(response)
    except NoDocumentError:
        return None
    return {"blocks": asdict(read_blocks(tree)), "facts": page_facts(tree, response.url, json_ld_types(structured))}


def load_pages(pages: Path, gold: Path, sandbox: Sandbox) -> list[LabelledPage]:
    """The pages of an archive that the gold file has a text for and that hold blocks.

    Raises:
        InputError: a file cannot be read, or there is no such page.
    """
    expected = load_gold(gold)
    tasks = [(offset, url) for offset, url in iter_pages(pages, sandbox) if url in expected]
    inputs = ((b"", {"path": str(pages.absolute()), "offset": offset}) for offset, _ in tasks)
    found = []
    for (_, url), result in zip(tasks, sandbox.map("signals.block_training:read_page", inputs), strict=True):
        if result is not None and not isinstance(result, TaskFailure) and result["blocks"]["texts"]:
            found.append(_labelled(url, Blocks(**result["blocks"]), result["facts"], expected[url]["main_content"] or ""))
    if not found:
        raise InputError(f"{pages} holds no page with text that {gold} has a text for")
    return found


def align(texts: Sequence[str], gold: str) -> NDArray[np.float64]:
    """Of each text the share of its words that the gold text has in the same order, or in runs of five that it has elsewhere.

    >>> align(["Home", "We mend looms", "Imprint"], "We mend looms").tolist()
    [0.0, 1.0, 0.0]
    """
    rows = [words_of(text) for text in texts]
    words = [word for row in rows for word in row]
    owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    truth = words_of(gold)
    is_hit, is_used = np.zeros(len(words), bool), np.zeros(len(truth), bool)
    for start, other, size in SequenceMatcher(None, words, truth, autojunk=False).get_matching_blocks():
        is_hit[start : start + size] = True
        is_used[other : other + size] = True
    moved = Counter(tuple(truth[i : i + RUN]) for i in range(len(truth) - RUN + 1) if not is_used[i : i + RUN].any())
    for i in range(len(words) - RUN + 1):
        run = tuple(words[i : i + RUN])
        if not is_hit[i + RUN - 1] and moved[run] > 0:
            moved[run] -= 1
            is_hit[i : i + RUN] = True
    sizes = np.bincount(owners, minlength=len(rows))
    return np.bincount(owners, is_hit, minlength=len(rows)) / np.maximum(1, sizes)


def fit(pages: Sequence[LabelledPage]) -> tuple[WordWeights, list[str], dict[str, NDArray[Any]]]:
    """Word weights, names of the features, and the trees as flat arrays.

    The trees see word weights that other sites' pages gave, as they will when they are used.
    """
    import lightgbm

    tables: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(pages)
    names: list[str] = []
    for training, left_out in folds_by_site(pages, N_INNER_FOLDS):
        weights = fit_words([pages[i] for i in training])
        for i in left_out:
            columns = block_features(pages[i].blocks, pages[i].facts, weights)
            names = list(columns)
            tables[i] = np.stack(list(columns.values()), axis=1).astype(np.float32)
    table = np.concatenate(tables)
    labels, weights_of = (np.concatenate([getattr(page, name) for page in pages]) for name in ("labels", "weights"))
    booster = lightgbm.train(TREE_SETTINGS, lightgbm.Dataset(table, labels, weight=weights_of), N_TREES)
    arrays = flat_trees(booster.dump_model())
    if not np.allclose(BoostedTrees(arrays).probabilities(table[:2000]), booster.predict(table[:2000]), atol=1e-5):
        raise AssertionError("the flat trees say something else than those they were made of")
    return fit_words(pages), names, arrays


def fit_words(pages: Sequence[LabelledPage]) -> WordWeights:
    """Weights of the hashed words of names and of texts, by one logistic regression each."""
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression

    labels, weights = (np.concatenate([getattr(page, name) for page in pages]) for name in ("labels", "weights"))
    truth = np.repeat([1, 0], len(labels))
    twice = np.concatenate([weights * labels, weights * (1 - labels)])
    found = []
    for side, strength in enumerate((NAME_C, TEXT_C)):
        counts = vstack([page.hashed[side] for page in pages])
        model = LogisticRegression(C=strength, max_iter=60, tol=1e-2).fit(vstack([counts, counts]), truth, sample_weight=twice)
        found.append(model.coef_[0].astype(np.float16).astype(np.float32))
    return WordWeights(*found)


def flat_trees(dump: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """LightGBM's trees as the arrays that ``BoostedTrees`` reads.

    Features are float32, so a threshold may be rounded down to float32: the same values stand on either side of it.
    """
    nodes: list[list[float]] = []

    def add(node: dict[str, Any]) -> int:
        place = len(nodes)
        nodes.append([-1, 0.0, 0, 0, float(node.get("leaf_value", 0.0))])
        if "split_feature" in node:
            if node["decision_type"] != "<=":
                raise ValueError(f"a split by {node['decision_type']} cannot be written")
            nodes[place][:4] = [node["split_feature"], rounded_down(node["threshold"]), add(node["left_child"]), add(node["right_child"])]
        return place

    roots = [add(tree["tree_structure"]) for tree in dump["tree_info"]]
    features, thresholds, lefts, rights, values = (np.array(column) for column in zip(*nodes, strict=True))
    kinds = (np.int32, np.int16, np.float32, np.int32, np.int32, np.float32)
    arrays = (np.array(roots), features, thresholds, lefts, rights, values)
    return {name: array.astype(kind) for name, array, kind in zip(TREE_ARRAYS, arrays, kinds, strict=True)}


def cross_fit(
    loaded: Sequence[LabelledPage], pages: Path, gold: Path, sandbox: Sandbox, n_folds: int = N_FOLDS, report: Any = print
) -> ExtractionEvaluation:
    """The engine's figures with each page read by a model that saw no page of its registrable domain."""
    with tempfile.TemporaryDirectory() as folder:
        models: dict[str, Path] = {}
        for fold, (training, left_out) in enumerate(folds_by_site(loaded, n_folds)):
            report(f"fold {fold + 1}/{n_folds}: {len(training)} pages train, {len(left_out)} are left out")
            of_fold = Path(folder) / str(fold)
            write_model(of_fold, *fit([loaded[i] for i in training]), {})
            models |= {loaded[i].url: of_fold for i in left_out}
        return evaluate_extraction(pages, gold, sandbox, SEED, models=models)


def write_model(folder: Path, weights: WordWeights, names: Sequence[str], trees: dict[str, NDArray[Any]], manifest: dict[str, Any]) -> None:
    """Writes the folder that ``MainTextReader`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    words = {"name_weights": weights.names.astype(np.float16), "text_weights": weights.texts.astype(np.float16)}
    np.savez_compressed(folder / "model.npz", allow_pickle=False, **trees, **words)
    digest = hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()
    full = {"version": digest[:6], "sha256": digest, "features": list(names)} | manifest
    (folder / "manifest.json").write_text(json.dumps(full, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def manifest_of(loaded: Sequence[LabelledPage], fitted: ExtractionEvaluation) -> dict[str, Any]:
    """What is kept of the training: settings, keys of the pages, cross-fitted figures."""
    figures = {name: value for name, value in fitted.as_object().items() if name not in ("n_trained_on", "cross_fitted")}
    return {
        "settings": {"trees": TREE_SETTINGS, "n_trees": N_TREES, "name_c": NAME_C, "text_c": TEXT_C, "words_exponent": WORDS_EXPONENT},
        "pages": sorted(page_key(page.url) for page in loaded),
        "cross_fitted": figures | {"n_folds": N_FOLDS},
    }


def _labelled(url: str, blocks: Blocks, facts: dict[str, float], gold: str) -> LabelledPage:
    sizes = np.array([len(text.split()) for text in blocks.texts], float) ** WORDS_EXPONENT
    host = host_of(url)
    hashed = (_counts(_names_above(blocks)), _counts([hashed_text(text) for text in blocks.texts], is_scaled=True))
    return LabelledPage(
        url, registrable_domain(host) or host, blocks, facts, align(blocks.texts, gold), PAGE_WEIGHT * sizes / sizes.sum(), hashed
    )


def _names_above(blocks: Blocks) -> Iterator[list[int]]:
    """Of each block the buckets of the names of all containers that hold it."""
    paths: list[list[int]] = []
    for i, (name, parent) in enumerate(zip(blocks.names, blocks.parents, strict=True)):
        paths.append(hashed_name(name).tolist() + (paths[parent] if parent != i else []))
    return (paths[container] for container in blocks.container)


def _counts(rows: Any, is_scaled: bool = False) -> Any:
    from scipy.sparse import csr_matrix

    listed = list(rows)
    values = np.concatenate([np.full(len(row), len(row) ** -0.5 if is_scaled else 1.0) for row in listed if row] or [np.zeros(0)])
    places = [place for row in listed for place in row]
    found = csr_matrix((values, places, np.cumsum([0, *map(len, listed)])), shape=(len(listed), N_BUCKETS))
    found.sum_duplicates()
    return found


def folds_by_site(pages: Sequence[LabelledPage], n_folds: int) -> list[tuple[list[int], list[int]]]:
    """Places of pages to train with and to leave out; a site's pages stay together."""
    from sklearn.model_selection import GroupKFold

    splits = GroupKFold(n_folds, shuffle=True, random_state=SEED).split(pages, groups=[page.site for page in pages])
    return [(training.tolist(), left_out.tolist()) for training, left_out in splits]


def rounded_down(threshold: float) -> float:
    """The largest float32 that is not above a threshold."""
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Trains the model of main texts on labelled pages.")
    parser.add_argument("pages", type=Path, help="archived pages, WARC")
    parser.add_argument("gold", type=Path, help="their texts, one JSON object a line: url, page_type, main_content")
    parser.add_argument("--out", type=Path, default=MAIN_TEXT_FOLDER, help="model folder to write")
    arguments = parser.parse_args()
    with Sandbox(1) as reader, Sandbox(1) as judge:
        loaded = load_pages(arguments.pages, arguments.gold, reader)
        print(f"{len(loaded)} pages with text, {len({page.site for page in loaded})} sites")
        fitted = cross_fit(loaded, arguments.pages, arguments.gold, judge)
    for row in fitted.rows:
        print(f"cross-fitted, {row.page_type}: {row.word_f1:.3f} ({row.low:.3f}-{row.high:.3f})")
    write_model(arguments.out, *fit(loaded), manifest_of(loaded, fitted))


if __name__ == "__main__":
    main()
