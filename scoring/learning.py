"""`learn`: refits every model from what was known by a date, judges it, and decides whether it comes into use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from scoring.book import FIRST_KEY, LAST_KEY, Book, load_book
from scoring.columns import Flags
from scoring.fit_training import HORIZON_DAYS, N_ORIGINS, FitCandidate, current_columns, later_buyers, train_candidate
from scoring.logistic import one_thread
from scoring.metrics import auc
from scoring.registry import ALL_PRODUCTS, FIT, SIGNALS, TOO_FEW, InUse, load_fit_model, load_in_use, load_signal_model, next_release
from scoring.signal_model import load_deals
from scoring.signal_training import SignalCandidate, learn_candidate
from scoring.verdict import NOT_READY, OK_OUTCOMES
from storage.catalogue import Catalogue, Product
from storage.ids import content_key
from storage.records import ModelRelease, ModelVersion
from storage.store import Store

MAX_TRAINING_ACCOUNTS = 50_000
UNPROVEN = "unproven"
INTERVAL_ERRORS = 1.96  # standard errors from a figure to the end of its 95 % interval
MAY_FALL_BY = 0.02  # AUC by which a challenger may stay below the champion on the latest window


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of one model."""

    kind: str
    product: str
    verdict: str
    decision: str
    model: ModelVersion | None
    release: ModelRelease


def learn_models(
    store: Store,
    catalogue: Catalogue,
    as_of: date,
    seed: int,
    kinds: Sequence[str] = (FIT, SIGNALS),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Learned]:
    """Trains, judges, stores and releases a fit model and a signal model per product, and a fit model of all products to fall back on."""
    last = training_span(store, as_of)
    book = load_book(store, catalogue, as_of, FIRST_KEY, last)
    dates = [as_of - timedelta(days=HORIZON_DAYS * k) for k in range(1, N_ORIGINS + 1)] if FIT in kinds else []
    origins = [load_book(store, catalogue, day, FIRST_KEY, last, needs_events=False) for day in dates]
    products: list[tuple[str, int, Product | None]] = [(p.product_id, 1 << i, p) for i, p in enumerate(catalogue.products)]
    learned: list[Learned] = []
    everything = (1 << len(catalogue.products)) - 1
    for i, (product_id, bits, product) in enumerate([*products, (ALL_PRODUCTS, everything, None)]):
        on_progress(i, len(products) + 1)
        if FIT in kinds:
            learned.append(_learn_fit(store, product_id, bits, book, origins, as_of, seed))
        if SIGNALS in kinds and product is not None:
            learned.append(_learn_signals(store, catalogue, product, bits, book, as_of, seed))
    on_progress(len(products) + 1, len(products) + 1)
    return learned


def training_span(store: Store, as_of: date) -> str:
    """The key below which about 50,000 of the accounts known by the date lie: ids are hashes, so they are a fair sample of a larger book."""
    n_accounts = int(store.value("SELECT count(*) FROM accounts WHERE observed_on <= ?", (as_of.isoformat(),)))
    if n_accounts <= MAX_TRAINING_ACCOUNTS:
        return LAST_KEY
    return f"{MAX_TRAINING_ACCOUNTS * 16**8 // n_accounts:08x}"


def _learn_fit(store: Store, product: str, bits: int, book: Book, origins: Sequence[Book], as_of: date, seed: int) -> Learned:
    champion = load_in_use(store, FIT, product, as_of)
    candidate = train_candidate(product, bits, book, origins, seed)
    if candidate is None:
        return _decide(store, FIT, product, None, champion, as_of, NOT_READY, TOO_FEW)
    metrics = candidate.metrics | {"baseline": candidate.baseline}
    record = ModelVersion(
        content_key(FIT, product, as_of, candidate.data_hash, seed, candidate.model.to_json()), FIT, product, as_of.isoformat(),
        candidate.trained_from.isoformat(), candidate.n_positive, candidate.n_other, candidate.data_hash, seed, candidate.verdict.verdict,
        json.dumps(metrics, sort_keys=True), candidate.model.to_json(),
    )  # fmt: skip
    reason = "; ".join(candidate.verdict.reasons)
    worse = _worse_than_champion(champion, candidate, bits, book, origins)
    return _decide(
        store,
        FIT,
        product,
        record,
        champion,
        as_of,
        candidate.verdict.verdict,
        worse or reason,
        worse is not None,
        _errors_above_chance(candidate),
    )


def _errors_above_chance(candidate: FitCandidate) -> float:
    """By how many standard errors the AUC lies above 0.5; 0 where its interval is unknown."""
    value, low, _ = candidate.metrics["auc"]
    return 0.0 if low is None or low >= value else (value - 0.5) / ((value - low) / INTERVAL_ERRORS)


def _worse_than_champion(champion: InUse | None, candidate: FitCandidate, bits: int, book: Book, origins: Sequence[Book]) -> str | None:
    """Why the champion should stay, judged on the latest window; only a champion that had not seen that window can be judged on it."""
    latest = max(origins, key=lambda origin: origin.as_of, default=None)
    if champion is None or champion.model is None or latest is None or champion.model["trained_as_of"] > latest.as_of.isoformat():
        return None
    could, did = later_buyers(book, latest, bits)
    tested = could & latest.has_firmographics
    if min(int(did[tested].sum()), int((tested & ~did).sum())) < OK_OUTCOMES:
        return None
    with one_thread():
        try:
            old = auc(did[tested], load_fit_model(champion.model).log_odds(current_columns(latest, bits).rows(tested)))
        except ValueError:
            return None
    new = candidate.metrics["auc_latest_window"]
    if new is None or not np.isfinite(old) or new >= old - MAY_FALL_BY:
        return None
    return f"the champion {champion.model['model_id']} ranks the latest window better: auc {old:.3f} against {new:.3f}"


def _learn_signals(store: Store, catalogue: Catalogue, product: Product, bits: int, book: Book, as_of: date, seed: int) -> Learned:
    champion = load_in_use(store, SIGNALS, product.product_id, as_of)
    candidate: SignalCandidate | None = None
    deals = load_deals(book, catalogue, bits)
    if len(deals.is_won):
        candidate = learn_candidate(deals, product, seed)
    if candidate is None:
        return _decide(
            store, SIGNALS, product.product_id, None, champion, as_of, NOT_READY, "too few deals of accounts that were looked at"
        )
    record = ModelVersion(
        content_key(SIGNALS, product.product_id, as_of, candidate.data_hash, seed, candidate.model.to_json()), SIGNALS, product.product_id,
        as_of.isoformat(), candidate.trained_from.isoformat(), candidate.n_won, candidate.n_lost, candidate.data_hash, seed,
        candidate.verdict.verdict, json.dumps(candidate.metrics, sort_keys=True), candidate.model.to_json(),
    )  # fmt: skip
    worse = _worse_than_weights(champion, candidate, product)
    reason = worse or "; ".join(candidate.verdict.reasons)
    return _decide(store, SIGNALS, product.product_id, record, champion, as_of, candidate.verdict.verdict, reason, worse is not None)


def _worse_than_weights(champion: InUse | None, candidate: SignalCandidate, product: Product) -> str | None:
    """Why the catalogue's weights, or those in use, should stay: judged on later deals, of a champion on those opened since it was learned."""
    deals, scores = candidate.tested, candidate.tested_scores
    rivals: list[tuple[str, Mapping[str, float], Flags]] = []
    if champion is not None and champion.model is not None:
        since = deals.created > date.fromisoformat(champion.model["trained_as_of"]).toordinal()
        words = f"the champion {champion.model['model_id']} ranks deals opened since it was learned"
        rivals.append((words, load_signal_model(champion.model).weights, since))
    rivals.append(("the catalogue's weights rank later deals", product.weights, np.ones(len(scores), dtype=bool)))
    for words, weights, chosen in rivals:
        won = deals.is_won[chosen]
        if min(int(won.sum()), int((~won).sum())) < OK_OUTCOMES:
            continue
        new, old = auc(won, scores[chosen]), auc(won, deals.rows(chosen).prior_score(weights))
        if new < old - MAY_FALL_BY:
            return f"{words} better: auc {old:.3f} against {new:.3f}"
    return None


def _decide(
    store: Store,
    kind: str,
    product: str,
    record: ModelVersion | None,
    champion: InUse | None,
    as_of: date,
    verdict: str,
    reason: str,
    is_worse: bool = False,
    errors_above_chance: float = 0.0,
) -> Learned:
    """The gate: a challenger that is ready or ok, and no worse than the champion, comes into use; else a proven champion stays.

    Where nothing proven is in use, a fit model whose whole AUC interval lies above 0.5 comes into use as unproven, and every report says so. An unproven
    champion goes when the latest test does not even lean its way, by one standard error (so that it does not come and go with every quarter): then fit
    falls back to the model of all products.
    """
    kept = champion.release["model_id"] if champion else None
    has_proven = champion is not None and champion.model is not None and champion.model["verdict"] != NOT_READY
    is_proven = verdict != NOT_READY
    may_be_used = record is not None and (is_proven or (errors_above_chance > INTERVAL_ERRORS and not has_proven))
    if record is not None and may_be_used and not is_worse:
        chosen, decision = record.model_id, "comes into use" if is_proven else f"comes into use {UNPROVEN}: {reason}"
    elif kept is not None and (has_proven or may_be_used or errors_above_chance > 1):
        chosen, decision = kept, f"not used, {kept} stays: {reason}"
    else:
        instead = "the catalogue's weights" if kind == SIGNALS else "no fit" if product == ALL_PRODUCTS else "the model of all products"
        chosen, decision = None, f"not used, {instead} in its place: {reason}"
    release = next_release(store, kind, product, chosen, as_of, decision)
    if champion is not None and champion.release["released_on"] == release.released_on and champion.release["model_id"] == chosen:
        # The same day learned twice from the same data: nothing new to note.
        release = ModelRelease(**champion.release)
    store.save([*([record] if record else []), release])
    return Learned(kind, product, verdict, decision, record, release)
