"""The catalogue file: read, checked, and turned into the frozen records of storage.catalogue."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.account_facts import check_cohorts
from signals.taxonomy import load_taxonomy
from storage.catalogue import Bands, Catalogue, Cohort, Matrix, Product, SizeSegments
from storage.errors import ConfigError
from storage.ids import content_key

DEFAULT_CATALOGUE = Path(__file__).with_name("default_catalogue.toml")
BAND_NAMES = ("High", "Medium", "Low", "Very low")


def load_catalogue(path: Path | None) -> Catalogue:
    """The catalogue of a file, or the shipped example.

    Raises:
        ConfigError: what, which value, and the file it stands in.
    """
    file = path or DEFAULT_CATALOGUE
    try:
        text = file.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read the catalogue {file}: {error}") from error
    try:
        catalogue = _catalogue(table, content_key(text))
        check_cohorts(catalogue)
        return catalogue
    except ConfigError as error:
        raise ConfigError(f"{error} @ {file}") from error
    except KeyError as error:
        raise ConfigError(f"the catalogue lacks {error} @ {file}") from error
    except (TypeError, ValueError, re.error, AttributeError) as error:
        raise ConfigError(f"{error} @ {file}") from error


def _catalogue(table: Mapping[str, Any], content_hash: str) -> Catalogue:
    weights, half_lives = _events(table["events"], list(table["products"]))
    products = tuple(
        Product(product_id, row["title"], _patterns(row["matches"], f"products.{product_id}.matches"), weights[product_id])
        for product_id, row in table["products"].items()
    )
    bands = Bands(**{name: float(value) for name, value in table["bands"].items()})
    if not 100 > bands.high > bands.medium > bands.low > 0:
        raise ValueError(f"bands must fall from high to low between 100 and 0, got {table['bands']}")
    for name, pattern in table["facts"].items():
        if not name.isidentifier():
            raise ValueError(f"facts.{name} must be a plain word, because it becomes a column")
        _patterns([pattern], f"facts.{name}")
    cohorts = tuple(
        Cohort(row["column"], row["value"], row["predicate"], row["profile"], row["engage"], tuple(row["reports"]), _links(row))
        for row in table["cohorts"]
    )
    return Catalogue(
        products,
        half_lives,
        bands,
        _matrix(table["matrix"], table["matrix"]["use"]),
        tuple(_matrix(table["matrix"], name) for name in table["matrix"] if name != "use"),
        SizeSegments(**table["customer_landscape"]),
        dict(table["facts"]),
        cohorts,
        content_hash,
        frozenset(table.get("technologies", {}).get("rivals", [])),
    )


def _events(table: Mapping[str, Any], product_ids: list[str]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    order = table["weight_order"]
    if sorted(order) != sorted(product_ids):
        raise ValueError(f"events.weight_order must name every product once, got {order}")
    weights: dict[str, dict[str, float]] = {product_id: {} for product_id in product_ids}
    half_lives: dict[str, float] = {}
    for name, row in table["types"].items():
        if name not in load_taxonomy():
            raise ValueError(f"events.types.{name} is no event type; see signals/taxonomy.toml")
        if len(row["weights"]) != len(order) or not all(-3 <= weight <= 3 for weight in row["weights"]):
            raise ValueError(f"events.types.{name}.weights must be {len(order)} numbers from -3 to 3, got {row['weights']}")
        if row["half_life_days"] < 0:
            raise ValueError(f"events.types.{name}.half_life_days must be >= 0, got {row['half_life_days']}")
        half_lives[name] = float(row["half_life_days"])
        for product_id, weight in zip(order, row["weights"], strict=True):
            weights[product_id][name] = float(weight)
    return weights, half_lives


def _patterns(patterns: list[str], key: str) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{key} holds {pattern!r}, which is no regular expression: {error}") from error
    return tuple(patterns)


def _links(row: Mapping[str, Any]) -> tuple[str, ...]:
    links = tuple(row.get("links", ()))
    wrong = next((link for link in links if not str(link).startswith("https://")), None)
    if wrong is not None:
        raise ValueError(f"cohort {row['column']} ({row['value']}) has the link {wrong!r}; links begin with https://")
    return links


def _matrix(table: Mapping[str, Any], name: str) -> Matrix:
    if name == "use" or name not in table:
        raise ValueError(f"matrix.use is {name!r}, but there is no matrix.{name}")
    cells: dict[str, dict[str, tuple[str, str]]] = {}
    for fit_band in BAND_NAMES:
        row = table[name][fit_band]
        if len(row) != len(BAND_NAMES):
            raise ValueError(f"matrix.{name}.{fit_band} must have {len(BAND_NAMES)} cells, got {len(row)}")
        cells[fit_band] = {}
        for signals_band, cell in zip(BAND_NAMES, row, strict=True):
            segment, _, cluster = cell.partition(" ")
            cells[fit_band][signals_band] = (segment, cluster)
    return Matrix(name, cells)
