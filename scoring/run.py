"""One scoring of the whole book as of a date: fit, buying signals, matrix, clusters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date

from scoring.buying_signals import WeighedEvent, score_signals
from scoring.features import AccountFeatures, load_features
from scoring.fit import FitModel, train_fit
from scoring.potential import PotentialRevenue
from storage.catalogue import Catalogue, Product
from storage.clock import end_of_day
from storage.ids import content_key
from storage.records import ClusterAssignment, FitScore, ModelVersion, Record, ScoringRun, SignalScore
from storage.store import Store

LOOK_WINDOW_DAYS = 92  # a site not seen for a quarter has not been looked at
CODE_VERSION = "1"


@dataclass(frozen=True, slots=True)
class _Models:
    by_product: dict[str, tuple[FitModel, str]]
    new: list[ModelVersion]


def score_book(
    store: Store, catalogue: Catalogue, as_of: date, seed: int, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> ScoringRun:
    """Scores every account for every product and stores the run; the same date, book and catalogue give the same run and rows."""
    models = _fit_models(store, catalogue, as_of, seed)
    events = load_events(store, as_of)
    looked_at = load_looked_at(store, as_of)
    records: list[Record] = list(models.new)
    model_version = content_key(*(f"{product}:{model_id}" for product, (_, model_id) in sorted(models.by_product.items())))
    run_id = content_key(
        "run", as_of, catalogue.content_hash, model_version, CODE_VERSION, _digest(store, as_of), sorted(looked_at),
        [asdict(event) for rows in events.values() for event in rows],
    )  # fmt: skip
    n_accounts = 0
    for i, product in enumerate(catalogue.products):
        features = load_features(store, catalogue, product, as_of)
        n_accounts = len(features)
        records.extend(_score_product(store, catalogue, product, as_of, run_id, features, models, events, looked_at))
        on_progress(i + 1, len(catalogue.products))
    run = ScoringRun(run_id, as_of.isoformat(), catalogue.matrix.name, model_version, n_accounts, catalogue.content_hash, CODE_VERSION)
    store.save([run, *records])
    return run


def load_events(store: Store, as_of: date) -> dict[str, list[WeighedEvent]]:
    """Per account, the events that were known by the date: one per happening, about the account itself, as a buyer."""
    found: dict[str, list[WeighedEvent]] = {}
    for row in store.query(
        """
        SELECT account_id, event_id, event_type, occurred_on, confidence FROM signal_events
        WHERE duplicate_of IS NULL AND role = 'subject' AND stance = 'buyer' AND status != 'rumoured' AND observed_at <= ?
        ORDER BY account_id, event_id
        """,
        (end_of_day(as_of),),
    ):
        event = WeighedEvent(row["event_id"], row["event_type"], date.fromisoformat(row["occurred_on"]), row["confidence"])
        found.setdefault(row["account_id"], []).append(event)
    return found


def load_looked_at(store: Store, as_of: date) -> set[str]:
    """Accounts with at least one page seen in the window before the date: only of these is silence a finding."""
    first = date.fromordinal(as_of.toordinal() - LOOK_WINDOW_DAYS).isoformat()
    rows = store.query(
        "SELECT DISTINCT account_id FROM pages WHERE account_id IS NOT NULL AND fetched_at <= ? AND checked_at >= ?",
        (end_of_day(as_of), first),
    )
    return {row["account_id"] for row in rows}


def load_customers(store: Store, product: Product, as_of: date) -> tuple[frozenset[str], frozenset[str]]:
    """Accounts that bought the product by the date, and accounts whose deal for it was lost."""
    day = {"as_of": as_of.isoformat()}
    bought = {
        row["account_id"]
        for row in store.query(
            "SELECT account_id, product, sku FROM subscriptions WHERE started_on <= :as_of "
            "UNION ALL SELECT account_id, product, sku FROM transactions WHERE transacted_on <= :as_of",
            day,
        )
        if product.is_match(row["product"], row["sku"])
    }
    lost: set[str] = set()
    for row in store.query("SELECT account_id, product, outcome FROM opportunities WHERE closed_on <= :as_of", day):
        if product.is_match(row["product"], None):
            (bought if row["outcome"] == "won" else lost).add(row["account_id"])
    return frozenset(bought), frozenset(lost)


def _fit_models(store: Store, catalogue: Catalogue, as_of: date, seed: int) -> _Models:
    """The models of the quarter: trained on what was known at its first day, or by the date itself where that was too little."""
    quarter = date(as_of.year, 3 * ((as_of.month - 1) // 3) + 1, 1)
    models = _Models({}, [])
    for product in catalogue.products:
        for day in (quarter, as_of):
            features = load_features(store, catalogue, product, day)
            bought, lost = load_customers(store, product, day)
            trained = train_fit(product.product_id, features, bought, lost, day.isoformat(), seed)
            if trained is not None:
                models.by_product[product.product_id] = (trained[0], trained[1].model_id)
                models.new.append(trained[1])
                break
    return models


def _score_product(
    store: Store,
    catalogue: Catalogue,
    product: Product,
    as_of: date,
    run_id: str,
    features: list[AccountFeatures],
    models: _Models,
    events: dict[str, list[WeighedEvent]],
    looked_at: set[str],
) -> Iterator[Record]:
    potential = PotentialRevenue(store, catalogue, product, as_of)
    sizes = load_sizes(store, as_of)
    model = models.by_product.get(product.product_id)
    for row in features:
        fit = _fit_score(run_id, row, product.product_id, model)
        signals = _signal_score(
            run_id, row.account_id, product, catalogue, as_of, events.get(row.account_id, []), row.account_id in looked_at
        )
        yield fit
        yield signals
        fit_band, signals_band = catalogue.bands.band(fit.score), catalogue.bands.band(signals.score)
        segment, cluster = catalogue.matrix.place(fit_band, signals_band)
        revenue = potential.range_for(*sizes.get(row.account_id, (None, None)))
        yield ClusterAssignment(
            run_id, row.account_id, product.product_id, fit_band, signals_band, segment, cluster,
            revenue.low_usd if revenue else None, revenue.high_usd if revenue else None,
        )  # fmt: skip


def load_sizes(store: Store, as_of: date) -> dict[str, tuple[int | None, str | None]]:
    """Per account, employees and industry as last known by the date."""
    rows = store.query(
        "SELECT account_id, employees, industry FROM firmographics WHERE observed_on <= ? ORDER BY observed_on, firmographics_id",
        (as_of.isoformat(),),
    )
    return {row["account_id"]: (row["employees"], row["industry"]) for row in rows}


def _fit_score(run_id: str, row: AccountFeatures, product_id: str, model: tuple[FitModel, str] | None) -> FitScore:
    if model is None or not row.has_firmographics:
        return FitScore(run_id, row.account_id, product_id, None, "{}", None)
    score, base, points = model[0].explain(row)
    values = {name: row.numbers.get(name, row.categories.get(name)) for name in points}
    contributions = {
        "base": round(base, 6),
        "points": [
            {"feature": name, "value": _rounded(values[name]), "points": round(share, 6)}
            for name, share in sorted(points.items(), key=lambda item: (-item[1], item[0]))
        ],
    }
    return FitScore(run_id, row.account_id, product_id, round(score, 6), json.dumps(contributions), model[1])


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def _signal_score(
    run_id: str, account_id: str, product: Product, catalogue: Catalogue, as_of: date, events: list[WeighedEvent], is_looked_at: bool
) -> SignalScore:
    if not is_looked_at and not events:
        return SignalScore(run_id, account_id, product.product_id, None, "[]", 0)
    score, points = score_signals(events, product, catalogue.half_lives_days, as_of)
    contributions = [asdict(point) | {"points": round(point.points, 6)} for point in points]
    return SignalScore(run_id, account_id, product.product_id, round(score, 6), json.dumps(contributions), len(points))


def _digest(store: Store, as_of: date) -> str:
    """A key of what else of the book a score depends on."""
    day = as_of.isoformat()
    counts = [
        store.value("SELECT count(*) FROM accounts WHERE observed_on <= ?", (day,)),
        store.value(
            "SELECT group_concat(firmographics_id) FROM (SELECT firmographics_id FROM firmographics WHERE observed_on <= ? ORDER BY 1)",
            (day,),
        ),
        store.value(
            "SELECT group_concat(transaction_id) FROM (SELECT transaction_id FROM transactions WHERE transacted_on <= ? ORDER BY 1)", (day,)
        ),
        store.value(
            "SELECT group_concat(subscription_id) FROM (SELECT subscription_id FROM subscriptions WHERE started_on <= ? ORDER BY 1)", (day,)
        ),
    ]
    return content_key(*counts)
