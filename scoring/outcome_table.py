"""Any table with an outcome, read from CSV: what `evaluate fit` measures on."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from scoring.columns import UNKNOWN, Columns, Flags, Floats, Texts, Whole
from storage.errors import InputError

FILE_ORDER = "@order"  # as --time: the rows of the file are in the order of time
SEPARATORS = ",;\t|"
POSITIVE_WORDS = frozenset({"1", "1.0", "yes", "y", "true", "t", "won", "win", "bought", "positive"})
NEGATIVE_WORDS = frozenset({"0", "0.0", "no", "n", "false", "f", "lost", "loss", "not bought", "negative", "-1"})
MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "unknown", "-"})
MIN_ROWS = 50


@dataclass(frozen=True)
class OutcomeTable:
    """Features, outcome, and what orders and groups the rows; ``times`` and ``groups`` are ranks, None where the table names none."""

    columns: Columns
    labels: Flags
    times: Whole | None
    groups: Whole | None
    ignored: tuple[str, ...]  # constant columns, and texts that differ in nearly every row
    n_skipped: int  # rows with another number of fields than the header, or without an outcome


def load_outcome_table(
    path: Path, target: str, time: str | None = None, group: str | None = None, drop: Sequence[str] = (), positive: str | None = None
) -> OutcomeTable:
    """The table of a .csv or .csv.gz file, separated by comma, semicolon, tab or bar.

    Args:
        time: a column of dates or numbers, or ``@order``.
        positive: the outcome that counts as positive, where its words are not among yes/no, 1/0, true/false, won/lost.

    Raises:
        InputError: no such file or column, no two outcomes, a time that is none; the message names it.
    """
    header, rows, n_skipped = _read(path)
    wanted = [target, *([time] if time and time != FILE_ORDER else []), *([group] if group else []), *drop]
    for name in wanted:
        if name not in header:
            raise InputError(f"{path} has no column {name!r}; it has {', '.join(header)}")
    texts = dict(zip(header, (list(column) for column in zip(*rows, strict=True)), strict=True)) if rows else {}
    if len(rows) < MIN_ROWS:
        raise InputError(f"{path} has {len(rows)} rows; {MIN_ROWS} are the least to measure on")
    is_kept = np.array([text.strip() != "" for text in texts[target]])
    labels = _labels([text for text, kept in zip(texts[target], is_kept, strict=True) if kept], positive, path, target)
    numbers: dict[str, Floats] = {}
    categories: dict[str, Texts] = {}
    ignored: list[str] = []
    for name, column in texts.items():
        if name in wanted:
            continue
        kept = [text for text, keep in zip(column, is_kept, strict=True) if keep]
        values = _numbers(kept)
        if values is not None:
            known = values[~np.isnan(values)]
            if len(np.unique(known)) <= 1 and len(known) in (0, len(values)):
                ignored.append(name)
            else:
                numbers[name] = values
            continue
        levels = np.array([UNKNOWN if text.strip().lower() in MISSING_WORDS else text.strip() for text in kept], dtype=object)
        n_levels = len(set(levels))
        if n_levels <= 1 or (n_levels > 0.9 * len(levels)):
            ignored.append(name)
        else:
            categories[name] = levels
    times = None
    if time == FILE_ORDER:
        times = np.arange(len(labels))
    elif time:
        times = _times([text for text, keep in zip(texts[time], is_kept, strict=True) if keep], path, time)
    groups = None
    if group:
        _, groups = np.unique(np.array([text for text, keep in zip(texts[group], is_kept, strict=True) if keep]), return_inverse=True)
    if not numbers and not categories:
        raise InputError(f"{path} has no column left to learn from; ignored: {', '.join(ignored) or 'none'}")
    return OutcomeTable(Columns(numbers, categories), labels, times, groups, tuple(ignored), n_skipped + int((~is_kept).sum()))


def _read(path: Path) -> tuple[list[str], list[list[str]], int]:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig", "replace")
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    first = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        header = [name.strip() for name in next(lines, [])]
        rows, n_skipped = [], 0
        for row in lines:
            if len(row) == len(header):
                rows.append(row)
            elif row:
                n_skipped += 1
    except csv.Error as error:
        raise InputError(f"{path} is no CSV table: {error}") from error
    if len(set(header)) < len(header) or not header:
        raise InputError(f"{path} has no header of distinct column names, got {first[:80]!r}")
    return header, rows, n_skipped


def _labels(texts: list[str], positive: str | None, path: Path, target: str) -> Flags:
    words = np.array([text.strip() for text in texts])
    seen = sorted(set(words.tolist()))
    if positive is not None:
        if positive not in seen:
            raise InputError(f"no row of {path} has {target} = {positive!r}; it has {', '.join(seen[:6])}")
        labels: Flags = words == positive
    elif {word.lower() for word in seen} <= POSITIVE_WORDS | NEGATIVE_WORDS:
        labels = np.array([word.lower() in POSITIVE_WORDS for word in words])
    else:
        raise InputError(
            f"{path}: {target} must be yes/no, 1/0, true/false or won/lost, got {', '.join(seen[:6])}; name one with --positive"
        )
    if labels.all() or not labels.any():
        raise InputError(f"{path}: {target} is {seen[0]!r} in every row; there is nothing to tell apart")
    return labels


def _numbers(texts: list[str]) -> Floats | None:
    """The column as numbers (dates as days), or None when it holds other texts."""
    values = np.empty(len(texts))
    for i, text in enumerate(texts):
        value = text.strip()
        if value.lower() in MISSING_WORDS:
            values[i] = np.nan
            continue
        number = _number(value)
        if number is None:
            return None
        values[i] = number if np.isfinite(number) else np.nan
    return None if np.isnan(values).all() and any(text.strip() for text in texts) else values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return _day(text)


def _day(text: str) -> float | None:
    if len(text) < 8 or text[4:5] not in "-0123456789":
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.toordinal() + (moment.hour * 3600 + moment.minute * 60 + moment.second) / 86400


def _times(texts: list[str], path: Path, name: str) -> Whole:
    values = []
    for text in texts:
        value = _number(text.strip())
        if value is None or not np.isfinite(value):
            raise InputError(
                f"{path}: {name} = {text!r} is neither a number nor a date as {date(2026, 11, 1)}; "
                f"where the file itself is in order of time, say --time {FILE_ORDER}"
            )
        values.append(value)
    ranks: Whole = np.unique(np.array(values), return_inverse=True)[1].astype(np.int64)
    return ranks
