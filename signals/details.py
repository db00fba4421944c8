"""The typed details that a quote names: an amount, a round, a number of people, a place, a product, a certificate. What is not there is left out."""

from __future__ import annotations

import re

_AMOUNT = re.compile(
    r"(?P<currency>US\$|[$€£¥]|(?:USD|EUR|GBP|CHF|SEK|NOK|DKK|AUD|CAD|INR)\s?)(?P<number>\d[\d,.]*)\s?(?P<scale>k|thousand|m|mn|million|bn|b|billion)?\b"
    r"|(?P<number2>\d[\d,.]*)\s?(?P<scale2>thousand|million|billion|m|bn)\s(?P<currency2>euros?|dollars?|pounds?|francs?|kronor|rupees|crowns)",
    re.IGNORECASE,
)
_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9}
_CURRENCIES = {
    "$": "USD",
    "US$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "euro": "EUR",
    "dollar": "USD",
    "pound": "GBP",
    "franc": "CHF",
    "rupee": "INR",
}
_ROUND = re.compile(r"\b(?:pre-?seed|seed|series [A-H]\d?|angel|bridge|growth equity|venture debt|IPO|grant)\b", re.IGNORECASE)
_PEOPLE = re.compile(
    r"\b(\d[\d,.]*)\s(?:new |more |additional |full-time |permanent |skilled )*(?:people|employees|staff|jobs|positions|roles|colleagues|workers|engineers|hires|posts)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(r"\b(?:in|at|to|near|into)\s((?:[A-ZÀ-Þ][\w'’-]+)(?:[ ,]+(?:of |de |the )?[A-ZÀ-Þ][\w'’-]+){0,2})")
_MONTH = re.compile(r"^(?:January|February|March|April|May|June|July|August|September|October|November|December|Q[1-4]|Series)\b")
_CERTIFICATE = re.compile(
    r"\b(?:ISO(?:/IEC)? ?\d{4,5}(?:-\d+)?(?::\d{4})?|SOC ?[123](?: Type (?:II|I|2|1))?|PCI[- ]DSS|HIPAA|FedRAMP|HITRUST|Cyber Essentials(?: Plus)?|TISAX|B Corp|"
    r"IATF ?16949|AS ?9100|GDPR|CMMC|C5|ENS|HDS)\b",
    re.IGNORECASE,
)
_PRODUCT = re.compile(
    r"\b(?:launch(?:es|ed|ing)?|introduc(?:es|ed|ing)|unveil(?:s|ed|ing)|releas(?:es|ed|ing)|announc(?:es|ed|ing)|presents?)\s(?:today\s|the\s|its\s|our\s|new\s)*"
    r"((?:[A-Z][\w.+-]*|\d[\w.]*)(?: (?:[A-Z][\w.+-]*|\d[\w.]*)){0,3})"
)
_WITH_PLACE = frozenset(["new_location", "facility_expansion", "market_expansion", "workplace_change"])
_WITH_PEOPLE = frozenset(["headcount_growth", "headcount_reduction", "new_location", "facility_expansion"])
_WITH_AMOUNT = frozenset(
    [
        "funding_round",
        "acquisition_made",
        "acquired_or_merged",
        "divestiture",
        "customer_win",
        "revenue_growth",
        "facility_expansion",
        "legal_action",
    ]
)


def details_of(event_type: str, quote: str) -> dict[str, str | float]:
    """What the quote names of an event of the type.

    >>> details_of("funding_round", "We have raised €4.5 million in a Series A round led by Douro Capital.")
    {'amount': 4500000.0, 'currency': 'EUR', 'round': 'Series A'}
    >>> details_of("new_location", "The bank will open a branch in Ponta Delgada with 22 new jobs.")
    {'people': 22.0, 'place': 'Ponta Delgada'}
    >>> details_of("compliance_milestone", "Since May we hold ISO 27001:2022."), details_of("product_launch", "Trellis introduces Tidebook 2, for marinas.")
    ({'certificate': 'ISO 27001:2022'}, {'product': 'Tidebook 2'})
    """
    found: dict[str, str | float] = {}
    if event_type in _WITH_AMOUNT and (match := _AMOUNT.search(quote)):
        found |= _amount(match)
    if event_type == "funding_round" and (match := _ROUND.search(quote)):
        found["round"] = match.group()
    if event_type in _WITH_PEOPLE and (match := _PEOPLE.search(quote)) and (number := _number(match.group(1))) is not None:
        found["people"] = number
    if event_type in _WITH_PLACE:
        places = (match.group(1) for match in _PLACE.finditer(quote))
        place = next((place for place in places if not _MONTH.match(place)), None)
        if place is not None:
            found["place"] = place
    if event_type == "compliance_milestone" and (match := _CERTIFICATE.search(quote)):
        found["certificate"] = match.group()
    if event_type == "product_launch" and (match := _PRODUCT.search(quote)):
        found["product"] = match.group(1)
    return found


def _amount(match: re.Match[str]) -> dict[str, str | float]:
    number = _number(match["number"] or match["number2"])
    if number is None:
        return {}
    scale = (match["scale"] or match["scale2"] or "").lower()
    currency = (match["currency"] or match["currency2"]).strip()
    code = _CURRENCIES.get(currency.upper(), _CURRENCIES.get(currency.lower().rstrip("s"), currency.upper() if len(currency) == 3 else ""))
    return {"amount": number * _SCALES.get(scale, 1.0)} | ({"currency": code} if code else {})


def _number(text: str) -> float | None:
    """The number, with its commas and points read as thousands where three digits follow.

    >>> _number("12,500"), _number("4.5"), _number("1.200.000"), _number("9,")
    (12500.0, 4.5, 1200000.0, 9.0)
    """
    bare = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", text.rstrip(".,"))
    try:
        return float(bare.replace(",", "."))
    except ValueError:
        return None
