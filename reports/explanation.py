"""Why an account stands where it stands: scores, what they are made of, and the archived sentences behind them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from reports.movement import Moved, load_moved
from reports.reasons import Evidence, feature_in_words, load_evidence, outlook_in_words
from reports.writing import latest_run
from storage.catalogue import Catalogue
from storage.clock import end_of_day
from storage.errors import ConfigError, UnknownAccountError
from storage.store import Row, Store


@dataclass(frozen=True, slots=True)
class ExplainedEvent:
    """An event's share of a signal score, its quote, and where the page is archived."""

    points: float
    event_type: str
    status: str
    occurred_on: str
    confidence: float
    quote: str
    url: str
    fetched_at: str
    archive: str
    offset: int
    n_sources: int
    event_id: str


@dataclass(frozen=True, slots=True)
class ExplainedProduct:
    """One product: ``fit_base`` and the points of ``fit_reasons`` add up to ``fit_score``; the points of ``events`` to ``signal_score``."""

    product: str
    title: str
    cluster: str
    segment: str | None
    fit_score: float | None
    fit_band: str | None
    fit_base: float | None
    fit_reasons: list[tuple[float, str]]
    fit_basis: str | None  # that the model is unproven, or of all products
    signal_score: float | None
    signals_band: str | None
    events: list[ExplainedEvent]
    potential_revenue_low_usd: float | None  # a year, as the middle half of similar customers spend
    potential_revenue_high_usd: float | None
    outlook: list[str]  # what would move the account to another cell
    moved: Moved | None  # since the run before


@dataclass(frozen=True, slots=True)
class Explanation:
    """An account's scores as of a date."""

    account_id: str
    account_name: str
    domain: str
    as_of: str
    run_id: str
    coverage: str
    next_workload: str | None  # title of the product that accounts with the same products took next most often
    next_workload_share: float | None  # of them took it next
    products: list[ExplainedProduct]


def explain_account(
    store: Store,
    catalogue: Catalogue,
    account: str,
    product: str | None,
    as_of: date | None,
    archive: Path,
    load_outlook: Callable[[str, str], Mapping[str, Mapping[str, Any]]] = lambda run_id, account_id: {},
) -> Explanation:
    """The explanation of a scored account, for one product or all.

    Args:
        load_outlook: from run and account ids to what would move the account, per product (scoring.outlook, handed in by who may import it).

    Raises:
        UnknownAccountError: no account, or several, under that name.
        ConfigError: the catalogue has no such product.
    """
    known = [item.product_id for item in catalogue.products]
    if product is not None and product not in known:
        raise ConfigError(f"the catalogue has no product {product!r}; it has {', '.join(known)}")
    run = latest_run(store, as_of)
    found = find_account(store, account)
    scores = {row["product"]: row for row in store.query(_SCORES_SQL, (run["run_id"], found["account_id"]))}
    if not scores:
        raise UnknownAccountError(f"{found['domain']} was not known yet as of {run['as_of']}; score a later date")
    chosen = [item for item in catalogue.products if item.product_id in scores and product in (None, item.product_id)]
    event_ids = {point["event_id"] for row in scores.values() for point in json.loads(row["signal_contributions"])}
    evidence = load_evidence(store, event_ids)
    n_pages = store.value(
        "SELECT count(*) FROM pages WHERE account_id = ? AND fetched_at <= ?", (found["account_id"], end_of_day(run["as_of"]))
    )
    coverage = f"{n_pages} pages looked at" if n_pages else "no page looked at"
    outlook = load_outlook(run["run_id"], found["account_id"])
    moved = load_moved(store, run, found["account_id"], outlook)
    following = next(
        store.query("SELECT product, share FROM next_workloads WHERE run_id = ? AND account_id = ?", (run["run_id"], found["account_id"])),
        None,
    )
    titles = {item.product_id: item.title for item in catalogue.products}
    products = [
        _explain_product(
            item.product_id,
            item.title,
            scores[item.product_id],
            evidence,
            archive,
            outlook.get(item.product_id, {}),
            moved.get(item.product_id),
        )
        for item in chosen
    ]
    return Explanation(
        found["account_id"], found["account_name"], found["domain"], run["as_of"], run["run_id"], coverage,
        titles.get(following["product"]) if following else None, following["share"] if following else None, products,
    )  # fmt: skip


def find_account(store: Store, name: str) -> Row:
    """The account with that domain, id, customer id, or name (in that order).

    Raises:
        UnknownAccountError: none or several; the message lists what is near.
    """
    wanted = name.strip()
    domain = wanted.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.").split("/")[0]
    for condition, value in (
        ("domain = ?", domain),
        ("account_id = ?", wanted),
        ("customer_id = ?", wanted),
        ("account_name = ? COLLATE NOCASE", wanted),
    ):
        rows = list(store.query(f"SELECT * FROM accounts WHERE {condition} ORDER BY domain", (value,)))  # noqa: S608 - constant conditions
        if len(rows) == 1:
            return rows[0]
        if rows:
            raise UnknownAccountError(
                f"{len(rows)} accounts are called {name!r}: {', '.join(row['domain'] for row in rows[:5])}; name one by its domain"
            )
    near = [
        row["domain"]
        for row in store.query(
            "SELECT domain FROM accounts WHERE account_name LIKE ? OR domain LIKE ? ORDER BY domain LIMIT 3", (f"%{wanted}%", f"%{domain}%")
        )
    ]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownAccountError(f"no account is called {name!r}{hint}")


_SCORES_SQL = """
    SELECT c.product, c.fit_band, c.signals_band, c.segment, c.cluster, c.potential_revenue_low_usd, c.potential_revenue_high_usd,
           f.score AS fit_score, f.contributions AS fit_contributions, s.score AS signal_score, s.contributions AS signal_contributions
    FROM cluster_assignments c JOIN fit_scores f USING (run_id, account_id, product) JOIN signal_scores s USING (run_id, account_id, product)
    WHERE c.run_id = ? AND c.account_id = ?
"""


def _explain_product(
    product: str, title: str, scores: Row, evidence: dict[str, Evidence], archive: Path, outlook: Mapping[str, Any], moved: Moved | None
) -> ExplainedProduct:
    fit: dict[str, Any] = json.loads(scores["fit_contributions"])
    reasons = [(row["points"], feature_in_words(row["feature"], row["value"])) for row in fit.get("points", [])]
    events = [
        _explain_event(point["points"], evidence[point["event_id"]], archive)
        for point in json.loads(scores["signal_contributions"])
        if point["event_id"] in evidence
    ]
    return ExplainedProduct(
        product, title, scores["cluster"], scores["segment"], scores["fit_score"], scores["fit_band"], fit.get("base"), reasons,
        fit.get("basis"), scores["signal_score"], scores["signals_band"], events, scores["potential_revenue_low_usd"],
        scores["potential_revenue_high_usd"], outlook_in_words(outlook, scores["cluster"]), moved,
    )  # fmt: skip


def _explain_event(points: float, event: Evidence, archive: Path) -> ExplainedEvent:
    return ExplainedEvent(
        points, event.event_type, event.status, event.occurred_on, event.confidence, event.quote, event.url, event.fetched_at,
        str(archive / event.warc_file), event.warc_offset, event.n_sources, event.event_id,
    )  # fmt: skip
