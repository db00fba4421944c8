"""The model of main texts is trained on labelled pages, measured on sites it did not see, and says so when it is shown the others."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from sandbox import Sandbox
from signals import block_training, extraction_evaluation
from signals.extraction_evaluation import evaluate_extraction
from signals.main_text import MainTextReader
from storage.archive import ArchiveWriter

pytest.importorskip("lightgbm", reason="training needs the extra `train`")
WORDS = "loom shed canal dye wool flax winter roof order picker shuttle hall floor store mill cloth weft warp beam reed".split()


def _page(seed: int) -> tuple[str, str]:
    """A page with menu and footer, and its main text: three paragraphs of random words."""
    generator = np.random.default_rng(seed)
    paragraphs = [" ".join(generator.choice(WORDS, 30)) + "." for _ in range(3)]
    menu = "".join(f"<li><a href='/{word}'>{word.title()}</a></li>" for word in generator.choice(WORDS, 6))
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    html = f"<html><body><nav><ul>{menu}</ul></nav><main>{body}</main><footer><p>All rights reserved</p></footer></body></html>"
    return html, "\n\n".join(paragraphs)


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    writer = ArchiveWriter(tmp_path / "pages.warc.gz")
    with gzip.open(tmp_path / "gold.jsonl.gz", "wt", encoding="utf-8") as gold:
        for seed in range(20):
            html, text = _page(seed)
            url = f"https://www.site{seed // 2}.example/{seed}"
            writer.write(url, 200, (("Content-Type", "text/html"),), html.encode(), "2026-10-01T00:00:00Z")
            gold.write(json.dumps({"url": url, "page_type": "article", "main_content": text}) + "\n")
    writer.close()
    return tmp_path / "pages.warc.gz", tmp_path / "gold.jsonl.gz"


def test_training_is_judged_on_other_sites_and_the_model_knows_its_pages(
    labelled: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_training, "N_TREES", 20)
    monkeypatch.setattr(block_training, "TREE_SETTINGS", block_training.TREE_SETTINGS | {"min_data_in_leaf": 5, "learning_rate": 0.3})
    said: list[str] = []
    with Sandbox(1) as reader, Sandbox(1) as judge:
        loaded = block_training.load_pages(*labelled, reader)
        assert len({page.site for page in loaded}) == 10
        fitted = block_training.cross_fit(loaded, *labelled, judge, 2, said.append)
        assert said == [f"fold {fold}/2: 10 pages train, 10 are left out" for fold in (1, 2)]
        assert fitted.rows[0].word_f1 > 0.95
        assert fitted.n_trained_on == 0

        manifest = block_training.manifest_of(loaded, fitted)
        block_training.write_model(tmp_path / "one", *block_training.fit(loaded), manifest)
        block_training.write_model(tmp_path / "two", *block_training.fit(loaded), manifest)
        monkeypatch.setattr(extraction_evaluation, "MAIN_TEXT_FOLDER", tmp_path / "one")
        evaluated = evaluate_extraction(*labelled, judge, seed=1)
    assert evaluated.n_trained_on == 20
    assert evaluated.cross_fitted == MainTextReader(tmp_path / "one").manifest["cross_fitted"]
    assert evaluated.cross_fitted["word_f1"] == fitted.rows[0].word_f1
    assert (tmp_path / "one" / "model.npz").read_bytes() == (tmp_path / "two" / "model.npz").read_bytes(), "training is not repeatable"
    kept = (tmp_path / "one" / "manifest.json").read_text(encoding="utf-8")
    assert "site1" not in kept
    assert "picker" not in kept


def test_pages_of_one_site_are_never_on_both_sides(labelled: tuple[Path, Path]) -> None:
    with Sandbox(1) as sandbox:
        loaded = block_training.load_pages(*labelled, sandbox)
    for training, left_out in block_training.folds_by_site(loaded, 5):
        assert {loaded[i].site for i in training}.isdisjoint(loaded[i].site for i in left_out)


def test_labels_are_the_shares_of_words_that_the_gold_text_has_also_where_it_has_them_elsewhere() -> None:
    texts = ["Menu", "one two three four five six", "seven eight nine ten eleven", "one two three four five six"]
    labels = block_training.align(texts, "seven eight nine ten eleven one two three four five six")
    assert labels[0] == 0
    assert labels[2] == 1
    assert sorted([labels[1], labels[3]]) == [0, 1], "a text that gold has once counts once"


def test_thresholds_keep_their_side_in_float32() -> None:
    for threshold in (0.1, 1 / 3, 1e-35, 7.0, 16777217.0):
        stored = np.float32(block_training.rounded_down(threshold))
        for value in (stored, np.nextafter(stored, np.float32(np.inf)), np.nextafter(stored, np.float32(-np.inf))):
            assert (value <= stored) == (float(value) <= threshold)
