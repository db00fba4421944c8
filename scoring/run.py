"""One scoring of the whole book as of a date: fit, buying signals, matrix, clusters, and what moved since the run before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from scoring.book import Book, iter_spans, load_book
from scoring.buying_signals import score_signals, strengths
from scoring.columns import Floats, Whole
from scoring.contributions import fit_texts, signal_texts
from scoring.drift import Drift
from scoring.features import NEVER
from scoring.fit_training import current_columns
from scoring.learning import learn_models, training_span
from scoring.logistic import one_thread
from scoring.movement import Previous, load_previous
from scoring.placing import Placing
from scoring.potential import Likeness, PotentialRevenue, Spenders
from scoring.product_models import ProductModels, load_models, run_models
from scoring.registry import FIT, SIGNALS, load_in_use
from scoring.workloads import Steps, first_days
from storage.catalogue import Catalogue, Product
from storage.ids import content_key
from storage.records import ClusterAssignment, ClusterMovement, FeatureDrift, FitScore, NextWorkload, ScoringRun, SignalScore
from storage.store import Store

SLICE_ACCOUNTS = 10_000
CODE_VERSION = "4"


def score_book(
    store: Store, catalogue: Catalogue, as_of: date, seed: int, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> ScoringRun:
    """Scores every account for every product and stores the run; the same date, book, models and catalogue give the same run and rows.

    Models are those in use by the date. Where none was released since the quarter (fit) or the month (event weights) began, they are learned first.
    """
    scoring = prepare_scoring(store, catalogue, as_of, seed)
    spans = scoring.spans
    drifts: list[Mapping[str, Drift]] = []
    n_done = 0

    def on_span_progress(n_products: int) -> None:
        on_progress(n_done + n_products, len(spans) * scoring.n_products)

    with store.transaction():
        scoring.save_run(store)
        for span in spans:
            drifts.append(score_span(store, scoring, span, on_span_progress))
            n_done += scoring.n_products
        store.save(iter_drift(scoring, drifts))
    return scoring.run


@dataclass(frozen=True)
class Scoring:
    """All that the scores of a span of accounts are made of, besides the rows of these accounts: it can travel to where the span is scored."""

    run: ScoringRun
    catalogue: Catalogue
    models: Mapping[str, ProductModels]
    previous: Previous | None
    steps: Steps
    potentials: Sequence[PotentialRevenue]
    spans: Sequence[tuple[str, str]]

    @property
    def n_products(self) -> int:
        """How many products are scored."""
        return len(self.catalogue.products)

    def save_run(self, store: Store) -> None:
        """Stores that there was such a run, and which models it was made with."""
        store.save([self.run, *run_models(self.run.run_id, self.models)])


def prepare_scoring(store: Store, catalogue: Catalogue, as_of: date, seed: int, span_accounts: int = SLICE_ACCOUNTS) -> Scoring:
    """Learns what is due, and reads from the whole book what every span needs."""
    _refresh_models(store, catalogue, as_of, seed)
    models = {product.product_id: load_models(store, product, as_of) for product in catalogue.products}
    model_version = content_key(*(f"{name}:{m.fit_id}:{m.weights_id}" for name, m in sorted(models.items())))
    previous = load_previous(store, catalogue, as_of)
    run_id = content_key(
        "run", as_of, catalogue.content_hash, model_version, CODE_VERSION, _digest(store, as_of), previous.run_id if previous else None
    )
    n_accounts = int(store.value("SELECT count(*) FROM accounts WHERE observed_on <= ?", (as_of.isoformat(),)))
    run = ScoringRun(run_id, as_of.isoformat(), catalogue.matrix.name, model_version, n_accounts, catalogue.content_hash, CODE_VERSION)
    sample = load_book(store, catalogue, as_of, last=training_span(store, as_of), needs_public=False, needs_events=False)
    n_products = len(catalogue.products)
    potentials = [PotentialRevenue(Spenders.of(sample, 1 << i)) for i in range(n_products)]
    return Scoring(run, catalogue, models, previous, Steps.of(sample, n_products), potentials, list(iter_spans(n_accounts, span_accounts)))


def score_span(
    store: Store, scoring: Scoring, span: tuple[str, str], on_progress: Callable[[int], None] = lambda part: None
) -> dict[str, Drift]:
    """Scores the accounts of a span, whose rows the store must hold, and stores their scores; per product, how far they have drifted."""
    catalogue = scoring.catalogue
    drifts = {name: Drift(m.baseline) for name, m in scoring.models.items()}
    book = load_book(store, catalogue, date.fromisoformat(scoring.run.as_of), *span, needs_public=False)
    likeness = Likeness.of(book)
    known = strengths(book.events, catalogue.half_lives_days, book.as_of.toordinal())
    with store.transaction(), one_thread():
        for i, product in enumerate(catalogue.products):
            name = product.product_id
            slice_ = _Slice(
                store, catalogue, scoring.run, book, product, 1 << i, scoring.models[name], scoring.previous, span, likeness, known
            )
            slice_.save(scoring.potentials[i], drifts[name])
            on_progress(i + 1)
        _save_next_workloads(store, catalogue, scoring.run.run_id, book, scoring.steps)
    return drifts


def iter_drift(scoring: Scoring, drifts: Iterable[Mapping[str, Drift]]) -> Iterator[FeatureDrift]:
    """The drift of the whole run, of that of its spans in their order."""
    listed = list(drifts)
    for name in scoring.models:
        total = Drift.total(each[name] for each in listed)
        for feature, shift in total.shifts().items():
            yield FeatureDrift(scoring.run.run_id, name, feature, shift.psi, shift.known_before, shift.known_now)


def _refresh_models(store: Store, catalogue: Catalogue, as_of: date, seed: int) -> None:
    """Learns fit quarterly and the weights of events monthly, as of the period's first day, or of the date itself while few accounts were known on it."""
    for kind, first_month in ((FIT, 3 * ((as_of.month - 1) // 3) + 1), (SIGNALS, as_of.month)):
        begun = date(as_of.year, first_month, 1)
        in_use = [load_in_use(store, kind, product.product_id, as_of) for product in catalogue.products]
        if any(found is None or found.release["released_on"] < begun.isoformat() for found in in_use):
            n_then, n_now = (
                int(store.value("SELECT count(*) FROM accounts WHERE observed_on <= ?", (day.isoformat(),))) for day in (begun, as_of)
            )
            learn_models(store, catalogue, begun if 2 * n_then >= n_now else as_of, seed, (kind,))


class _Slice:
    """One product for one slice of the book: scores, and rows to keep."""

    def __init__(
        self, store: Store, catalogue: Catalogue, run: ScoringRun, book: Book, product: Product, bits: int, models: ProductModels,
        previous: Previous | None, span: tuple[str, str], likeness: Likeness, known: tuple[Floats, Whole],
    ) -> None:  # fmt: skip
        self._store, self._catalogue, self._run, self._book, self._product = store, catalogue, run, book, product
        self._bits, self._models, self._previous, self._span = bits, models, previous, span
        self._likeness, self._known = likeness, known

    def save(self, potential: PotentialRevenue, drift: Drift) -> None:
        """Scores and stores."""
        book, run_id, product_id = self._book, self._run.run_id, self._product.product_id
        ids = book.account_ids.tolist()
        columns = current_columns(book, self._models.bits(self._bits, len(self._catalogue.products)))
        drift.add(columns.rows(book.has_firmographics))
        fit_scores, fit_jsons = fit_texts(self._models.fit, self._models.basis, columns, book.has_firmographics)
        signals = score_signals(book.events, len(book), self._models.weights, self._catalogue.half_lives_days, book.as_of, self._known)
        signal_scores, signal_jsons, n_events = signal_texts(signals, book)
        placing = Placing(self._catalogue)
        fit_bands, signal_bands = placing.bands(fit_scores), placing.bands(signal_scores)
        segments, clusters = placing.places(fit_bands, signal_bands)
        low, high = potential.ranges(self._likeness)
        n = len(ids)
        runs, products = [run_id] * n, [product_id] * n
        model_ids = [self._models.fit_id if known and self._models.fit else None for known in book.has_firmographics.tolist()]
        self._store.save_rows(FitScore, zip(runs, ids, products, _known(fit_scores), fit_jsons, model_ids, strict=True))
        self._store.save_rows(SignalScore, zip(runs, ids, products, _known(signal_scores), signal_jsons, n_events, strict=True))
        names = [placing.band_name(band) for band in fit_bands.tolist()], [placing.band_name(band) for band in signal_bands.tolist()]
        self._store.save_rows(
            ClusterAssignment, zip(runs, ids, products, *names, segments, clusters, _known(low), _known(high), strict=True)
        )
        if self._previous is not None:
            moved = self._previous.movements(
                self._store, book, self._product, self._bits, fit_scores, signal_scores, segments, clusters, placing, *self._span
            )
            self._store.save_rows(ClusterMovement, ((run_id, *row) for row in moved))


def _save_next_workloads(store: Store, catalogue: Catalogue, run_id: str, book: Book, steps: Steps) -> None:
    chosen, share = steps.best(first_days(book, len(catalogue.products)) < NEVER)
    names = [product.product_id for product in catalogue.products]
    store.save_rows(
        NextWorkload,
        (
            (run_id, account_id, names[at], round(part, 4))
            for account_id, at, part in zip(book.account_ids.tolist(), chosen.tolist(), share.tolist(), strict=True)
            if at >= 0
        ),
    )


def _known(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


_DIGESTED = (
    ("accounts", "account_id", "observed_on <= :as_of"),
    ("firmographics", "firmographics_id", "observed_on <= :as_of"),
    ("subscriptions", "subscription_id", "started_on <= :as_of"),
    ("transactions", "transaction_id", "transacted_on <= :as_of"),
    ("opportunities", "opportunity_id", "created_on <= :as_of"),
    ("domain_pings", "ping_id", "pinged_at <= :as_of || 'T23:59:59Z'"),
    ("technology_observations", "observation_id", "first_seen_on <= :as_of"),
    ("pages", "page_id", "fetched_at <= :as_of || 'T23:59:59Z'"),
    ("signal_events", "event_id", "observed_at <= :as_of || 'T23:59:59Z'"),
    ("event_feedback", "feedback_id", "given_on <= :as_of"),
)


def _digest(store: Store, as_of: date) -> str:
    """A key of all rows a score as of the date may depend on."""
    parts = []
    for table, key, condition in _DIGESTED:
        n_rows = total = 0
        known = (
            f"SELECT {key} FROM {table} WHERE {condition} AND account_id IN (SELECT account_id FROM accounts WHERE observed_on <= :as_of)"  # noqa: S608
        )
        for batch in store.batches(known, {"as_of": as_of.isoformat()}, 50_000):
            n_rows += len(batch)
            total += sum(int(row[0], 16) for row in batch)  # keys are hashes in hexadecimal: their sum does not depend on the order of rows
        parts.append(f"{table}:{n_rows}:{total}")
    return content_key(*parts)
