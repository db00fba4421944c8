"""What choosing the main text costs beside trafilatura and resiliparse: ``python -m benchmarks.main_text_speed PAGES.warc.gz``.

CPU seconds of one process, the same pages for each; every fourth page of the archive.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sandbox import Sandbox
from signals.block_features import block_features, page_facts
from signals.blocks import read_blocks
from signals.documents import NoDocumentError, decode_html, parse_page
from signals.extraction_evaluation import iter_pages
from signals.main_text import load_reader
from storage.archive import read_response

EVERY = 4


def measure(pages: Path) -> dict[str, float]:
    """Name of a step → CPU milliseconds a page."""
    import trafilatura

    reader = load_reader()
    seconds: dict[str, float] = defaultdict(float)
    n_pages = 0

    def timed(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        before = time.process_time()
        found = function(*arguments)
        seconds[name] += time.process_time() - before
        return found

    with Sandbox(1) as sandbox:
        offsets = [offset for offset, _ in iter_pages(pages, sandbox)][::EVERY]
    for offset in offsets:
        response = read_response(pages, offset)
        html = decode_html(response)
        try:
            tree, _ = timed("parsing", parse_page, response)
        except NoDocumentError:
            continue
        n_pages += 1
        timed("choosing blocks", reader.read, tree, response.url)
        blocks = timed("choosing blocks: walk", read_blocks, tree)
        if blocks.texts:
            columns = timed("choosing blocks: features", block_features, blocks, page_facts(tree, response.url, []), reader.weights)
            table = np.stack([columns[name] for name in reader.columns], axis=1).astype(np.float32)
            timed("choosing blocks: trees", reader.trees.probabilities, table)
        timed("trafilatura", trafilatura.extract, html, response.url)
        timed("resiliparse", _resiliparse, html)
    return {name: 1000 * total / n_pages for name, total in seconds.items()}


def _resiliparse(html: str) -> str:
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ImportError as error:
        raise SystemExit("resiliparse is wanted for the comparison only: pip install resiliparse") from error
    return str(extract_plain_text(html, main_content=True, alt_texts=False, preserve_formatting=True, list_bullets=False))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="CPU milliseconds a page of choosing the main text, beside other readers.")
    parser.add_argument("pages", type=Path, help="archived pages, WARC")
    for name, milliseconds in measure(parser.parse_args().pages).items():
        print(f"{name:26} {milliseconds:7.2f} ms a page")


if __name__ == "__main__":
    main()
