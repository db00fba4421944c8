"""When a happening took place: dates named in a text, with their precision, told apart from other dates in it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import zip_longest

from signals.sentences import split_sentences

LONGEST_AGO, LONGEST_AHEAD = timedelta(days=400), timedelta(days=900)  # how far from publication a dated happening may lie
SHORTLY = timedelta(days=45)  # a day in a sentence beside the quote says when it happened only if it is recent
SENTENCES_BESIDE = 2
# "the year to 30 June", "by the end of May", "between now and April": when something ends or is due, not when it happened.
END_OF_PERIOD = re.compile(
    r"\b(?:by|until|till|before|through|ending|ended|within|valid (?:from|until)|(?:year|months|half|quarter|weeks|period) (?:to|in)|now (?:and|to))"
    r"(?: (?:the|early|mid|late|its|our))*(?: (?:end|start|beginning|middle|close) of)? ?$",
    re.IGNORECASE,
)
THIS_MONTH = re.compile(r"\b(?:began|begun|started|since|as of|earlier|opened|completed|finished|joined) this month\b", re.IGNORECASE)

MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug", "september sept sep",
         "october oct", "november nov", "december dec"), start=1)
    for name in names.split()
}  # fmt: skip
_MONTH = "(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_LAST_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_TO = r" ?(?:to|and|until|through|-|–|/) ?"
_ANY_MONTH = "(?:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?P<year>(?:19|20)\d\d)-(?P<monthnumber>\d\d)-(?P<day>\d\d)\b",
        # Ranges come first: their first day is when the happening began.
        rf"\b{_DAY}{_TO}{_LAST_DAY}(?: of)? {_MONTH}(?:,? {_YEAR}\b)?",
        rf"\b{_DAY} {_MONTH}{_TO}{_LAST_DAY} {_ANY_MONTH}(?:,? {_YEAR}\b)?",
        rf"\b{_MONTH} {_DAY}{_TO}{_LAST_DAY}\b(?:,? {_YEAR}\b)?(?![.]?\d)",
        rf"\b(?P<atend>at the end of) {_MONTH}(?:,? {_YEAR}\b)?(?! ?\d)",
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
    """A date that a text names: the day (or the first of its month, quarter, year, the last of a month "at the end of" it), its precision and its place."""

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
    >>> [(str(d.day), d.precision) for d in find_dates("We replaced it at the end of June.", date(2026, 10, 1))]
    [('2026-06-30', 'month')]
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
        first = date(year, month, day or 1) if year else _closest_year(month, day or 1, near)
        if parts.get("atend"):
            return first.replace(day=monthrange(first.year, month)[1]), "month"
        return first, "day" if day else "month"
    except ValueError:
        return None, ""


def _integer(text: str | None) -> int | None:
    return int(text) if text else None


def _closest_year(month: int, day: int, near: date) -> date:
    candidates = [date(near.year + shift, month, day) for shift in (-1, 0, 1)]
    return min(candidates, key=lambda candidate: abs(candidate - near))


def event_date(text: str, start: int, end: int, published: date | None, observed: date) -> tuple[date, str, str]:
    """When the happening that ``text[start:end]`` reports took place: ``(day, precision, source)``.

    A day named in the quoted sentence counts; then a day shortly before publication in one of the two sentences on either side, as in "We have
    bought X. The contract was signed on 3 May."; then a past month in the quoted sentence; then the publication date; only where that is
    unknown too, the day the page was first seen. Deadlines and ends of reporting periods are no dates of a happening.
    """
    anchor = published or observed
    dates = [named for named in find_dates(text, anchor) if not _is_end_of_period(text, named)]
    inside = [
        named for named in dates
        if start <= named.start and named.end <= end and anchor - LONGEST_AGO <= named.day <= anchor + LONGEST_AHEAD
    ]  # fmt: skip
    days = [named for named in inside if named.precision == "day"]
    if days:
        return days[0].day, "day", "text"
    beside = _day_beside(text, start, end, [named for named in dates if named.precision == "day"], anchor)
    if beside is not None:
        return beside, "day", "text"
    for named in inside:
        if named.precision == "month" and named.day <= anchor:
            return named.day, "month", "text"
    if THIS_MONTH.search(text, start, end):
        return anchor.replace(day=1), "month", "text"
    if published is not None:
        return published, "day", "publication"
    return observed, "day", "observation"


def _is_end_of_period(text: str, named: NamedDate) -> bool:
    return END_OF_PERIOD.search(text[max(0, named.start - 40) : named.start]) is not None


def _day_beside(text: str, start: int, end: int, days: list[NamedDate], anchor: date) -> date | None:
    """The day named closest to the quote, in the two sentences before or after it, if it lies shortly before ``anchor``."""
    sentences = split_sentences(text)
    before = [sentence for sentence in sentences if sentence.end <= start][-SENTENCES_BESIDE:][::-1]
    after = [sentence for sentence in sentences if sentence.start >= end][:SENTENCES_BESIDE]
    for pair in zip_longest(after, before):
        for sentence in filter(None, pair):
            for named in days:
                if sentence.start <= named.start < sentence.end and anchor - SHORTLY <= named.day < anchor:
                    return named.day
    return None


def names_only_past(text: str, published: date, years: int = 2) -> bool:
    """Whether a sentence dates what it tells to a year long before publication, and to nothing recent.

    >>> names_only_past("In 2009 we introduced our first ERP system.", date(2026, 5, 1))
    True
    """
    named = find_dates(text, published)
    years_named = [int(found) for found in re.findall(r"\b(1[89]\d\d|20\d\d)\b", text)]
    newest = max([day.day.year for day in named] + years_named, default=None)
    return newest is not None and newest <= published.year - years
