"""What readers said of real texts is kept without their words, and put beside the texts again."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

from signals.evaluation import load_gold, text_key
from signals.real_texts import LABELS_FILE, is_kept_apart, labelled_texts
from signals.taxonomy import load_taxonomy
from signals.training import MAX_CHARS, labelled_example

TEXT = "Kiln & Co bakes for cities.\u2028Today we open a bakery in Ghent. We may go further."
PLACE = [TEXT.index("Today"), TEXT.index(" We may")]


def test_labels_find_their_texts_by_key_and_others_are_left_out(tmp_path: Path) -> None:
    corpus, labels = tmp_path / "corpus.jsonl.gz", tmp_path / "labels.jsonl"
    rows = [
        {"id": "1", "title": "News", "text": TEXT, "published": "2026-05-01"},
        {"id": "2", "title": "Other", "text": "Nobody read this."},
    ]
    corpus.write_bytes(gzip.compress("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()))
    said = {
        "text_key": text_key(rows[0]),
        "account": "Kiln & Co",
        "labels": {"new_location": PLACE, "product_launch": None},
        "doubt": ["market_expansion"],
    }
    labels.write_text(json.dumps(said) + "\n")
    (row,) = labelled_texts([corpus], labels)
    assert row["evidence"] == {"new_location": "Today we open a bakery in Ghent.", "product_launch": "News"}
    example = labelled_example(row)
    assert (example.account, example.labels, example.doubts) == ("Kiln & Co", {"new_location", "product_launch"}, {"market_expansion"})


def test_the_kept_labels_are_sound_and_hold_no_words_of_a_text() -> None:
    types = set(load_taxonomy())
    rows = [json.loads(line) for line in LABELS_FILE.read_text(encoding="utf-8").split("\n") if line]
    assert len({row["text_key"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) == {"text_key", "account", "labels", "doubt"}
        assert set(row["labels"]) | set(row["doubt"]) <= types
        assert not set(row["labels"]) & set(row["doubt"])
        assert all(place is None or 0 <= place[0] < place[1] <= MAX_CHARS for place in row["labels"].values())
        assert len(row["account"]) < 80


def test_an_account_is_wholly_kept_apart_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"title": "News", "text": "No reader saw this."}) + "\n")
    subprocess.run([sys.executable, "-m", "signals.real_texts", tmp_path / "corpus.jsonl", "--out", tmp_path / "out"], check=True)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"training.jsonl", "kept_apart.jsonl"}
    accounts = {json.loads(line)["account"] for line in LABELS_FILE.read_text(encoding="utf-8").split("\n") if line}
    assert 0.15 < sum(map(is_kept_apart, accounts)) / len(accounts) < 0.25
    assert is_kept_apart("GeoVax Labs") == is_kept_apart("geovax labs")


def test_a_line_separator_in_a_text_does_not_cut_a_file_of_labelled_texts(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(json.dumps({"text": TEXT, "labels": []}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [row["text"] for row in load_gold(path)] == [TEXT]
