"""One event per happening, however many documents tell it: newsroom, blog, feed, a wire's copy with another company's boilerplate around it."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from datetime import date
from itertools import combinations

from datasketch import MinHash, MinHashLSH

from storage.store import Row, Store

SAME_HAPPENING_DAYS = 45
SAME_QUOTE = 0.35  # share of the telling words of two quotes
SAME_TEXT = 0.5  # share of the runs of words of two texts (Jaccard)
N_PERMUTATIONS = 128
BANDS = (25, 5)  # bands and rows: what MinHashLSH itself works out for these two, 9 ms each time
WORDS_IN_A_ROW = 4
MAX_SIGNATURES = 20_000
_WORD = re.compile(r"\w+")


class Happenings:
    """Joins an account's events. Signatures of texts are kept from one call to the next, as many as memory should hold."""

    def __init__(self) -> None:
        self._signatures: dict[str, MinHash] = {}

    def join(self, store: Store, account_id: str) -> None:
        """Of events that tell the same, the one known first stands for all; the others name it and stay as its sources.

        Of one type and close in time, they tell the same when their quotes share telling words or their documents are near-duplicates. Hiring events
        are joined by title, because each position counts once.
        """
        rows = list(store.query(_EVENTS, (account_id,)))
        near = self._near_duplicates(store, _documents_to_compare(rows))
        kept: dict[str, list[Row]] = {}
        for row in rows:
            of_type = kept.setdefault(row["event_type"], [])
            twin = next((other for other in of_type if _is_same_happening(other, row, near)), None)
            if twin is None:
                of_type.append(row)
            original = twin["event_id"] if twin else None
            if original != row["duplicate_of"]:
                store.execute("UPDATE signal_events SET duplicate_of = ? WHERE event_id = ?", (original, row["event_id"]))

    def _near_duplicates(self, store: Store, document_ids: set[str]) -> set[tuple[str, str]]:
        """Pairs of documents, both ways round, of which most of the text is the same."""
        if len(self._signatures) > MAX_SIGNATURES:
            self._signatures.clear()
        missing = json.dumps(sorted(document_ids - self._signatures.keys()))
        for row in store.query("SELECT document_id, text FROM documents WHERE document_id IN (SELECT value FROM json_each(?))", (missing,)):
            self._signatures[row["document_id"]] = signature(row["text"])
        index = MinHashLSH(num_perm=N_PERMUTATIONS, params=BANDS)
        pairs: set[tuple[str, str]] = set()
        for document_id in sorted(document_ids & self._signatures.keys()):
            mine = self._signatures[document_id]
            for other in index.query(mine):
                if mine.jaccard(self._signatures[other]) >= SAME_TEXT:
                    pairs |= {(document_id, other), (other, document_id)}
            index.insert(document_id, mine)
        return pairs


_EVENTS = """
    SELECT event_id, document_id, event_type, occurred_on, quote, duplicate_of FROM signal_events
    WHERE account_id = ? ORDER BY observed_at, occurred_on, event_id
"""


def signature(text: str) -> MinHash:
    """What tells how much two texts have in common: a MinHash of their runs of four words.

    Source: Broder: On the resemblance and containment of documents (1997).
    """
    words = _WORD.findall(text.lower())
    runs = {" ".join(words[i : i + WORDS_IN_A_ROW]) for i in range(max(1, len(words) - WORDS_IN_A_ROW + 1))}
    found = MinHash(num_perm=N_PERMUTATIONS, hashfunc=zlib.crc32)
    found.update_batch([run.encode() for run in sorted(runs)])
    return found


def _documents_to_compare(rows: Iterable[Row]) -> set[str]:
    """Documents with events of one type that lie close in time and whose quotes alone do not join them."""
    found: set[str] = set()
    by_type: dict[str, list[Row]] = {}
    for row in rows:
        if not row["event_type"].startswith("hiring_"):
            by_type.setdefault(row["event_type"], []).append(row)
    for of_type in by_type.values():
        for one, other in combinations(of_type, 2):
            if one["document_id"] != other["document_id"] and _days_between(one, other) <= SAME_HAPPENING_DAYS:
                found |= {one["document_id"], other["document_id"]}
    return found


def _is_same_happening(one: Row, other: Row, near: set[tuple[str, str]]) -> bool:
    if one["event_type"].startswith("hiring_"):
        return bool(one["quote"].casefold() == other["quote"].casefold())
    if _days_between(one, other) > SAME_HAPPENING_DAYS:
        return False
    return (one["document_id"], other["document_id"]) in near or _shared_words(one["quote"], other["quote"]) >= SAME_QUOTE


def _days_between(one: Row, other: Row) -> int:
    return abs((date.fromisoformat(one["occurred_on"]) - date.fromisoformat(other["occurred_on"])).days)


def _shared_words(one: str, other: str) -> float:
    """Share of telling words (four letters and more, and numbers) that two sentences have in common."""
    first, second = _telling_words(one), _telling_words(other)
    return len(first & second) / max(1, min(len(first), len(second)))


def _telling_words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if len(word) >= 4 or word.isdigit()}
