"""The jobs behind the commands about models: evaluate fit, learn, models, validate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bellwether.catalogue_file import load_catalogue
from bellwether.config import load_config
from bellwether.job_log import writing_job
from bellwether.progress import progress_bar
from storage.errors import ConfigError
from storage.store import Row, Store, open_reader

if TYPE_CHECKING:
    from scoring.learning import Learned
    from scoring.table_evaluation import TableEvaluation
    from storage.catalogue import Catalogue
    from storage.records import ModelRelease


def run_evaluate_fit(file: Path, target: str, time: str, group: str, drop: Sequence[str], positive: str) -> TableEvaluation:
    """``bellwether evaluate fit``."""
    from scoring.outcome_table import load_outcome_table
    from scoring.table_evaluation import evaluate_table

    table = load_outcome_table(file, target, time or None, group or None, drop, positive or None)
    with progress_bar("evaluate fit") as bar:
        return evaluate_table(table, load_config().seed, bar)


def run_learn(db: Path | None, as_of: date) -> list[Learned]:
    """``bellwether learn``."""
    from scoring.learning import learn_models

    config = load_config(db)
    with writing_job(config, "learn") as (store, _), progress_bar("learn") as bar:
        return learn_models(store, load_catalogue(config.catalogue), as_of, config.seed, on_progress=bar)


def run_list_models(db: Path | None) -> list[Row]:
    """``bellwether models list``."""
    from scoring.registry import list_models

    with open_reader(load_config(db).db) as store:
        return list_models(store)


def run_rollback(db: Path | None, kind: str, product: str, model_id: str | None, on: date) -> ModelRelease:
    """``bellwether models rollback``."""
    from scoring.registry import ALL_PRODUCTS, roll_back

    config = load_config(db)
    known = [item.product_id for item in load_catalogue(config.catalogue).products]
    if product not in (*known, ALL_PRODUCTS):
        raise ConfigError(f"the catalogue has no product {product!r}; it has {', '.join(known)}")
    with writing_job(config, "models rollback") as (store, _):
        return roll_back(store, kind, product, model_id, on)


def run_validate(db: Path | None, as_of: date, out: Path) -> dict[str, Any]:
    """``bellwether validate``: the content of the card that was written."""
    config = load_config(db)
    with writing_job(config, "validate") as (store, _):
        return write_card(store, load_catalogue(config.catalogue), as_of, config.seed, out)


def write_card(store: Store, catalogue: Catalogue, as_of: date, seed: int, out: Path) -> dict[str, Any]:
    """The content of the model card of a date, which is kept in the store and written as a page with its JSON beside it."""
    import json

    from reports.model_card import write_model_card
    from scoring.validation import validate_clusters

    with progress_bar("validate") as bar:
        card = validate_clusters(store, catalogue, as_of, seed, bar)
    store.save([card])
    write_model_card(card, out)
    content: dict[str, Any] = json.loads(card.content)
    return content
