"""What the operator sells and how scores become clusters: frozen records that the composition root fills from the catalogue file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

NOT_SCORED = "Not scored"


@dataclass(frozen=True)
class Product:
    """One product area: how its purchases are recognised and how much each event type speaks for it."""

    product_id: str
    title: str
    matches: tuple[str, ...]  # regular expressions on "product sku" of purchases
    weights: Mapping[str, float]  # event type → weight, from -3 to 3

    def is_match(self, product: str, sku: str | None) -> bool:
        """Whether a purchase of that product name and SKU belongs to this product area."""
        return self._pattern.search(f"{product} {sku or ''}") is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{part})" for part in self.matches) or r"(?!)", re.IGNORECASE)


@dataclass(frozen=True)
class Bands:
    """Lower bounds of the bands of a score from 0 to 100; below ``low`` lies Very low."""

    high: float
    medium: float
    low: float

    def band(self, score: float | None) -> str | None:
        """``High``, ``Medium``, ``Low``, ``Very low``; None for what is not scored."""
        if score is None:
            return None
        if score >= self.high:
            return "High"
        if score >= self.medium:
            return "Medium"
        return "Low" if score >= self.low else "Very low"


@dataclass(frozen=True)
class Matrix:
    """Segment and cluster of each pair of bands: ``cells[fit band][signals band] = (segment, cluster)``."""

    name: str
    cells: Mapping[str, Mapping[str, tuple[str, str]]]

    def place(self, fit_band: str | None, signals_band: str | None) -> tuple[str | None, str]:
        """The segment and cluster of an account.

        An account without a fit score is not scored. One that was never looked at has no segment; it has a cluster only where its fit alone
        decides it, that is where every cell of the row holds the same one.
        """
        if fit_band is None:
            return None, NOT_SCORED
        row = self.cells[fit_band]
        if signals_band is not None:
            return row[signals_band]
        clusters = {cluster for _, cluster in row.values()}
        return None, clusters.pop() if len(clusters) == 1 else NOT_SCORED


@dataclass(frozen=True)
class SizeSegments:
    """Employee bounds of the customer landscape; accounts from ``corporate_from`` on are left out of reports."""

    medium_from: int
    upper_medium_from: int
    corporate_from: int

    def segment(self, employees: int | None) -> str | None:
        """``Small``, ``Medium``, ``Upper Medium``, ``Corporate``; None when the size is unknown."""
        if employees is None:
            return None
        if employees >= self.corporate_from:
            return "Corporate"
        if employees >= self.upper_medium_from:
            return "Upper Medium"
        return "Medium" if employees >= self.medium_from else "Small"


@dataclass(frozen=True)
class Cohort:
    """A solution play: which accounts belong (an SQL predicate over the view ``account_facts``), whom it is for, how to engage."""

    column: str
    value: str
    predicate: str
    profile: str
    engage: str
    reports: tuple[str, ...]
    links: tuple[str, ...] = ()  # pages of the campaign: addresses that begin with https://


@dataclass(frozen=True)
class Catalogue:
    """Everything the operator may edit about products, weights, bands, matrices and cohorts."""

    products: tuple[Product, ...]
    half_lives_days: Mapping[str, float]  # event type → days; types without one never count
    bands: Bands
    matrix: Matrix  # the one in use
    matrices: tuple[Matrix, ...]  # all of them, so that outcomes can tell which serves better
    segments: SizeSegments
    fact_patterns: Mapping[str, str]  # name of a yes/no fact of the view → regular expression on purchases
    cohorts: tuple[Cohort, ...]
    content_hash: str
    rivals: frozenset[str] = frozenset()  # technologies whose sight at an account is a rival's product

    def product(self, product_id: str) -> Product:
        """The product with that id.

        Raises:
            KeyError: there is none.
        """
        return next(product for product in self.products if product.product_id == product_id)
