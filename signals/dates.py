"""When a happening took place: dates named in a text, with their precision, told apart from other dates in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug", "september sept sep",
         "october oct", "november nov", "december dec"), start=1)
    for name in names.split()
}  # fmt: skip
_MONTH = "(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?P<year>(?:19|20)\d\d)-(?P<monthnumber>\d\d)-(?P<day>\d\d)\b",
        rf"\b{_DAY}(?: of)? {_MONTH},? {_YEAR}\b",
        rf"\b{_MONTH} {_DAY},? {_YEAR}\b",
        rf"\b{_MONTH},? {_YEAR}\b",
        rf"\bQ(?P<quarter>[1-4])[ /]{_YEAR}\b",
        rf"\b(?P<quarterword>first|second|third|fourth) quarter (?:of )?{_YEAR}\b",
        rf"\b{_DAY}(?: of)? {_MONTH}(?! ?\d)",
        rf"\b{_MONTH} {_DAY}\b(?![,.]?\d)",
        rf"\b(?:in|since|during|last|this|early|late|mid|from|by|of|until) {_MONTH}(?! ?\d)",
        rf"\b(?:in|since|during|back in|of|from) {_YEAR}\b",
    )
)
_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4}


@dataclass(frozen=True, slots=True)
class NamedDate:
    """A date that a text names: the day (or the first of its month, quarter, year), its precision and its place."""

    day: date
    precision: str  # day, month, quarter, year
    start: int
    end: int


def find_dates(text: str, near: date) -> list[NamedDate]:
    """Dates named in a text in the order of their places; a missing year is the one that brings the date closest to ``near``.

    >>> [(str(d.day), d.precision) for d in find_dates("Opened on 3 March 2026, planned since Q2 2025.", date(2026, 4, 1))]
    [('2026-03-03', 'day'), ('2025-04-01', 'quarter')]
    >>> [(str(d.day), d.precision) for d in find_dates("We moved in December.", date(2026, 1, 10))]
    [('2025-12-01', 'month')]
    """
    found: list[NamedDate] = []
    for named in _iter_matches(text, near):
        if not any(named.start < other.end and other.start < named.end for other in found):
            found.append(named)
    return sorted(found, key=lambda named: named.start)


def _iter_matches(text: str, near: date) -> Iterator[NamedDate]:
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            day, precision = _day_of(match.groupdict(), near)
            if day is not None:
                yield NamedDate(day, precision, match.start(), match.end())


def _day_of(parts: dict[str, str | None], near: date) -> tuple[date | None, str]:
    year = _integer(parts.get("year"))
    quarter = parts.get("quarter") or _QUARTERS.get((parts.get("quarterword") or "").lower())
    if quarter and year:
        return date(year, 3 * int(quarter) - 2, 1), "quarter"
    month = _integer(parts.get("monthnumber")) or MONTHS.get((parts.get("month") or "").lower().rstrip("."))
    if month is None:
        return (date(year, 1, 1), "year") if year else (None, "")
    day = _integer(parts.get("day"))
    try:
        if year is None:
            return _closest_year(month, day or 1, near), "day" if day else "month"
        return date(year, month, day or 1), "day" if day else "month"
    except ValueError:
        return None, ""


def _integer(text: str | None) -> int | None:
    return int(text) if text else None


def _closest_year(month: int, day: int, near: date) -> date:
    candidates = [date(near.year + shift, month, day) for shift in (-1, 0, 1)]
    return min(candidates, key=lambda candidate: abs(candidate - near))


def event_date(text: str, start: int, end: int, published: date | None, observed: date) -> tuple[date, str, str]:
    """When the happening that ``text[start:end]`` reports took place: ``(day, precision, source)``.

    A date in the quoted sentence counts, then one in the sentence's neighbourhood when it is no more than a year from publication; else the
    publication date; only where that is unknown too, the day the page was first seen.
    """
    anchor = published or observed
    inside = [named for named in find_dates(text, anchor) if start <= named.start and named.end <= end]
    plausible = [named for named in inside if anchor - timedelta(days=400) <= named.day <= anchor + timedelta(days=900)]
    if plausible:
        best = min(plausible, key=lambda named: (_precision_rank(named.precision), named.start))
        if best.precision in ("day", "month"):
            return best.day, best.precision, "text"
    if published is not None:
        return published, "day", "publication"
    return observed, "day", "observation"


def names_only_past(text: str, published: date, years: int = 2) -> bool:
    """Whether a sentence dates what it tells to a year long before publication, and to nothing recent.

    >>> names_only_past("In 2009 we introduced our first ERP system.", date(2026, 5, 1))
    True
    """
    named = find_dates(text, published)
    years_named = [int(found) for found in re.findall(r"\b(1[89]\d\d|20\d\d)\b", text)]
    newest = max([day.day.year for day in named] + years_named, default=None)
    return newest is not None and newest <= published.year - years


def _precision_rank(precision: str) -> int:
    return ("day", "month", "quarter", "year").index(precision)
