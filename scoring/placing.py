"""Scores to bands, bands to cells, for many accounts at once."""

from __future__ import annotations

import numpy as np

from scoring.columns import Floats, Whole
from storage.catalogue import Catalogue, Matrix

BAND_NAMES: tuple[str | None, ...] = ("Very low", "Low", "Medium", "High", None)
NO_BAND = 4


class Placing:
    """Bands and cells of a catalogue."""

    def __init__(self, catalogue: Catalogue, matrix: Matrix | None = None) -> None:
        bands = catalogue.bands
        self._bounds = np.array([bands.low, bands.medium, bands.high])
        table = matrix or catalogue.matrix
        cells = [[table.place(fit, signals) for signals in BAND_NAMES] for fit in BAND_NAMES]
        self._segments = np.array([[segment for segment, _ in row] for row in cells], dtype=object)
        self._clusters = np.array([[cluster for _, cluster in row] for row in cells], dtype=object)

    def bands(self, scores: Floats) -> Whole:
        """0 Very low … 3 High, 4 not scored."""
        found = np.searchsorted(self._bounds, np.nan_to_num(scores), side="right")
        return np.where(np.isnan(scores), NO_BAND, found)

    def places(self, fit_bands: Whole, signal_bands: Whole) -> tuple[list[str | None], list[str]]:
        """Segments and clusters."""
        return self._segments[fit_bands, signal_bands].tolist(), self._clusters[fit_bands, signal_bands].tolist()

    def band_name(self, band: int) -> str | None:
        """The band's name; None for not scored."""
        return BAND_NAMES[band]
