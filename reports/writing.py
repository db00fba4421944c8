"""Writes a report: one row per account (or agreement), every column of its declaration, in a fixed order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, pairwise
from pathlib import Path

from reports.account_facts import assign_cohorts, load_account_facts, yes_no
from reports.declarations import AREA_COLUMNS, CRM_KEYS, DEFINITIONS, Report
from reports.filters import EVERYTHING, RowFilters
from reports.formats import FORMATS, definition_of
from reports.reasons import Evidence, load_evidence, reasons_text
from storage.catalogue import NOT_SCORED, Catalogue
from storage.clock import end_of_day
from storage.errors import InputError, StoreError
from storage.ids import content_key
from storage.records import ReportRun
from storage.store import Row, Store

BATCH = 2_000
ORG_SIZES = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 5000)
CLUSTER_ORDER = ("Act now", "Evaluate", "Nurture", "Educate", NOT_SCORED)


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report on disk and its registry record."""

    path: Path
    n_rows: int
    run: ReportRun


def latest_run(store: Store, as_of: date | None = None) -> Row:
    """The scoring run of a date, or of the latest date scored.

    Raises:
        StoreError: nothing was scored yet.
    """
    condition, values = ("WHERE as_of = ?", (as_of.isoformat(),)) if as_of else ("", ())
    row = next(store.query(f"SELECT * FROM scoring_runs {condition} ORDER BY as_of DESC, rowid DESC LIMIT 1", values), None)  # noqa: S608
    if row is None:
        raise StoreError(
            f"nothing was scored as of {as_of or 'any date'}; run `bellwether score{f' --as-of {as_of}' if as_of else ''}` first"
        )
    return row


def write_report(
    store: Store,
    catalogue: Catalogue,
    report: Report,
    path: Path,
    partner: str | None = None,
    as_of: date | None = None,
    file_format: str = "csv",
    chosen: Sequence[str] = (),
    country: str | None = None,
    filters: RowFilters = EVERYTHING,
) -> WrittenReport:
    """Writes the report; equal inputs give equal bytes.

    Args:
        partner: global id of a partner: only accounts that transacted with it are written, and it stands in the first columns.
        file_format: a name in ``reports.formats.FORMATS``.
        chosen: only these of the report's columns, in the report's order; all when empty.
        country: only accounts of this country, for those whose right is one location's.
        filters: only rows that pass them.
    """
    run = latest_run(store, as_of)
    columns = _chosen_columns(report, catalogue, chosen)
    definitions = define_columns(catalogue, columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = filter(filters.passes, iter_rows(store, catalogue, report, run, partner, country))
    part = path.with_name(f".{path.name}.part")  # a report cut short by a full disk must not look whole
    try:
        n_rows = FORMATS[file_format](part, columns, rows, definitions, date.fromisoformat(run["as_of"]))
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    key = content_key("report", report.name, run["run_id"], partner, file_format)
    return WrittenReport(path, n_rows, ReportRun(key, report.name, run["run_id"], partner, file_format, n_rows, digest))


def define_columns(catalogue: Catalogue, columns: Sequence[str]) -> dict[str, str]:
    """What each column means; for a cohort, its values with their customer profiles, how to engage, and campaign links."""
    plays: dict[str, str] = {}
    for cohort in catalogue.cohorts:
        told = f"{cohort.value}: {cohort.profile} How to engage: {cohort.engage} {' '.join(cohort.links)}".strip()
        plays[cohort.column] = f"{plays[cohort.column]} | {told}" if cohort.column in plays else f"Solution play. {told}"
    return {column: plays.get(column) or definition_of(column, DEFINITIONS) for column in columns}


def _chosen_columns(report: Report, catalogue: Catalogue, chosen: Sequence[str]) -> tuple[str, ...]:
    columns = report.columns(catalogue)
    unknown = [column for column in chosen if column not in columns]
    if unknown:
        raise InputError(f"report {report.name} has no column {unknown[0]!r}; it has: {', '.join(columns)}")
    return tuple(column for column in columns if not chosen or column in chosen)


def iter_rows(
    store: Store, catalogue: Catalogue, report: Report, run: Row, partner: str | None, country: str | None = None
) -> Iterator[Row]:
    """The report's rows as dictionaries, by account name and domain; memory is that of a few thousand accounts, however many there are."""
    partners = {row["partner_global_id"]: row["partner_name"] for row in store.query("SELECT * FROM partners")}
    accounts = store.query(_ACCOUNTS_SQL, {"as_of": run["as_of"], "partner": partner, "country": country})
    while batch := list(islice(accounts, BATCH)):
        reported = [account for account in batch if catalogue.segments.segment(account["employees"]) != "Corporate"]
        yield from _rows_of(reported, store, catalogue, report, run, partner, partners)


def _rows_of(
    accounts: list[Row], store: Store, catalogue: Catalogue, report: Report, run: Row, partner: str | None, partners: dict[str, str]
) -> Iterator[Row]:
    as_of = date.fromisoformat(run["as_of"])
    ids = [account["account_id"] for account in accounts]
    facts = load_account_facts(store, catalogue, as_of, ids)
    cohorts = assign_cohorts(facts, tuple(cohort for cohort in catalogue.cohorts if report.name in cohort.reports))
    areas_read = report.areas if not report.extra_columns else tuple(product.product_id for product in catalogue.products)
    scores = _load_scores(store, run["run_id"], areas_read, ids)
    shown = {
        point["event_id"]
        for row in scores.values()
        for area in report.areas
        if area in row
        for point in json.loads(row[area]["signal_contributions"])
    }
    evidence = load_evidence(store, shown)
    n_pages = _load_n_pages(store, as_of, ids)
    bought_from = _load_partner_accounts(store, as_of, ids)
    agreements = _load_agreements(store, as_of, ids, partner) if report.per_agreement else {}
    for account in accounts:
        account_id = account["account_id"]
        fact, areas = facts[account_id], scores.get(account_id, {})
        row = _common(account, catalogue, partner, partners, bought_from.get(account_id, set()))
        for area in report.areas:
            row |= _area(area, areas.get(area), evidence)
        row |= {column: cohorts[account_id].get(column, "No") for column in report.cohort_columns(catalogue)}
        row |= _tail(fact, n_pages.get(account_id, 0), run)
        row |= _workloads(fact, areas, catalogue)
        if not report.per_agreement:
            yield row
        for agreement in agreements.get(account_id, []):
            yield row | agreement


# Both tables have account_id and observed_on; the account's own come last, so they count.
_ACCOUNTS_SQL = """
    SELECT f.*, a.* FROM accounts a LEFT JOIN firmographics f ON f.firmographics_id = (
        SELECT firmographics_id FROM firmographics g WHERE g.account_id = a.account_id AND g.observed_on <= :as_of
        ORDER BY g.observed_on DESC, g.firmographics_id LIMIT 1)
    WHERE a.observed_on <= :as_of AND (:country IS NULL OR f.country = :country) AND (:partner IS NULL OR a.account_id IN (
        SELECT account_id FROM transactions WHERE partner_global_id = :partner AND transacted_on <= :as_of
        UNION SELECT account_id FROM subscriptions WHERE partner_global_id = :partner AND started_on <= :as_of))
    ORDER BY a.account_name, a.domain
"""


def _common(account: Row, catalogue: Catalogue, partner: str | None, partners: dict[str, str], bought_from: set[str]) -> Row:
    global_id = partner or account["partner_global_id"] or next(iter(sorted(bought_from)), None)
    sub_segment = catalogue.segments.segment(account["employees"])
    return {column: account[column] for column in CRM_KEYS} | {
        "GlobalID": global_id,
        "PartnerName": partners.get(global_id or ""),
        "CustomerID": account["customer_id"],
        "CustomerTenantID": account["tenant_id"],
        "DUNSNumber": account["duns_number"],
        "AccountName": account["account_name"],
        "Domain": account["domain"],
        "OrgSize": org_size(account["employees"]),
        "Industry": account["industry"],
        "Vertical": account["vertical"],
        "Area": account["area"],
        "Subsidiary": account["subsidiary"],
        "SalesTerritory": account["sales_territory"],
        "City": account["city"],
        "State": account["state"],
        "PostalCode": account["postal_code"],
        "Country": account["country"],
        "Segment": "SMB" if sub_segment else None,
        "SubSegment": sub_segment,
        "SMECTypeSummary": f"SMB - {sub_segment}" if sub_segment else None,
        "IsNonprofit": yes_no(account["is_nonprofit"]),
    }


def org_size(employees: int | None) -> str | None:
    """Employees as a band.

    >>> org_size(40), org_size(0), org_size(9000)
    ('25-49', '0', '5000+')
    """
    if employees is None:
        return None
    if employees < 1:
        return "0"
    for low, above in pairwise(ORG_SIZES):
        if employees < above:
            return f"{low}-{above - 1}"
    return f"{ORG_SIZES[-1]}+"


def _area(area: str, scores: Row | None, evidence: dict[str, Evidence]) -> Row:
    if scores is None:
        return {f"{area}{column}": NOT_SCORED if column in ("Fit", "BuyingSignals", "Cluster") else None for column in AREA_COLUMNS}
    signal_points = json.loads(scores["signal_contributions"])
    urls = [evidence[point["event_id"]].url for point in signal_points if point["event_id"] in evidence]
    return {
        f"{area}Fit": scores["fit_band"] or NOT_SCORED,
        f"{area}BuyingSignals": scores["signals_band"] or NOT_SCORED,
        f"{area}Cluster": scores["cluster"],
        f"{area}Segment": scores["segment"],
        f"{area}FitScore": scores["fit_score"],
        f"{area}SignalsScore": scores["signal_score"],
        f"{area}Reasons": reasons_text(scores["fit_contributions"], scores["signal_contributions"], evidence),
        f"{area}PotentialRevenueLow": scores["potential_revenue_low_usd"],
        f"{area}PotentialRevenueHigh": scores["potential_revenue_high_usd"],
        f"{area}EvidenceUrls": " ".join(dict.fromkeys(urls[:5])),
    }


def _tail(fact: Row, n_pages: int, run: Row) -> Row:
    return {
        "Promos": None,
        "HasAzure": yes_no(fact.get("has_azure")),
        "HasD365": yes_no(fact.get("has_d365")),
        "HasM365": yes_no(fact.get("has_m365")),
        "HasGoogle": yes_no(fact.get("has_google")),
        "HasAWS": yes_no(fact.get("has_aws")),
        "HasEA": yes_no(fact.get("has_ea")),
        "HasOpen": yes_no(fact.get("has_open_licence")),
        "HasTransactedEOSProduct": yes_no(fact["has_transacted_eos"]),
        "Coverage": f"looked at ({n_pages} pages)" if n_pages else "not looked at",
        "AsOf": run["as_of"],
        "ModelVersion": run["model_version"],
        "TransactedInLast36Months": yes_no(fact["transacted_36m"]),
    }


def _workloads(fact: Row, areas: dict[str, Row], catalogue: Catalogue) -> Row:
    titles = {product.product_id: product.title for product in catalogue.products}
    fact_of = {
        "Azure": "azure",
        "M365": "m365",
        "M365_CoPilot": "copilot",
        "D365BC": "business_central",
        "Surface": "surface",
        "Security": "security",
    }
    owned = [product_id for product_id in titles if fact.get(f"has_{fact_of.get(product_id, '')}")]
    missing = [
        product_id
        for product_id in titles
        if product_id not in owned and areas.get(product_id, {}).get("cluster") in ("Act now", "Evaluate")
    ]
    missing.sort(
        key=lambda product_id: (CLUSTER_ORDER.index(areas[product_id]["cluster"]), -(areas[product_id]["fit_score"] or 0), product_id)
    )
    return {"ExistingWorkloads": ", ".join(titles[p] for p in owned), "RecommendedNextWorkloads": ", ".join(titles[p] for p in missing)}


def _load_scores(store: Store, run_id: str, areas: tuple[str, ...], ids: list[str]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for row in store.query(
        """
        SELECT c.account_id, c.product, c.fit_band, c.signals_band, c.segment, c.cluster, c.potential_revenue_low_usd, c.potential_revenue_high_usd,
               f.score AS fit_score, f.contributions AS fit_contributions, s.score AS signal_score, s.contributions AS signal_contributions
        FROM cluster_assignments c JOIN fit_scores f USING (run_id, account_id, product) JOIN signal_scores s USING (run_id, account_id, product)
        WHERE c.run_id = ? AND c.account_id IN (SELECT value FROM json_each(?)) AND c.product IN (SELECT value FROM json_each(?))
        """,
        (run_id, json.dumps(ids), json.dumps(areas)),
    ):
        found.setdefault(row["account_id"], {})[row["product"]] = row
    return found


def _load_n_pages(store: Store, as_of: date, ids: list[str]) -> dict[str, int]:
    rows = store.query(
        "SELECT account_id, count(*) AS n FROM pages WHERE account_id IN (SELECT value FROM json_each(?)) AND fetched_at <= ? GROUP BY 1",
        (json.dumps(ids), end_of_day(as_of)),
    )
    return {row["account_id"]: row["n"] for row in rows}


def _load_partner_accounts(store: Store, as_of: date, ids: list[str]) -> dict[str, set[str]]:
    """Per account, the partners it transacted with or subscribed through by the date."""
    found: dict[str, set[str]] = {}
    for row in store.query(
        "SELECT account_id, partner_global_id FROM transactions "
        "WHERE account_id IN (SELECT value FROM json_each(:ids)) AND partner_global_id IS NOT NULL AND transacted_on <= :as_of "
        "UNION SELECT account_id, partner_global_id FROM subscriptions "
        "WHERE account_id IN (SELECT value FROM json_each(:ids)) AND partner_global_id IS NOT NULL AND started_on <= :as_of",
        {"as_of": as_of.isoformat(), "ids": json.dumps(ids)},
    ):
        found.setdefault(row["account_id"], set()).add(row["partner_global_id"])
    return found


def _load_agreements(store: Store, as_of: date, ids: list[str], partner: str | None) -> dict[str, list[Row]]:
    """Agreements with an end, one row each, as columns of the renewal report; a partner sees those it made, and what was spent through it."""
    year_ago = (as_of - timedelta(days=365)).isoformat()
    found: dict[str, list[Row]] = {}
    for row in store.query(
        """
        SELECT s.account_id, s.license_program, s.agreement_id, s.ends_on, s.product,
               (SELECT sum(t.amount_usd) FROM transactions t WHERE t.account_id = s.account_id AND t.product = s.product
                AND t.transacted_on > :year_ago AND t.transacted_on <= :as_of AND (:partner IS NULL OR t.partner_global_id = :partner)) AS revenue
        FROM subscriptions s WHERE s.account_id IN (SELECT value FROM json_each(:ids)) AND (:partner IS NULL OR s.partner_global_id = :partner)
        AND s.agreement_id IS NOT NULL AND s.ends_on IS NOT NULL AND s.started_on <= :as_of
        ORDER BY s.account_id, s.ends_on, s.agreement_id, s.product
        """,
        {"as_of": as_of.isoformat(), "year_ago": year_ago, "ids": json.dumps(ids), "partner": partner},
    ):
        found.setdefault(row["account_id"], []).append(
            {
                "LicenseProgram": row["license_program"],
                "AgreementID": row["agreement_id"],
                "AgreementEndDate": row["ends_on"],
                "ExpirationType": expiration_type(date.fromisoformat(row["ends_on"]), as_of),
                "ExpiringRevenue": row["revenue"],
                "RevSumDivisionName": row["product"],
            }
        )
    return found


def expiration_type(ends_on: date, as_of: date) -> str:
    """How soon an agreement runs out.

    >>> expiration_type(date(2026, 12, 1), date(2026, 11, 1))
    'Within 90 days'
    """
    days = (ends_on - as_of).days
    if days < 0:
        return "Expired"
    if days <= 90:
        return "Within 90 days"
    return "Within 12 months" if days <= 365 else "Later"
