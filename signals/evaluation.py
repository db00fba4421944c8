"""How good are the events? Precision, recall and F1 on labelled texts, with bootstrap intervals, beside two baselines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signals.baselines import keyword_types, zero_shot_types
from signals.classifier import EventClassifier
from signals.classify import to_text_input
from signals.events import events_of_text, read_text
from signals.taxonomy import text_types
from storage.errors import InputError
from storage.ids import content_key

N_BOOTSTRAP = 1000
COMMONEST_TYPE = "product_launch"  # so common in companies' posts that it hides how the other types fare
BATCH = 32
Counts = NDArray[np.int64]  # shape (n_texts, n_types, 3): right, false alarm, miss


@dataclass(frozen=True, slots=True)
class SystemScore:
    """A system over all types; micro unless said. Strict: doubtful types count like all others."""

    name: str
    precision: float
    recall: float
    f1: float
    f1_low: float
    f1_high: float
    macro_f1: float
    strict_precision: float
    strict_recall: float
    strict_f1: float


@dataclass(frozen=True, slots=True)
class TypeScore:
    """The engine on one type; the figures are None where nothing was labelled or found."""

    event_type: str
    n_labels: int
    n_found: int
    n_right: int
    precision: float | None
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Micro precision and recall of the bare probabilities at one threshold for all types."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """How often the types whose confidence lies in [low, high) are right: equal to ``mean_confidence`` when well calibrated."""

    low: float
    high: float
    n: int
    mean_confidence: float
    share_right: float


@dataclass(frozen=True, slots=True)
class OriginScore:
    """The engine on the texts whose ids begin alike (up to the first slash)."""

    origin: str
    n_texts: int
    n_found: int
    n_false: int
    false_per_text: float
    false_per_text_low: float
    false_per_text_high: float


@dataclass(frozen=True, slots=True)
class EventEvaluation:
    """The engine first, then the baselines. ``outside`` is the engine without the commonest type; the calibration error is the mean over the bins."""

    n_texts: int
    n_labels: int
    n_doubts: int
    systems: list[SystemScore]
    outside: SystemScore
    types: list[TypeScore]
    origins: list[OriginScore]
    calibration_error: float
    curve: list[CurvePoint]
    reliability: list[ConfidenceBin]
    n_trained_on: int = 0  # texts that took part in the model's training: where it is not 0, the cross-fitted figures count
    n_calibrated_on: int = 0  # texts on which the confidences were calibrated and the threshold chosen, likewise
    cross_fitted: dict[str, Any] | None = None

    def as_object(self) -> dict[str, Any]:
        """The engine's figures on top, everything else beneath."""
        engine = asdict(self.systems[0])
        engine.pop("name")
        return engine | {
            "n_texts": self.n_texts,
            "n_labels": self.n_labels,
            "n_doubts": self.n_doubts,
            "n_trained_on": self.n_trained_on,
            "n_calibrated_on": self.n_calibrated_on,
            "cross_fitted": self.cross_fitted,
            "baselines": {system.name: asdict(system) for system in self.systems[1:]},
            f"outside_{COMMONEST_TYPE}": {name: value for name, value in asdict(self.outside).items() if name != "name"},
            "by_origin": {part.origin: asdict(part) for part in self.origins},
            "calibration_error": self.calibration_error,
            "by_type": {kind.event_type: asdict(kind) for kind in self.types},
            "curve": [asdict(point) for point in self.curve],
            "reliability": [asdict(part) for part in self.reliability],
        }


def evaluate_events(
    gold: Path,
    classifier: EventClassifier,
    encoder: Path | None,
    seed: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> EventEvaluation:
    """Figures of the engine and of two baselines on a file of labelled texts.

    Raises:
        InputError: a line is no JSON object with ``labels``.
    """
    rows = load_gold(gold)
    inputs = [to_text_input(row, "2000-01-01") for row in rows]
    found: list[set[str]] = []
    probabilities = np.zeros((len(rows), len(classifier.types)))
    for i in range(0, len(rows), BATCH):
        predictions = classifier.predict([read_text(item) for item in inputs[i : i + BATCH]])
        for j, prediction in enumerate(predictions, start=i):
            probabilities[j] = prediction.probabilities
            found.append({event.event_type for event in events_of_text(classifier, inputs[j], prediction)})
        on_progress(min(i + BATCH, len(rows)), len(rows))
    systems = {
        "bellwether": found,
        "keyword rules": [keyword_types(row) for row in rows],
        "zero-shot similarity": zero_shot_types(rows, encoder),
    }
    picks = resample(len(rows), seed)
    scores = [score_found(name, rows, types, picks) for name, types in systems.items()]
    doubted = sum(len(set(row.get("doubt") or [])) for row in rows)
    labelled = sum(len(_certain(row)) for row in rows)
    chosen = classifier.manifest.get("calibrated_on", {})
    cross_fitted = classifier.manifest.get("adaptation", chosen).get("cross_fitted")
    trained_on, chosen_on = set(classifier.manifest.get("texts", [])), set(chosen.get("texts", []))
    is_label = np.array([[name in row["labels"] for name in classifier.types] for row in rows])
    is_certain = np.array([[name not in (row.get("doubt") or []) for name in classifier.types] for row in rows])
    bins = list(_iter_bins(probabilities[is_certain], is_label[is_certain]))
    return EventEvaluation(
        len(rows),
        labelled,
        doubted,
        scores,
        _outside_score(rows, found, picks),
        _type_scores(rows, found, picks),
        list(_iter_origins(rows, found, seed)),
        sum(b.n * abs(b.mean_confidence - b.share_right) for b in bins) / max(1, sum(b.n for b in bins)),
        list(_iter_curve(probabilities[is_certain], is_label[is_certain])),
        bins,
        sum(text_key(row) in trained_on for row in rows),
        sum(text_key(row) in chosen_on for row in rows),
        cross_fitted,
    )


def resample(n_texts: int, seed: int) -> NDArray[np.int64]:
    """Bootstrap samples of the texts, shape (N_BOOTSTRAP, n_texts)."""
    return np.random.default_rng(seed).integers(0, n_texts, (N_BOOTSTRAP, n_texts))


def text_key(row: Mapping[str, Any]) -> str:
    """What a model's manifest calls a labelled text it was trained on."""
    return content_key(row.get("title"), row.get("text"))


def cross_fitted_figures(rows: Sequence[dict[str, Any]], found: Sequence[set[str]], n_folds: int, seed: int) -> dict[str, Any]:
    """What a manifest keeps of types that were found by a model, or by a calibration, which did not know the texts' accounts."""
    picks = resample(len(rows), seed)
    return asdict(score_found("bellwether", rows, found, picks)) | {
        "n_texts": len(rows),
        "n_folds": n_folds,
        f"outside_{COMMONEST_TYPE}": asdict(_outside_score(rows, found, picks)),
        "by_origin": {part.origin: asdict(part) for part in _iter_origins(rows, found, seed)},
    }


def _outside_score(rows: Sequence[dict[str, Any]], found: Sequence[set[str]], picks: NDArray[np.int64]) -> SystemScore:
    """Figures without the commonest type."""
    without = [row | {"labels": [name for name in row["labels"] if name != COMMONEST_TYPE]} for row in rows]
    return score_found(f"outside {COMMONEST_TYPE}", without, [types - {COMMONEST_TYPE} for types in found], picks)


def _iter_origins(rows: Sequence[dict[str, Any]], found: Sequence[set[str]], seed: int) -> Iterator[OriginScore]:
    groups: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if "/" in str(row.get("id") or ""):
            groups.setdefault(str(row["id"]).partition("/")[0], []).append(i)
    for origin, places in sorted(groups.items()):
        n_false = np.array([len(found[i] - set(rows[i]["labels"]) - set(rows[i].get("doubt") or [])) for i in places])
        resampled = n_false[resample(len(places), seed)].mean(axis=1)
        low, high = np.percentile(resampled, [2.5, 97.5])
        n_found = sum(len(found[i]) for i in places)
        yield OriginScore(origin, len(places), n_found, int(n_false.sum()), float(n_false.mean()), float(low), float(high))


def _iter_curve(probabilities: NDArray[np.float64], is_label: NDArray[np.bool_]) -> Iterator[CurvePoint]:
    for threshold in np.round(np.arange(0.025, 0.99, 0.025), 3):
        is_found = probabilities >= threshold
        n_right = int((is_found & is_label).sum())
        yield CurvePoint(float(threshold), n_right / max(1, int(is_found.sum())), n_right / max(1, int(is_label.sum())))


def _iter_bins(probabilities: NDArray[np.float64], is_label: NDArray[np.bool_]) -> Iterator[ConfidenceBin]:
    for low in np.round(np.arange(0.0, 1.0, 0.1), 1):
        inside = (probabilities >= low) & (probabilities < low + 0.1)
        if inside.any():
            mean, share = float(probabilities[inside].mean()), float(is_label[inside].mean())
            yield ConfidenceBin(float(low), float(round(low + 0.1, 1)), int(inside.sum()), mean, share)


def load_gold(path: Path) -> list[dict[str, Any]]:
    """The labelled texts of a file."""
    rows: list[dict[str, Any]] = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # splitlines would cut at U+2028, which JSON leaves in strings
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path} line {number} is no JSON: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("labels"), list):
            raise InputError(f"{path} line {number} has no list of labels")
        rows.append(row)
    if not rows:
        raise InputError(f"{path} holds no labelled text")
    return rows


def _certain(row: dict[str, Any]) -> set[str]:
    return set(row["labels"]) - set(row.get("doubt") or [])


def _counts(rows: Sequence[dict[str, Any]], found: Sequence[set[str]], types: Sequence[str], is_strict: bool) -> Counts:
    counts = np.zeros((len(rows), len(types), 3), np.int64)
    for i, (row, guess) in enumerate(zip(rows, found, strict=True)):
        doubt = set() if is_strict else set(row.get("doubt") or [])
        labels = set(row["labels"]) - doubt
        for j, name in enumerate(types):
            if name in doubt:
                continue
            counts[i, j] = (name in labels and name in guess, name in guess and name not in labels, name in labels and name not in guess)
    return counts


def _all_types(rows: Sequence[dict[str, Any]], found: Sequence[set[str]]) -> list[str]:
    extra = sorted({name for row in rows for name in row["labels"]}.union(*found) - set(text_types()))
    return [*text_types(), *extra]


def score_found(name: str, rows: Sequence[dict[str, Any]], found: Sequence[set[str]], picks: NDArray[np.int64]) -> SystemScore:
    """Figures of the types found in each text, with the interval of F1 over the resampled texts."""
    types = _all_types(rows, found)
    counts = _counts(rows, found, types, is_strict=False)
    precision, recall, f1 = _figures(counts.sum(axis=(0, 1)))
    per_text = counts.sum(axis=1)
    low, high = np.percentile([_figures(per_text[pick].sum(axis=0))[2] for pick in picks], [2.5, 97.5])
    labelled = [_figures(kind)[2] for kind in counts.sum(axis=0) if kind[0] + kind[2]]
    strict = _figures(_counts(rows, found, types, is_strict=True).sum(axis=(0, 1)))
    return SystemScore(name, precision, recall, f1, float(low), float(high), float(np.mean(labelled)) if labelled else 0.0, *strict)


def _type_scores(rows: Sequence[dict[str, Any]], found: Sequence[set[str]], picks: NDArray[np.int64]) -> list[TypeScore]:
    types = _all_types(rows, found)
    counts = _counts(rows, found, types, is_strict=False)
    scores = []
    for j, name in enumerate(types):
        right, false_alarms, misses = (int(n) for n in counts[:, j].sum(axis=0))
        if not right + false_alarms + misses:
            continue
        precision, recall, f1 = _figures(np.array([right, false_alarms, misses]))
        resampled = [_figures(counts[pick, j].sum(axis=0))[2] for pick in picks]
        low, high = np.percentile(resampled, [2.5, 97.5]) if right + misses else (None, None)
        scores.append(
            TypeScore(
                name,
                right + misses,
                right + false_alarms,
                right,
                precision if right + false_alarms else None,
                recall if right + misses else None,
                f1 if right + misses else None,
                None if low is None else float(low),
                None if high is None else float(high),
            )
        )
    return sorted(scores, key=lambda score: (-score.n_labels, score.event_type))


def _figures(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    right, false_alarms, misses = (int(n) for n in counts)
    precision = right / (right + false_alarms) if right + false_alarms else 0.0
    recall = right / (right + misses) if right + misses else 0.0
    return precision, recall, 2 * right / (2 * right + false_alarms + misses) if right + false_alarms + misses else 0.0
