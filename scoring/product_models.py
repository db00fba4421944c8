"""Which models score a product: those in use by a date, or those a run was made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from scoring.fit import FitModel
from scoring.registry import ALL_PRODUCTS, FIT, SIGNALS, TOO_FEW, InUse, load_fit_model, load_in_use, load_signal_model
from scoring.verdict import NOT_READY
from storage.catalogue import Product
from storage.records import RunModels
from storage.store import Row, Store


@dataclass(frozen=True)
class ProductModels:
    """What scores a product: its fit model (its own, or that of all products, or none) and the weights of event types."""

    fit: FitModel | None
    fit_id: str | None
    basis: str | None  # what a reader must know of the fit model: that it is unproven, or of all products
    weights: Mapping[str, float]
    weights_id: str | None
    baseline: str | None  # the metrics of the fit model, which hold what its book looked like

    def bits(self, own: int, n_products: int) -> int:
        """The products whose purchases are no features: the product's own, and all of them for the model of all products."""
        return (1 << n_products) - 1 if self.fit is not None and self.fit.product == ALL_PRODUCTS else own


def load_models(store: Store, product: Product, as_of: date) -> ProductModels:
    """The models in use by the date; where a product has no fit model of its own, that of all products stands in."""
    own = load_in_use(store, FIT, product.product_id, as_of)
    fit = own if own and own.model else load_in_use(store, FIT, ALL_PRODUCTS, as_of)
    fit_row = fit.model if fit else None
    signals = load_in_use(store, SIGNALS, product.product_id, as_of)
    return _as_models(product, fit_row, _basis(own, fit_row), signals.model if signals else None)


def load_models_of_run(store: Store, product: Product, run_id: str) -> ProductModels:
    """The models a run was made with, whatever has come into use since.

    Raises:
        ModelError: one of them was saved in another format.
    """
    used = next(store.query("SELECT * FROM run_models WHERE run_id = ? AND product = ?", (run_id, product.product_id)), None)
    if used is None:
        return _as_models(product, None, None, None)
    fit, weights = (
        next(store.query("SELECT * FROM model_versions WHERE model_id = ?", (used[name],)), None)
        for name in ("fit_model_id", "weights_model_id")
    )
    return _as_models(product, fit, None, weights)


def run_models(run_id: str, models: Mapping[str, ProductModels]) -> list[RunModels]:
    """The records of which models a run was made with."""
    return [RunModels(run_id, name, used.fit_id, used.weights_id) for name, used in models.items()]


def _as_models(product: Product, fit: Row | None, basis: str | None, weights: Row | None) -> ProductModels:
    return ProductModels(
        load_fit_model(fit) if fit else None,
        fit["model_id"] if fit else None,
        basis,
        load_signal_model(weights).weights if weights else product.weights,
        weights["model_id"] if weights else None,
        fit["metrics"] if fit else None,
    )


def _basis(own: InUse | None, fit: Row | None) -> str | None:
    if fit is None:
        return None
    notes = []
    if fit["product"] == ALL_PRODUCTS:
        is_small = own is None or TOO_FEW in own.release["reason"]
        notes.append(f"customers of all products: {'too few of this one' if is_small else 'who buys this one cannot be told from chance'}")
    if fit["verdict"] == NOT_READY:
        notes.append("unproven: later purchases do not bear it out for sure")
    return "; ".join(notes) or None
