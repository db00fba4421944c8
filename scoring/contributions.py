"""Scores taken apart, as the JSON that is kept with them: base and points of fit add up to the fit score, points of events to the signal score."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np

from scoring.book import Book
from scoring.buying_signals import SignalScores
from scoring.columns import UNKNOWN, Columns, Flags, Floats
from scoring.fit import FitModel

DIGITS = 6


def fit_texts(model: FitModel | None, basis: str | None, columns: Columns, is_known: Flags) -> tuple[Floats, list[str]]:
    """Fit scores (NaN: not scored) and their contributions, strongest for first; ``basis`` says what a reader must know of the model."""
    n = len(is_known)
    if model is None or not is_known.any():
        return np.full(n, np.nan), ["{}"] * n
    scores, _, points = model.explain(columns)
    scores, points = np.round(scores, DIGITS), np.round(points, DIGITS)
    bases = np.round(scores - points.sum(axis=1), DIGITS)
    heads, tokens = [], []
    for name in model.additive.names:
        heads.append(f'{{"feature": {json.dumps(name)}, "value": ')
        if name in columns.numbers:
            tokens.append(["null" if value != value else repr(value) for value in np.round(columns.numbers[name], 4).tolist()])
        elif name not in columns.categories:
            tokens.append([json.dumps(UNKNOWN)] * n)
        else:
            levels = {level: json.dumps(level) for level in set(columns.categories[name])}
            tokens.append([levels[level] for level in columns.categories[name]])
    head = f'"basis": {json.dumps(basis)}, ' if basis else ""
    order = np.argsort(-points, axis=1, kind="stable").tolist()
    texts = []
    for row, (known, base, parts, places) in enumerate(zip(is_known.tolist(), bases.tolist(), points.tolist(), order, strict=True)):
        if not known:
            texts.append("{}")
            continue
        listed = ", ".join([f'{heads[i]}{tokens[i][row]}, "points": {parts[i]!r}}}' for i in places if parts[i]])
        texts.append(f'{{{head}"base": {base!r}, "points": [{listed}]}}')
    return np.where(is_known, scores, np.nan), texts


def signal_texts(signals: SignalScores, book: Book) -> tuple[Floats, list[str], list[int]]:
    """Signal scores (NaN: never looked at), the events that count with their points, strongest for first, and how many there are."""
    n = len(book)
    texts, counts = ["[]"] * n, [0] * n
    scores = np.round(signals.scores, DIGITS)
    events = book.events
    counted = np.flatnonzero(signals.weights != 0)
    order = counted[np.lexsort((events.event_id[counted].astype(str), -signals.points[counted], events.account[counted]))]
    points = _adding_up(np.round(signals.points[order], DIGITS), events.account[order], scores)
    spans = np.flatnonzero(np.diff(events.account[order], prepend=-1))
    items = [
        f'{{"event_id": "{event_id}", "event_type": "{event_type}", "weight": {weight!r}, "age_days": {age}, "points": {point!r}}}'
        for event_id, event_type, weight, age, point in zip(
            events.event_id[order].tolist(),
            [events.types[at] for at in events.type_at[order].tolist()],
            np.round(signals.weights[order], DIGITS).tolist(),
            signals.age_days[order].tolist(),
            points.tolist(),
            strict=True,
        )
    ]
    for start, end in pairwise([*spans.tolist(), len(order)]):
        account = int(events.account[order[start]])
        texts[account], counts[account] = f"[{', '.join(items[start:end])}]", end - start
    has_events = np.zeros(n, dtype=bool)
    has_events[events.account] = True
    return np.where(book.is_looked_at | has_events, scores, np.nan), texts, counts


def _adding_up(points: Floats, account: np.ndarray[tuple[int, ...], np.dtype[np.int64]], scores: Floats) -> Floats:
    """Rounded points whose sum is the rounded score: what rounding left over goes to each account's first event."""
    if not len(points):
        return points
    sums = np.bincount(account, weights=points, minlength=len(scores))
    first = np.flatnonzero(np.diff(account, prepend=-1))
    left = np.round(scores - sums, DIGITS)[account[first]]
    adjusted = points.copy()
    adjusted[first] = np.round(adjusted[first] + np.where(scores[account[first]] > 0, left, -sums[account[first]]), DIGITS)
    return adjusted
