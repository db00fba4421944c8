"""The model registry: every model whole, and which one is in use from which day on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from scoring.fit import FitModel
from scoring.signal_model import SignalModel
from storage.errors import ModelError
from storage.ids import content_key
from storage.records import ModelRelease
from storage.store import Row, Store

FIT, SIGNALS = "fit", "signals"
ALL_PRODUCTS = "*"
TOO_FEW = "too few customers to learn from"  # in the reason of a release without a model
Model = TypeVar("Model", FitModel, SignalModel)


@dataclass(frozen=True, slots=True)
class InUse:
    """A release as of a date and its model's row; ``model`` is None when the release names none."""

    release: Row
    model: Row | None


def load_in_use(store: Store, kind: str, product: str, as_of: date) -> InUse | None:
    """The last release by the date; None when there was none yet. A model trained on later days is never given."""
    release = next(
        store.query(
            "SELECT * FROM model_releases WHERE kind = ? AND product = ? AND released_on <= ? ORDER BY released_on DESC, sequence DESC LIMIT 1",
            (kind, product, as_of.isoformat()),
        ),
        None,
    )
    if release is None:
        return None
    model = next(store.query("SELECT * FROM model_versions WHERE model_id = ?", (release["model_id"],)), None)
    return InUse(release, model)


def load_fit_model(row: Row) -> FitModel:
    """The fit model of a registry row.

    Raises:
        ModelError: saved in another format or damaged.
    """
    return _read(FitModel.from_json, row)


def load_signal_model(row: Row) -> SignalModel:
    """The signal model of a registry row.

    Raises:
        ModelError: saved in another format or damaged.
    """
    return _read(SignalModel.from_json, row)


def _read(from_json: Callable[[str], Model], row: Row) -> Model:
    try:
        return from_json(row["parameters"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"model {row['model_id']} cannot be read: {error}") from error


def next_release(store: Store, kind: str, product: str, model_id: str | None, released_on: date, reason: str) -> ModelRelease:
    """A release that counts from the day on, before all earlier ones of that day."""
    sequence = 1 + int(store.value("SELECT coalesce(max(sequence), 0) FROM model_releases WHERE kind = ? AND product = ?", (kind, product)))
    key = content_key("release", kind, product, released_on, sequence)
    return ModelRelease(key, kind, product, model_id, released_on.isoformat(), sequence, reason)


def list_models(store: Store) -> list[Row]:
    """Every model with its verdict, training window, metrics, and the day since which it is in use (None: it is not), newest first."""
    rows = list(
        store.query(
            "SELECT model_id, kind, product, trained_as_of, trained_from, n_positive, n_other, data_hash, seed, verdict, metrics"
            " FROM model_versions ORDER BY trained_as_of DESC, kind, product, model_id"
        )
    )
    used: dict[tuple[str, str], Row] = {}
    for release in store.query("SELECT * FROM model_releases ORDER BY released_on, sequence"):
        used[release["kind"], release["product"]] = release
    for row in rows:
        present = used.get((row["kind"], row["product"]))
        row["in_use_since"] = present["released_on"] if present and present["model_id"] == row["model_id"] else None
    return rows


def roll_back(store: Store, kind: str, product: str, model_id: str | None, on: date) -> ModelRelease:
    """Puts an earlier model back in use from the day on: the one named, else the one in use before the present one.

    Raises:
        ModelError: no such model, or none before the present one.
    """
    if model_id is not None:
        row = next(
            store.query("SELECT * FROM model_versions WHERE model_id = ? AND kind = ? AND product = ?", (model_id, kind, product)), None
        )
        if row is None:
            raise ModelError(f"no {kind} model of {product} has the id {model_id}; see `bellwether models list`")
        if row["trained_as_of"] > on.isoformat():
            raise ModelError(f"model {model_id} was trained on data up to {row['trained_as_of']}, which lies after {on}")
        chosen = model_id
    else:
        chosen = _before_present(store, kind, product, on)
    release = next_release(store, kind, product, chosen, on, "rolled back")
    store.save([release])
    return release


def _before_present(store: Store, kind: str, product: str, on: date) -> str:
    releases = list(
        store.query(
            "SELECT model_id FROM model_releases WHERE kind = ? AND product = ? AND released_on <= ? ORDER BY released_on DESC, sequence DESC",
            (kind, product, on.isoformat()),
        )
    )
    present = releases[0]["model_id"] if releases else None
    for release in releases[1:]:
        if release["model_id"] is not None and release["model_id"] != present:
            return str(release["model_id"])
    raise ModelError(f"there is no {kind} model of {product} before the present one; see `bellwether models list`")
