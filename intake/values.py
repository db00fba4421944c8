"""Fields of imported rows: text in, checked value out; each raises ValueError with a reason a person can act on."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Any

from urls import normalise_domain

_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")
_THOUSANDS = re.compile(r"^-?\d{1,3}([, '\u00a0\u202f]\d{3})+(\.\d+)?$")
_COUNTRY_NICKNAMES = {
    "usa": "US", "u.s.": "US", "u.s.a.": "US", "united states of america": "US", "america": "US", "uk": "GB", "u.k.": "GB",
    "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "uae": "AE", "holland": "NL",
    "the netherlands": "NL", "korea": "KR", "south korea": "KR", "russia": "RU", "vietnam": "VN", "czech republic": "CZ", "turkey": "TR",
    "ivory coast": "CI", "deutschland": "DE", "österreich": "AT", "schweiz": "CH", "brasil": "BR", "españa": "ES", "italia": "IT",
}  # fmt: skip
_ISO_ALPHA_3 = {
    "USA": "US", "GBR": "GB", "DEU": "DE", "FRA": "FR", "NLD": "NL", "CAN": "CA", "AUS": "AU", "NZL": "NZ", "IND": "IN", "BRA": "BR",
    "MEX": "MX", "ESP": "ES", "ITA": "IT", "POL": "PL", "SWE": "SE", "NOR": "NO", "DNK": "DK", "FIN": "FI", "IRL": "IE", "CHE": "CH",
    "AUT": "AT", "BEL": "BE", "PRT": "PT", "ZAF": "ZA", "KEN": "KE", "NGA": "NG", "JPN": "JP", "KOR": "KR", "CHN": "CN", "SGP": "SG",
    "ARE": "AE", "ISR": "IL", "TUR": "TR", "CZE": "CZ", "HUN": "HU", "ROU": "RO", "GRC": "GR",
}  # fmt: skip


def text(value: str) -> str:
    """The value with white space folded.

    >>> text(" Hallam  &\\tReeve ")
    'Hallam & Reeve'
    """
    return " ".join(value.split())


def name(value: str) -> str:
    """A company's name: at least one letter or digit."""
    folded = text(value)
    if not any(char.isalnum() for char in folded):
        raise ValueError("holds no letter or digit")
    if len(folded) > 300:
        raise ValueError(f"is {len(folded)} characters long, a name has at most 300")
    return folded


def domain(value: str) -> str:
    """See ``urls.normalise_domain``."""
    return normalise_domain(value)


def decimal(value: str, minimum: float = 0.0, maximum: float = 1e13) -> float:
    """A number with a decimal point; thousands may be set off by commas, spaces or apostrophes.

    >>> decimal("1,250,000.50"), decimal("$ 3000")
    (1250000.5, 3000.0)
    """
    digits = value.strip().removeprefix("$").removeprefix("USD").strip()
    if _THOUSANDS.match(digits):
        digits = re.sub(r"[, '\u00a0\u202f]", "", digits)
    if not _NUMBER.match(digits):
        raise ValueError("is not a number")
    number = float(digits)
    if not minimum <= number <= maximum:
        raise ValueError(f"is {number:g}, expected {minimum:g} to {maximum:g}")
    return number


def signed_decimal(value: str) -> float:
    """The same for amounts that may be negative, as refunds are."""
    return decimal(value, minimum=-1e13)


def count(value: str, maximum: int = 10_000_000) -> int:
    """A whole number from 0.

    >>> count("1,250"), count("40.0")
    (1250, 40)
    """
    number = decimal(value, 0, maximum)
    if number != int(number):
        raise ValueError("is not a whole number")
    return int(number)


def year(value: str) -> int:
    """A year from 1000 to 2100."""
    if not re.fullmatch(r"\d{4}", value.strip()) or not 1000 <= int(value) <= 2100:
        raise ValueError("is not a year from 1000 to 2100")
    return int(value)


def boolean(value: str) -> int:
    """1 for yes, true, y, 1; 0 for no, false, n, 0."""
    word = value.strip().lower()
    if word in ("yes", "true", "y", "t", "1", "1.0"):
        return 1
    if word in ("no", "false", "n", "f", "0", "0.0"):
        return 0
    raise ValueError("is neither yes nor no")


def iso_date(value: str) -> str:
    """A date as YYYY-MM-DD, perhaps with a time behind it; other orders are refused because they cannot be told apart.

    >>> iso_date("2026-10-05T10:00:00")
    '2026-10-05'
    """
    word = value.strip()
    try:
        day = date.fromisoformat(word) if len(word) <= 10 else datetime.fromisoformat(word.replace("Z", "+00:00")).date()
    except ValueError:
        raise ValueError("is not a date as YYYY-MM-DD") from None
    if not 1950 <= day.year <= 2100:
        raise ValueError(f"lies in the year {day.year}")
    return day.isoformat()


def country(value: str) -> str:
    """ISO 3166-1 alpha-2 code of a code or an English name.

    >>> country("germany"), country("USA"), country("nz")
    ('DE', 'US', 'NZ')
    """
    word = text(value)
    if word.upper() in _country_codes():
        return word.upper()
    found = _ISO_ALPHA_3.get(word.upper()) or _COUNTRY_NICKNAMES.get(word.lower()) or _country_names().get(word.lower())
    if not found:
        raise ValueError("is no country code (ISO 3166 alpha-2) or English country name we know")
    return found


def duns(value: str) -> str:
    """Nine digits, hyphens dropped.

    >>> duns("15-048-3782")
    '150483782'
    """
    digits = re.sub(r"[- ]", "", value)
    if not re.fullmatch(r"\d{9}", digits):
        raise ValueError("is not a D-U-N-S number of nine digits")
    return digits


def tenant(value: str) -> str:
    """A tenant id: a UUID, in lower case."""
    try:
        return str(uuid.UUID(value.strip()))
    except ValueError:
        raise ValueError("is not a tenant id (a UUID)") from None


def identifier(value: str) -> str:
    """An id of another system: up to 100 characters without white space inside."""
    word = value.strip()
    if re.search(r"\s", word) or len(word) > 100:
        raise ValueError("is not an id: it holds white space or is longer than 100 characters")
    return word


def one_of(*words: str) -> Callable[[str], str]:
    """A checker for a closed list of words, in any case."""

    def check(value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return word

    return check


@cache
def _country_names() -> dict[str, str]:
    from babel import Locale

    territories: dict[str, Any] = dict(Locale("en").territories)
    return {str(name).lower(): code for code, name in territories.items() if len(code) == 2 and code not in ("ZZ", "EU", "UN", "EZ", "QO")}


@cache
def _country_codes() -> frozenset[str]:
    return frozenset(_country_names().values())
