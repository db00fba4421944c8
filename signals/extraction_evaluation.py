"""How good is the extracted main text? Word-F1 against gold text by page type, beside trafilatura alone; and how many days of publication are right."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox import Sandbox, TaskFailure
from signals import documents
from signals.documents import NoDocumentError, decode_html, parse_response
from signals.main_text import MAIN_TEXT_FOLDER, load_reader
from storage.archive import read_response
from storage.errors import InputError
from storage.ids import content_key

__all__ = [
    "evaluate_extraction",
    "extract_both",
    "iter_pages",
    "load_gold",
    "page_key",
    "prepare_worker",
    "word_f1",
    "words_of",
]

N_BOOTSTRAP = 1000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class PageTypeScore:
    """Mean word-F1 of the pages of a type with its 95 % interval, and of trafilatura alone on the same pages."""

    page_type: str
    n_pages: int
    word_f1: float
    low: float
    high: float
    baseline_f1: float


@dataclass(frozen=True, slots=True)
class DateScore:
    """Of the pages with a gold day of publication, the share whose day is exact, with its 95 % interval; htmldate on the same pages."""

    n_pages: int
    exact: float
    low: float
    high: float
    baseline_exact: float


@dataclass(frozen=True, slots=True)
class ExtractionEvaluation:
    """All pages first, then by page type."""

    n_pages: int
    n_failures: int
    rows: list[PageTypeScore]
    n_trained_on: int = 0  # pages that took part in the model's training: where it is not 0, the cross-fitted figures count
    cross_fitted: dict[str, Any] | None = None
    dates: DateScore | None = None  # where the gold file has days

    def as_object(self) -> dict[str, Any]:
        """Word-F1 over all on top, by page type beneath."""
        return {
            "word_f1": self.rows[0].word_f1,
            "word_f1_low": self.rows[0].low,
            "word_f1_high": self.rows[0].high,
            "trafilatura_word_f1": self.rows[0].baseline_f1,
            "n_pages": self.n_pages,
            "n_failures": self.n_failures,
            "n_trained_on": self.n_trained_on,
            "cross_fitted": self.cross_fitted,
            "publication_dates": asdict(self.dates) if self.dates else None,
            "by_page_type": {row.page_type: asdict(row) for row in self.rows[1:]},
        }


def evaluate_extraction(
    pages: Path,
    gold: Path,
    sandbox: Sandbox,
    seed: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    models: Mapping[str, Path] | None = None,
) -> ExtractionEvaluation:
    """Figures for every archived page that the gold file has a text for; a page without a document scores against an empty text.

    Args:
        models: URL → folder of the main text model that reads it, where it is not the shipped one.

    Raises:
        InputError: a file cannot be read, or no page of the archive has a gold text.
    """
    expected = load_gold(gold)
    tasks = [(offset, url) for offset, url in iter_pages(pages, sandbox) if url in expected]
    if not tasks:
        raise InputError(f"{pages} holds no page that {gold} has a text for")
    scored: list[tuple[str, float, float]] = []
    dated: list[tuple[bool, bool]] = []
    n_failures = 0
    inputs = [
        (b"", {"path": str(pages.absolute()), "offset": offset, "model": str((models or {}).get(url, MAIN_TEXT_FOLDER))})
        for offset, url in tasks
    ]
    results = sandbox.map("signals.extraction_evaluation:extract_both", inputs)
    for (_, url), result in zip(tasks, results, strict=True):
        texts = {"ours": "", "baseline": "", "day": None, "baseline_day": None} if isinstance(result, TaskFailure) else result
        n_failures += isinstance(result, TaskFailure) or not texts["ours"]
        truth = expected[url]["main_content"] or ""
        scored.append(
            (expected[url].get("page_type") or "unknown", word_f1(texts["ours"] or "", truth), word_f1(texts["baseline"] or "", truth))
        )
        day = str(expected[url].get("publish_date") or "")[:10]
        if day:
            dated.append((texts["day"] == day, texts["baseline_day"] == day))
        on_progress(len(scored), len(tasks))
    kinds = sorted({kind for kind, _, _ in scored})
    generator = np.random.default_rng(seed)
    rows = [_score("all", scored, generator)] + [_score(kind, [row for row in scored if row[0] == kind], generator) for kind in kinds]
    if models is not None:
        return ExtractionEvaluation(len(scored), n_failures, rows)
    manifest = load_reader(MAIN_TEXT_FOLDER).manifest
    trained_on = set(manifest.get("pages", []))
    n_trained_on = sum(page_key(url) in trained_on for _, url in tasks)
    return ExtractionEvaluation(len(scored), n_failures, rows, n_trained_on, manifest.get("cross_fitted"), _date_score(dated, generator))


def page_key(url: str) -> str:
    """What the manifest of a main text model calls a page it was trained on."""
    return content_key(url)


def prepare_worker() -> None:
    """Loads what the sandbox will not allow later; it prepares its workers with the module of their first task."""
    import htmldate  # noqa: F401
    import trafilatura  # noqa: F401

    documents.prepare_worker()


def extract_both(body: bytes, path: str, offset: int, model: str) -> dict[str, str | None]:
    """Sandbox task: the page's main text and day of publication by this engine, by trafilatura alone and by htmldate."""
    import htmldate
    import trafilatura

    response = read_response(Path(path), offset)
    html = decode_html(response)
    baseline = trafilatura.extract(html, url=response.url, include_comments=False) or ""
    baseline_day = htmldate.find_date(html, url=response.url, original_date=True, extensive_search=True)
    try:
        ours = parse_response(response, main_text_model=Path(model))
    except NoDocumentError:
        ours = {"text": "", "published_on": None}
    return {"ours": ours["text"], "day": (ours["published_on"] or "")[:10], "baseline": baseline, "baseline_day": baseline_day}


def word_f1(found: str, expected: str) -> float:
    r"""F1 over the multisets of ``\w+`` of the lower-cased texts.

    >>> word_f1("A b b", "b b c")
    0.6666666666666666
    """
    one, other = (Counter(words_of(text)) for text in (found, expected))
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 1.0


def words_of(text: str) -> list[str]:
    r"""The runs of ``\w`` of a text in lower case."""
    return _WORD.findall(text.lower())


def load_gold(gold: Path) -> dict[str, dict[str, Any]]:
    """URL → line of a gold file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with gzip.open(gold, "rt", encoding="utf-8") if gold.suffix == ".gz" else gold.open(encoding="utf-8") as lines:
            return {row["url"]: row for row in map(json.loads, lines)}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {gold}: {error}") from error


def iter_pages(pages: Path, sandbox: Sandbox) -> Iterator[tuple[int, str]]:
    """Offset and URL of every response of an archive.

    Raises:
        InputError: it cannot be read.
    """
    start: int | None = 0
    with Sandbox(1, sandbox.memory_mb, sandbox.timeout_s) as lister:  # workers are prepared for the module of their first task
        while start is not None:
            listing = lister.run("storage.archive:list_responses", b"", path=str(pages.absolute()), start=start)
            if isinstance(listing, TaskFailure) or (listing["error"] and not listing["responses"]):
                raise InputError(f"cannot read {pages}: {listing.detail if isinstance(listing, TaskFailure) else listing['error']}")
            for response in listing["responses"]:
                yield response["offset"], response["url"]
            start = listing["next"]


def _date_score(dated: list[tuple[bool, bool]], generator: np.random.Generator) -> DateScore | None:
    """Column 0: ours is exact; column 1: the baseline is."""
    if not dated:
        return None
    exact = np.array(dated, float)
    low, high = _bootstrap(exact[:, 0], generator)
    return DateScore(len(dated), float(exact[:, 0].mean()), low, high, float(exact[:, 1].mean()))


def _score(name: str, scored: list[tuple[str, float, float]], generator: np.random.Generator) -> PageTypeScore:
    ours = np.array([row[1] for row in scored])
    low, high = _bootstrap(ours, generator)
    return PageTypeScore(name, len(scored), float(ours.mean()), low, high, float(np.mean([row[2] for row in scored])))


def _bootstrap(values: NDArray[np.float64], generator: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the mean of values of shape (n,)."""
    means = values[generator.integers(0, len(values), (N_BOOTSTRAP, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
