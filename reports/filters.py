"""Which rows of a report someone wants: by cluster, cohort, size, industry, country, potential revenue."""

from __future__ import annotations

from dataclasses import dataclass

from storage.store import Row


@dataclass(frozen=True, slots=True)
class RowFilters:
    """A row passes when it has one of the values of every filter that names any.

    >>> RowFilters(countries=("DE",)).passes({"Country": "DE"}), RowFilters(clusters=("Act now",)).passes({"AzureCluster": "Nurture"})
    (True, False)
    """

    clusters: tuple[str, ...] = ()  # of any product area of the report
    cohorts: tuple[str, ...] = ()  # "column: value"
    sizes: tuple[str, ...] = ()  # Small, Medium, Upper Medium
    industries: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    min_potential_usd: float | None = None  # of any product area

    def passes(self, row: Row) -> bool:
        """Whether a report's row is wanted."""
        return (
            _has(self.sizes, row.get("SubSegment"))
            and _has(self.industries, row.get("Industry"))
            and _has(self.countries, row.get("Country"))
            and (not self.clusters or any(row[column] in self.clusters for column in row if column.endswith("Cluster")))
            and (not self.cohorts or any(f"{column}: {row[column]}" in self.cohorts for column in row))
            and (self.min_potential_usd is None or _highest_potential(row) >= self.min_potential_usd)
        )


EVERYTHING = RowFilters()


def _has(wanted: tuple[str, ...], value: object) -> bool:
    return not wanted or value in wanted


def _highest_potential(row: Row) -> float:
    return max((row[column] or 0.0 for column in row if column.endswith("PotentialRevenueHigh")), default=0.0)
