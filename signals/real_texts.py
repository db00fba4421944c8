"""Real texts that were read and labelled for training: ``python -m signals.real_texts CORPUS… --out FOLDER``.

``real_labels.jsonl`` holds what readers said of each text, never its words: the key of title and text, the account, event types with the place of
the sentence that tells them (none for the title), and the types on which readers would differ. Here they are put beside the texts of corpora that
hold them (JSON lines with ``title`` and ``text`` or ``main_content``, plain or gzip). One account in five is kept apart and trains nothing: its
texts are for ``bellwether evaluate events``.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from signals.evaluation import text_key
from storage.ids import content_key

LABELS_FILE = Path(__file__).with_name("real_labels.jsonl")
KEPT_APART_PART = 5  # one account in five


def labelled_texts(corpora: Iterable[Path], labels: Path = LABELS_FILE) -> Iterator[dict[str, Any]]:
    """Labelled texts in the form that ``signals.adaptation`` and ``bellwether evaluate events`` read, in the order of the corpora."""
    said = {row["text_key"]: row for row in map(json.loads, filter(None, labels.read_text(encoding="utf-8").split("\n")))}
    for corpus in corpora:
        packed = corpus.read_bytes()
        for line in (gzip.decompress(packed) if corpus.suffix == ".gz" else packed).splitlines():
            row = json.loads(line)
            title, text = row.get("title") or "", row.get("text") or row.get("main_content") or ""
            if (label := said.pop(text_key({"title": title, "text": text}), None)) is None:
                continue
            quotes = {name: text[slice(*place)] if place else title for name, place in label["labels"].items()}
            yield {
                "id": f"{corpus.name.partition('.')[0]}/{row.get('id') or row.get('url')}",
                "account": label["account"],
                "published": row.get("published") or row.get("publish_date"),
                "title": title,
                "text": text,
                "labels": list(quotes),
                "evidence": quotes,
                "doubt": label["doubt"],
            }


def is_kept_apart(account: str) -> bool:
    """Whether the account's texts test and never train."""
    return int(content_key("kept apart", account.casefold()), 16) % KEPT_APART_PART == 0


def write_texts(corpora: Iterable[Path], folder: Path) -> tuple[Path, Path]:
    """Writes ``training.jsonl`` and ``kept_apart.jsonl``: the labelled texts that may train, and those that test."""
    folder.mkdir(parents=True, exist_ok=True)
    training, kept_apart = folder / "training.jsonl", folder / "kept_apart.jsonl"
    with training.open("w", encoding="utf-8") as trains, kept_apart.open("w", encoding="utf-8") as tests:
        for row in labelled_texts(corpora):
            (tests if is_kept_apart(row["account"]) else trains).write(json.dumps(row, ensure_ascii=False) + "\n")
    return training, kept_apart


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Puts what readers said of real texts beside the texts.")
    parser.add_argument("corpora", nargs="+", type=Path, help="JSON lines, plain or .gz")
    parser.add_argument("--out", type=Path, required=True, help="folder for training.jsonl and kept_apart.jsonl")
    arguments = parser.parse_args()
    for path in write_texts(arguments.corpora, arguments.out):
        n_texts = path.read_bytes().count(b"\n")
        print(f"{path}: {n_texts} texts")


if __name__ == "__main__":
    main()
