"""The figures of the main text's quality come from pages that were read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from sandbox import Sandbox
from signals.extraction_evaluation import evaluate_extraction
from storage.archive import ArchiveWriter

SENTENCES = [
    f"The {word} hall of the mill was opened in spring and holds {n} looms." for n, word in enumerate(("east", "west", "north"), start=11)
]


def test_a_page_whose_text_is_found_scores_high_and_a_wrong_gold_text_scores_low(tmp_path: Path) -> None:
    body = "".join(f"<p>{sentence} {sentence}</p>" for sentence in SENTENCES)
    day = '<meta property="article:published_time" content="2026-09-14T08:00:00Z">'
    html = f"<html><head><title>Halls</title>{day}</head><body><article><h1>Halls</h1>{body}</article></body></html>".encode()
    writer = ArchiveWriter(tmp_path / "pages.warc.gz")
    for name in ("right", "wrong"):
        writer.write(f"https://mill.test/{name}", 200, (("Content-Type", "text/html"),), html, "2026-10-01T00:00:00Z")
    writer.close()
    gold = [
        {
            "url": "https://mill.test/right",
            "page_type": "article",
            "main_content": " ".join(f"{s} {s}" for s in SENTENCES),
            "publish_date": "2026-09-14",
        },
        {
            "url": "https://mill.test/wrong",
            "page_type": "service",
            "main_content": "Something else altogether",
            "publish_date": "2026-09-15",
        },
    ]
    with gzip.open(tmp_path / "gold.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in gold)
    with Sandbox(1) as sandbox:
        evaluation = evaluate_extraction(tmp_path / "pages.warc.gz", tmp_path / "gold.jsonl.gz", sandbox, seed=1)
    found = {row.page_type: row for row in evaluation.rows}
    assert found["article"].word_f1 > 0.95
    assert found["article"].baseline_f1 > 0.95
    assert found["service"].word_f1 < 0.1
    assert evaluation.dates is not None
    assert (evaluation.dates.n_pages, evaluation.dates.exact, evaluation.dates.baseline_exact) == (2, 0.5, 0.5)
