"""Learns from a simulated book up to six months before its end and holds clusters and weights against what then happened.

``python -m benchmarks.scoring_simulation [--seed N]``
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np

from bellwether.catalogue_file import load_catalogue
from benchmarks.simulated_book import LAST_DAY, true_weights, write_simulated_book
from scoring.book import load_book
from scoring.learning import learn_models
from scoring.metrics import auc, wilson
from scoring.placing import Placing
from scoring.registry import SIGNALS, load_in_use, load_signal_model
from scoring.run import score_book
from scoring.signal_model import SignalModel, load_deals
from storage.catalogue import Catalogue
from storage.store import Store

CUT = LAST_DAY - timedelta(days=182)
CLUSTERS = ("Act now", "Evaluate", "Nurture", "Educate")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    catalogue = load_catalogue(None)
    with tempfile.TemporaryDirectory() as folder, write_simulated_book(Path(folder) / "book.db", catalogue, seed) as store:
        learned = learn_models(store, catalogue, CUT, seed)
        for each in learned:
            figures = json.loads(each.model.metrics) if each.model else {}
            beside = figures.get("auc_of_catalogue_weights")
            print(f"{each.kind:8} {each.product:13} {each.verdict:10} auc {figures.get('auc')} (catalogue {beside}); {each.decision}")
        score_book(store, catalogue, CUT, seed)
        for i, product in enumerate(catalogue.products):
            report_clusters(store, catalogue, product.product_id, 1 << i)
            report_weights(store, catalogue, product.product_id, 1 << i, seed)


def report_clusters(store: Store, catalogue: Catalogue, product: str, bits: int) -> None:
    """Win rates by cluster of the deals opened in the six months after the cut."""
    book = load_book(store, catalogue, LAST_DAY)
    scores = {
        row["account_id"]: (row["fit"], row["signals"])
        for row in store.query(
            "SELECT f.account_id, f.score AS fit, s.score AS signals"
            " FROM fit_scores f JOIN signal_scores s USING (run_id, account_id, product) WHERE product = ?",
            (product,),
        )
    }
    deals = book.deals
    later = deals.is_closed & ((deals.products & bits) != 0) & (deals.created > CUT.toordinal())
    rows = [scores[book.account_ids[account]] for account in deals.account[later]]
    fit, signals = (np.array([np.nan if row[i] is None else row[i] for row in rows]) for i in (0, 1))
    won = deals.is_won[later]
    for matrix in catalogue.matrices:
        placing = Placing(catalogue, matrix)
        _, clusters = placing.places(placing.bands(fit), placing.bands(signals))
        names = np.array(clusters, dtype=object)
        rates = [wilson(int(won[names == name].sum()), int((names == name).sum())) for name in CLUSTERS]
        known = [rate.value for rate in rates if not np.isnan(rate.value)]
        order = "in order" if known == sorted(known, reverse=True) else "NOT in order"
        text = ", ".join(f"{name} {rate.value:.2f} [{rate.low:.2f} {rate.high:.2f}]" for name, rate in zip(CLUSTERS, rates, strict=True))
        print(f"{product:13} {matrix.name:11} {len(won)} deals: {text}: {order}")
    print(f"{product:13} auc fit {auc(won, np.nan_to_num(fit)):.3f}, signals {auc(won, np.nan_to_num(signals)):.3f}")


def report_weights(store: Store, catalogue: Catalogue, product: str, bits: int, seed: int) -> None:
    """Learned weights against the true ones, and their ranking of the later deals against the catalogue's."""
    truth = true_weights(catalogue, seed)[product]
    used = load_in_use(store, SIGNALS, product, CUT)
    row = next(store.query("SELECT * FROM model_versions WHERE kind = 'signals' AND product = ?", (product,)), None)
    if row is None:
        print(f"{product:13} no weights learned")
        return
    model: SignalModel = load_signal_model(row)
    inside = [model.low[name] - 1e-6 <= truth[name] <= model.high[name] + 1e-6 for name in model.weights]
    later = load_deals(load_book(store, catalogue, LAST_DAY), catalogue, bits)
    later = later.rows(later.created > CUT.toordinal())
    prior = catalogue.product(product).weights
    aucs = {
        name: auc(later.is_won, later.prior_score(weights))
        for name, weights in (("learned", model.weights), ("catalogue", prior), ("true", truth))
    }
    error = {
        name: float(np.mean([abs(weights.get(t, 0) - truth[t]) for t in model.weights]))
        for name, weights in (("learned", model.weights), ("catalogue", prior))
    }
    print(
        f"{product:13} weights: {sum(inside)} of {len(inside)} true ones inside 95 %; mean error learned {error['learned']:.2f}, "
        f"catalogue {error['catalogue']:.2f}; auc on {len(later.is_won)} later deals { ({name: round(value, 3) for name, value in aucs.items()}) }; "
        f"in use: {bool(used and used.model)}; unit {model.unit}"
    )


if __name__ == "__main__":
    main()
